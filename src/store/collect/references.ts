// What is needed: every blob that a point, a deleted point that is still kept, or a committed
// session's point reaches. Shared nodes are walked once.

import { isErrorCode } from "../../lib/errors.ts";
import { parsePointName, type PointName } from "../format/object-names.ts";
import { openPointDocument, type PointDocument } from "../format/point.ts";
import { entryLength } from "../format/pack.ts";
import type { BlobTable } from "../index/blob-table.ts";
import { eachInParallel } from "../../lib/parallel.ts";
import { listPointNames, readPoint } from "../points/points.ts";
import { isDamage } from "../damage.ts";
import { readSessions, type SessionState } from "../session/session-records.ts";
import type { Vault } from "../vault.ts";

export interface References {
  /** The table whose slots are marked. */
  readonly table: BlobTable;
  /** One byte per slot. */
  readonly marked: Uint8Array;
  /** Stored bytes needed, per pack number, with what their directory entries take. */
  readonly liveBytes: ReadonlyMap<number, number>;
  readonly sessions: readonly SessionState[];
  /** Blobs that are in no pack that is there. */
  readonly missing: number;
  /** What could not be read: nothing may be deleted while there are any. */
  readonly problems: readonly string[];
}

/** `vault`: with a fresh index (withFreshIndex), refreshed after the last doom was written. */
export async function findReferences(
  vault: Vault,
  signal?: AbortSignal,
  passedOver: ReadonlySet<string> = new Set(),
): Promise<References> {
  const { table } = vault.index;
  const marked = new Uint8Array(table.capacity);
  const problems: string[] = [];
  let missing = 0;
  // Sessions first: the point of one that ends meanwhile is listed before its `.open` goes.
  const sessions = await readSessions(vault.store, vault.keys, signal);
  for (const { id, end } of sessions) {
    if (end?.point === undefined) continue;
    const name = parsePointName(end.point.name);
    await noting(`session ${id}`, () =>
      markPoint(openPointDocument(vault.keys, name, Buffer.from(end.point?.sealed ?? "", "base64"))),
    );
  }
  // A point on its way between the two folders is in one of three listings.
  const seen = new Set<string>();
  for (const folder of ["points", "deleted", "points"] as const) {
    for (const name of await listPointNames(vault, folder, undefined, signal)) {
      if (folder === "deleted" && passedOver.has(name)) continue;
      if (!seen.has(name)) await noting(`point ${name}`, () => markNamed(name, folder));
    }
  }
  return { table, marked, liveBytes: sumPerPack(table, marked), sessions, missing, problems };

  async function markNamed(name: PointName, folder: "points" | "deleted"): Promise<void> {
    try {
      await markPoint(await readPoint(vault, name, folder, signal));
      seen.add(name);
    } catch (error) {
      if (!isErrorCode(error, "PointMissing")) throw error; // it moved: another listing has it
    }
  }

  async function noting(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async function markPoint(point: PointDocument): Promise<void> {
    for (const { blobs } of point.attachments) for (const blob of blobs) mark(Buffer.from(blob, "hex"));
    for (const { root, level } of point.disks) if (root !== undefined) await markNode(Buffer.from(root, "hex"), level);
  }

  async function markNode(id: Buffer, level: number): Promise<void> {
    if (!mark(id)) return;
    if (level === 0) {
      for (const extent of (await vault.maps.leaf(id, signal)).extents) mark(extent.id);
      return;
    }
    const { children } = await vault.maps.node(id, level, signal);
    await eachInParallel(children.values(), level === 1 ? 8 : 1, (child) => markNode(child, level - 1));
  }

  /** Whether it was not marked before. */
  function mark(id: Buffer): boolean {
    const slot = table.find(id);
    if (slot < 0) missing += 1;
    if (slot < 0 || marked[slot] === 1) return slot < 0;
    marked[slot] = 1;
    return true;
  }
}

function sumPerPack(table: BlobTable, marked: Uint8Array): Map<number, number> {
  const live = new Map<number, number>();
  marked.forEach((mark, slot) => {
    if (mark === 0) return;
    const { pack, storedLength } = table.location(slot);
    live.set(pack, (live.get(pack) ?? 0) + storedLength + entryLength);
  });
  return live;
}
