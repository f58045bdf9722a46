// In which file a disk lies. A record of changes lies in the same file, under the same name in each disk of
// a point: where two disks have changed places, or one of them its file, it would tell of other bytes than
// those of the last point.

import { createHash } from "node:crypto";
import { disk } from "../lib/files.ts";
import type { SnapshotRequest } from "./host.ts";

/** Another one for each file, and for each place of a file; nothing where a disk lies in none. */
export async function imageIdentity(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  // What we may not look at is known by its place alone.
  const inode = await disk.status(path).then(
    (status) => status?.inode,
    () => undefined,
  );
  return createHash("sha256")
    .update(`${inode ?? ""} ${path}`)
    .digest("hex")
    .slice(0, 32);
}

/** The disk lay elsewhere at the last point. */
export function isMoved(since: SnapshotRequest["since"], diskId: string, image: string | undefined): boolean {
  const before = since?.images?.[diskId];
  return before !== undefined && before !== image;
}
