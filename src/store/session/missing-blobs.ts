// What a point needs that another place of the same vault lacks. Maps are walked in the place where the
// point is; where they agree with an older point that the other place lists nothing is missing, so the
// walk costs what changed.

import type { PointName } from "../format/object-names.ts";
import { isDamage } from "../damage.ts";
import { eachInParallel } from "../../lib/parallel.ts";
import { readPoint, type Point } from "../points/points.ts";
import type { Vault } from "../vault.ts";

const leavesAtOnce = 8;

/** Both indexes are fresh. `older`: a point that `to` lists, kept there by an open session. */
export async function missingBlobs(
  from: Vault,
  to: Vault,
  point: Point,
  older: PointName | undefined,
  signal?: AbortSignal,
): Promise<Buffer[]> {
  const missing = new Map<string, Buffer>();
  const base = older === undefined || !to.index.isWhole ? undefined : await readOlder(to, older, signal);
  for (const { blobs } of point.attachments) for (const blob of blobs) need(Buffer.from(blob, "hex"));
  for (const { name, root, level } of point.disks) {
    const known = base?.disks.find((disk) => disk.name === name && disk.level === level)?.root;
    const knownRoot = known === undefined ? undefined : Buffer.from(known, "hex");
    if (root !== undefined) await walk(Buffer.from(root, "hex"), knownRoot, level);
  }
  return [...missing.values()];

  async function walk(id: Buffer, known: Buffer | undefined, level: number): Promise<void> {
    if (known?.equals(id) === true) return;
    need(id);
    if (level === 0) {
      for (const extent of (await from.maps.leaf(id, signal)).extents) need(extent.id);
      return;
    }
    const { children } = await from.maps.node(id, level, signal);
    const there = known === undefined ? undefined : (await to.maps.node(known, level, signal)).children;
    await eachInParallel(children, level === 1 ? leavesAtOnce : 1, ([slot, child]) =>
      walk(child, there?.get(slot), level - 1),
    );
  }

  function need(id: Buffer): void {
    if (!to.index.table.isUsable(id, noSession)) missing.set(id.toString("latin1"), id);
  }
}

/** Nothing that another session has not made durable yet counts. */
const noSession = -1;

async function readOlder(to: Vault, name: PointName, signal: AbortSignal | undefined): Promise<Point | undefined> {
  try {
    return await readPoint(to, name, "points", signal);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}
