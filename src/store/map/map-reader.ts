// Walking a disk map from its root. Nodes are cached by id: points share most of theirs.

import { decodeLeaf, decodeNode, emptyLeaf, type InnerNode, type Leaf } from "../format/map.ts";
import { leafSize, nodeFanOut } from "../format/layout.ts";
import type { BlobReader } from "../read/blob-reader.ts";

export interface MapRoot {
  /** Undefined: the disk is one hole. */
  readonly root: Buffer | undefined;
  readonly level: number;
}

export interface MapReader {
  node(id: Buffer, level: number, signal?: AbortSignal): Promise<InnerNode>;
  leaf(id: Buffer | undefined, signal?: AbortSignal): Promise<Leaf>;
  /** The id of one leaf; undefined for a hole. */
  leafId(map: MapRoot, index: number, signal?: AbortSignal): Promise<Buffer | undefined>;
  /** The leaves that are there with indexes in [from, to), ascending. */
  leaves(map: MapRoot, from: number, to: number, signal?: AbortSignal): AsyncGenerator<{ index: number; id: Buffer }>;
}

/** How many leaves a node of this level covers. */
export const leavesBelow = (level: number): number => nodeFanOut ** level;

export const leafCount = (size: number): number => Math.ceil(size / leafSize);

/** The level of the root of a disk of this size. */
export function rootLevel(size: number): number {
  let level = 1;
  while (leavesBelow(level) < leafCount(size)) level += 1;
  return level;
}

const keptNodes = 64;

export function mapReader(blobs: BlobReader): MapReader {
  const nodes = new Map<string, InnerNode>();

  async function node(id: Buffer, level: number, signal?: AbortSignal): Promise<InnerNode> {
    const key = `${level}${id.toString("latin1")}`;
    const known = nodes.get(key);
    if (known !== undefined) return known;
    const decoded = decodeNode(await blobs.read(id, signal), level, `Map node ${id.toString("hex", 0, 8)}`);
    if (nodes.size >= keptNodes) nodes.delete(nodes.keys().next().value ?? "");
    nodes.set(key, decoded);
    return decoded;
  }

  async function* below(
    id: Buffer,
    level: number,
    base: number,
    from: number,
    to: number,
    signal?: AbortSignal,
  ): AsyncGenerator<{ index: number; id: Buffer }> {
    const span = leavesBelow(level - 1);
    const { children } = await node(id, level, signal);
    for (const [slot, child] of children) {
      const first = base + slot * span;
      if (first >= to) return;
      if (first + span <= from) continue;
      if (level === 1) yield { index: first, id: child };
      else yield* below(child, level - 1, first, from, to, signal);
    }
  }

  return {
    node,
    leaf: async (id, signal) =>
      id === undefined ? emptyLeaf : decodeLeaf(await blobs.read(id, signal), `Map leaf ${id.toString("hex", 0, 8)}`),
    leafId: async ({ root, level }, index, signal) => {
      let id = root;
      let rest = index;
      for (let at = level; at >= 1 && id !== undefined; at -= 1) {
        const span = leavesBelow(at - 1);
        const { children } = await node(id, at, signal);
        id = children.get(Math.floor(rest / span));
        rest %= span;
      }
      return id;
    },
    leaves: async function* ({ root, level }, from, to, signal) {
      if (root !== undefined) yield* below(root, level, 0, from, to, signal);
    },
  };
}
