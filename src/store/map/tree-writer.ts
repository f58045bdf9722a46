// The inner nodes above the leaves that changed; everything else keeps its id.

import { encodeNode } from "../format/map.ts";
import { leafCount, leavesBelow, rootLevel, type MapReader, type MapRoot } from "./map-reader.ts";

/** Undefined: the leaf has become a hole. */
export type ChangedLeaves = ReadonlyMap<number, Buffer | undefined>;

export interface TreeWriterParts {
  readonly maps: MapReader;
  /** Some packs are bad: every node is stored again where its copy is not usable. */
  readonly renewNodes: boolean;
  storeMapNode(node: Buffer): Promise<Buffer>;
}

export async function writeTree(
  { maps, storeMapNode: store, renewNodes }: TreeWriterParts,
  parent: MapRoot,
  size: number,
  changed: ChangedLeaves,
  signal?: AbortSignal,
): Promise<MapRoot> {
  const level = rootLevel(size);
  const count = leafCount(size);
  const changedIndexes = [...changed.keys()].sort((a, b) => a - b);
  const old = await rootAt(maps, parent, level, store, signal);
  const root = await build(old, level, 0, changedIndexes);
  return { root, level };

  async function build(
    id: Buffer | undefined,
    at: number,
    base: number,
    indexes: readonly number[],
  ): Promise<Buffer | undefined> {
    const span = leavesBelow(at - 1);
    const isCut = id !== undefined && base + leavesBelow(at) > count && (await reaches(id, at, base));
    if (indexes.length === 0 && !isCut && (id === undefined || !renewNodes)) return id;
    const children = new Map(id === undefined ? [] : (await maps.node(id, at, signal)).children);
    for (const slot of children.keys()) if (base + slot * span >= count) children.delete(slot);
    const bySlot = new Map<number, number[]>();
    for (const index of indexes) {
      const slot = Math.floor((index - base) / span);
      const present = bySlot.get(slot);
      if (present === undefined) bySlot.set(slot, [index]);
      else present.push(index);
    }
    const last = Math.floor((count - 1 - base) / span);
    if (at > 1 && isCut && children.has(last) && !bySlot.has(last)) bySlot.set(last, []);
    if (at > 1 && renewNodes) for (const slot of children.keys()) if (!bySlot.has(slot)) bySlot.set(slot, []);
    for (const [slot, below] of bySlot) {
      const first = base + slot * span;
      const child = at === 1 ? changed.get(first) : await build(children.get(slot), at - 1, first, below);
      if (child === undefined) children.delete(slot);
      else children.set(slot, child);
    }
    return children.size === 0 ? undefined : store(encodeNode({ level: at, children }));
  }

  /** Whether the node has anything beyond the end of a disk that became smaller. */
  async function reaches(id: Buffer, at: number, base: number): Promise<boolean> {
    for await (const leaf of maps.leaves({ root: id, level: at }, count - base, Infinity, signal)) {
      return leaf !== undefined;
    }
    return false;
  }
}

/** The parent's tree seen from another level: a larger disk has higher roots, a smaller one lower. */
async function rootAt(
  maps: MapReader,
  parent: MapRoot,
  level: number,
  store: (node: Buffer) => Promise<Buffer>,
  signal?: AbortSignal,
): Promise<Buffer | undefined> {
  let { root } = parent;
  for (let at = parent.level; at < level && root !== undefined; at += 1) {
    root = await store(encodeNode({ level: at + 1, children: new Map([[0, root]]) }));
  }
  for (let at = parent.level; at > level && root !== undefined; at -= 1) {
    root = (await maps.node(root, at, signal)).children.get(0);
  }
  return root;
}
