// Whether KVM really runs guests here. The device may be there and usable, and a guest still hang in
// its firmware, as under some nested hypervisors. So a machine is booted whose boot sector does nothing
// but end QEMU: under a second where KVM works.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { isErrorCode } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { run } from "../../lib/processes.ts";
import { newGuid } from "../../lib/random.ts";

/** `kvm:tcg` lets QEMU choose by whether the device opens. */
export type Accelerator = "kvm:tcg" | "kvm" | "tcg";

const bootMilliseconds = 5000;
/** What isa-debug-exit makes of the 0x10 that the boot sector writes. */
const saidByBootSector = 33;
const diskBytes = 1024 * 1024;

let found: Promise<"kvm" | "tcg"> | undefined;

/** Looked up once in the life of the process. */
export function workingAccelerator(): Promise<"kvm" | "tcg"> {
  found ??= kvmRunsGuests().then((works) => (works ? "kvm" : "tcg"));
  return found;
}

export async function kvmRunsGuests(): Promise<boolean> {
  if ((await disk.status("/dev/kvm")) === undefined) return false;
  const image = join(tmpdir(), `holdfast-boot-sector-${newGuid()}`);
  try {
    await disk.writeDurably(image, bootSector());
    const machine = ["-machine", "q35,accel=kvm", "-cpu", "max", "-m", "64M", "-nodefaults", "-no-user-config"];
    const ends = ["-display", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"];
    const drive = JSON.stringify({
      driver: "raw",
      "node-name": "boot",
      "read-only": true,
      file: { driver: "file", filename: image },
    });
    await run(
      "qemu-system-x86_64",
      [...machine, ...ends, "-blockdev", drive, "-device", "virtio-blk-pci,drive=boot,bootindex=0"],
      { timeoutMilliseconds: bootMilliseconds, acceptedExitCodes: [saidByBootSector] },
    );
    return true;
  } catch (error) {
    if (isErrorCode(error, "ProgramTimedOut") || isErrorCode(error, "ProgramFailed")) return false;
    throw error;
  } finally {
    await disk.remove(image);
  }
}

/** mov dx, 0xf4; mov al, 0x10; out dx, al; hlt — and the mark of a boot sector. */
function bootSector(): Buffer {
  const image = Buffer.alloc(diskBytes);
  image.set([0xba, 0xf4, 0x00, 0xb0, 0x10, 0xee, 0xf4, 0xeb, 0xfd]);
  image.set([0x55, 0xaa], 510);
  return image;
}
