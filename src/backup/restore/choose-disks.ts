// Which disks of a point a restore takes.

import { restoreErrors } from "./errors.ts";

export interface RestorableDisk {
  /** Its name in the store. */
  readonly id: string;
  readonly name: string;
  /** -1 for the system disk. */
  readonly lun: number;
  readonly sizeBytes: number;
}

/**
 * `luns` absent: all. An empty list is Azure's way to say the system disk only. With `withSystemDisk` (a
 * machine is made of them) the system disk comes along whatever is named.
 */
export function chooseDisks<Disk extends RestorableDisk>(
  disks: readonly Disk[],
  luns: readonly number[] | undefined,
  withSystemDisk: boolean,
): Disk[] {
  const sorted = disks.toSorted((one, other) => one.lun - other.lun);
  if (luns === undefined) return sorted;
  const wanted = new Set(luns.length === 0 || withSystemDisk ? [-1, ...luns] : luns);
  const unknown = [...wanted].filter((lun) => !sorted.some((disk) => disk.lun === lun));
  if (unknown.length > 0) {
    throw restoreErrors.UserErrorInvalidDiskLunList(
      `restoreDiskLunList names ${unknown.join(", ")}; the recovery point holds the LUNs ${sorted.map(({ lun }) => lun).join(", ")} (-1 is the system disk).`,
      { target: "restoreDiskLunList" },
    );
  }
  return sorted.filter(({ lun }) => wanted.has(lun));
}
