// What somebody who looks at a point should know of how it came about. A warning makes a job
// "completed with warnings"; a note does not.

import * as z from "zod";
import type { NoChangesReason, SnapshotDisk } from "../../hosts/host.ts";

export const remarkSchema = z.object({
  code: z.string(),
  severity: z.enum(["note", "warning"]),
  /** Id of the disk that it is about. */
  disk: z.string().optional(),
  message: z.string(),
});
export type Remark = z.output<typeof remarkSchema>;

/** Formats whose images keep bitmaps over a restart of the machine. */
const keepsBitmaps = new Set(["qcow2"]);
/** Somebody did something, and nothing went wrong. */
const expected: ReadonlySet<NoChangesReason> = new Set(["DiskIsNew", "ImageReplaced", "NotTracked"]);

const reasons: Readonly<Record<Exclude<NoChangesReason, "FirstPoint">, string>> = {
  ImageReplaced: "lies in another image than at the last point, so all of it was compared with that",
  DiskIsNew: "was added since the last point, so all of it was read",
  BitmapLost: "has lost the record of its changes, so all of it was compared with the last point",
  BitmapInconsistent:
    "has a record of changes that a crash of its machine has left unreliable, so all of it was compared with the last point",
  NotTracked: "has no record of its changes, so all of it was compared with the last point",
};

/** Below this the backup took noticeably longer. */
const noticeableShare = 0.7;

export function remarksOnPace(lowestShare: number): Remark[] {
  if (lowestShare >= noticeableShare) return [];
  const percent = Math.round(lowestShare * 100);
  return [
    {
      code: "ReadingSlowed",
      severity: "note",
      message: `The machine was busy writing, and its writes took longer while it was read: it was read at ${percent} % of full speed at the slowest.`,
    },
  ];
}

export function remarksOnDisk({ disk, changes }: SnapshotDisk, previousSize: number | undefined): Remark[] {
  const remarks: Remark[] = [];
  if (!changes.known && changes.reason !== "FirstPoint") {
    const isExpected = expected.has(changes.reason) || !keepsBitmaps.has(disk.format);
    remarks.push({
      code: changes.reason,
      severity: isExpected ? "note" : "warning",
      disk: disk.id,
      message: `The disk "${disk.id}" ${reasons[changes.reason]}.`,
    });
  }
  if (previousSize !== undefined && previousSize !== disk.sizeBytes) {
    remarks.push({
      code: "DiskResized",
      severity: "note",
      disk: disk.id,
      message: `The disk "${disk.id}" had ${previousSize} bytes in the last point and has ${disk.sizeBytes} now.`,
    });
  }
  return remarks;
}
