import { defineErrors } from "../../lib/errors.ts";

export const captureErrors = defineErrors({
  NothingToCapture: { status: 409, remedy: "Include at least one disk that can be written to." },
  MachineUnusable: { status: 409, remedy: "Make the machine usable on its host, or exclude what is in the way." },
  MachineChangedMeanwhile: { status: 409, remedy: "Try again when the machine's disks stay as they are." },
  DiskUnreadable: { status: 502, remedy: "Look at the disk and at its host; the next backup begins again." },
  ExportUnusable: { status: 502, remedy: "Look at the host's QEMU; the next backup begins again." },
  NotACapturedPoint: { status: 409, remedy: "Choose a point that was made from a machine." },
});
