// From what is wrong with blobs to what is wrong with points. Asked only when something is wrong: the maps
// are walked once more then, each node once.

import { isDamage } from "../damage.ts";
import type { Point } from "../points/points.ts";
import type { Vault } from "../vault.ts";

/** By the blob's id (latin1). */
export type BlobProblems = ReadonlyMap<string, readonly string[]>;

/** What is wrong with a point, if anything is: some of it where there is much. */
export function problemsOfPoints(
  vault: Vault,
  problems: BlobProblems,
  signal?: AbortSignal,
): (point: Point) => Promise<readonly string[]> {
  const below = new Map<string, readonly string[]>();
  const of = (id: Buffer): readonly string[] => problems.get(id.toString("latin1")) ?? none;

  return async ({ attachments, disks }) => {
    const found = attachments.flatMap(({ blobs }) => blobs.flatMap((blob) => of(Buffer.from(blob, "hex"))));
    for (const { root, level } of disks) {
      if (root !== undefined) found.push(...(await atAndBelow(Buffer.from(root, "hex"), level)));
    }
    return found.slice(0, mostProblems);
  };

  async function atAndBelow(id: Buffer, level: number): Promise<readonly string[]> {
    const key = id.toString("latin1");
    const known = below.get(key);
    if (known !== undefined) return known;
    const found = [...of(id)];
    try {
      if (level === 0) {
        for (const extent of (await vault.maps.leaf(id, signal)).extents) found.push(...of(extent.id));
      } else {
        const { children } = await vault.maps.node(id, level, signal);
        for (const child of children.values()) found.push(...(await atAndBelow(child, level - 1)));
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      found.push(error instanceof Error ? error.message : String(error));
    }
    const some = found.length === 0 ? none : found.slice(0, mostProblems);
    below.set(key, some);
    return some;
  }
}

const mostProblems = 20;
const none: readonly string[] = [];
