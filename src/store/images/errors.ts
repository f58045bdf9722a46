// What can be wrong with a disk image that is read or written.

import { defineErrors } from "../../lib/errors.ts";

export const imageErrors = defineErrors({
  ImageMissing: { status: 404, remedy: "Check the path." },
  ImageFormatWrong: { status: 400, remedy: "Name the right format: name=FILE,format=raw|qcow2|vhd|vhdx|vmdk." },
  ImageRefused: { status: 400, remedy: "Convert it to one file first: qemu-img convert -f FORMAT -O raw IMAGE FILE." },
  ImageInUse: { status: 409, remedy: "Stop the machine that uses it, or back it up through its host." },
  ImageUnreadable: { status: 500, remedy: "Check the disk that holds it; `qemu-img check` tells more." },
  ImageExists: { status: 409, remedy: "Choose another name, or say --overwrite." },
  ImageTooLarge: { status: 400, remedy: "Choose another format for this disk." },
  ImageUnwritable: { status: 500, remedy: "Check free space and permissions of the target folder." },
});
