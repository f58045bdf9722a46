import { defineErrors } from "../lib/errors.ts";

export const diskErrors = defineErrors({
  DiskImageUnknown: { status: 404 },
  DiskImageNotReady: { status: 409, remedy: "Wait until it has been created." },
  DiskSizeInvalid: { status: 400, remedy: "Choose a size from 1 to 65536 GiB." },
  DiskShrinkRefused: { status: 400, remedy: "A disk can only grow: create a smaller one and copy what you need." },
  DiskSpaceShort: { status: 507, remedy: "Make room in the data folder, or move it to a larger file system." },
  DiskImportRefused: {
    status: 400,
    remedy: "Convert it first: qemu-img convert -O vpc -o subformat=fixed,force_size.",
  },
});
