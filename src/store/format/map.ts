// The nodes of a disk map. A leaf says which units of its 128 MiB lie in which blobs; what no extent
// covers is zero. Extents are sorted and never overlap: decoding checks it, so nobody else has to.

import { ByteReader, ByteWriter } from "./bytes.ts";
import { formatVersion, idLength, leafRegions, leafUnits, nodeFanOut, regionUnits } from "./layout.ts";

export interface Extent {
  /** In units, from the beginning of the leaf. */
  readonly start: number;
  readonly length: number;
  readonly id: Buffer;
  /** In units, from the beginning of the blob. */
  readonly offset: number;
}

export interface Leaf {
  readonly extents: readonly Extent[];
  /** Of composed regions, where it is known. */
  readonly regionHashes: ReadonlyMap<number, Buffer>;
}

export const emptyLeaf: Leaf = { extents: [], regionHashes: new Map() };

export function encodeLeaf(leaf: Leaf): Buffer {
  const extents = joinAdjacent(leaf.extents);
  const table = new Map<string, number>();
  const ids: Buffer[] = [];
  const references = extents.map(({ id }) => {
    const key = id.toString("latin1");
    const known = table.get(key);
    if (known !== undefined) return known;
    table.set(key, ids.length);
    ids.push(id);
    return ids.length - 1;
  });
  const writer = new ByteWriter(64 + ids.length * (idLength + 6));
  writer.u8(formatVersion);
  writer.u8(0);
  writer.varint(ids.length);
  for (const id of ids) writer.raw(id);
  writer.varint(extents.length);
  let end = 0;
  let last = -1;
  extents.forEach((extent, position) => {
    const reference = references[position] ?? 0;
    writer.varint(extent.start - end);
    writer.varint(extent.length);
    writer.varint(reference === last + 1 ? 0 : reference + 1);
    writer.varint(extent.offset);
    end = extent.start + extent.length;
    last = reference;
  });
  const hashes = [...leaf.regionHashes].sort(([a], [b]) => a - b);
  writer.varint(hashes.length);
  let previous = -1;
  for (const [region, hash] of hashes) {
    writer.varint(region - previous - 1);
    writer.raw(hash);
    previous = region;
  }
  return writer.finish();
}

export function decodeLeaf(bytes: Uint8Array, what: string): Leaf {
  const reader = new ByteReader(bytes, what);
  reader.version();
  if (reader.u8() !== 0) throw reader.damaged("is not a leaf");
  const ids: Buffer[] = [];
  for (let left = reader.count(idLength); left > 0; left -= 1) ids.push(reader.raw(idLength));
  const extents: Extent[] = [];
  let end = 0;
  let last = -1;
  for (let left = reader.count(4); left > 0; left -= 1) {
    const start = end + reader.varint();
    const length = reader.varint();
    const coded = reader.varint();
    const offset = reader.varint();
    const reference = coded === 0 ? last + 1 : coded - 1;
    const id = ids[reference];
    if (id === undefined) throw reader.damaged("refers to a blob that is not in its table");
    if (length === 0 || start + length > leafUnits) throw reader.damaged("has an extent beyond its range");
    if (offset + length > regionUnits) throw reader.damaged("has an extent beyond its blob");
    extents.push({ start, length, id, offset });
    end = start + length;
    last = reference;
  }
  const regionHashes = new Map<number, Buffer>();
  let region = -1;
  for (let left = reader.count(idLength + 1); left > 0; left -= 1) {
    region += reader.varint() + 1;
    if (region >= leafRegions) throw reader.damaged("has a hash beyond its range");
    regionHashes.set(region, reader.raw(idLength));
  }
  reader.end();
  return { extents, regionHashes };
}

export interface InnerNode {
  readonly level: number;
  /** Slot to id; an absent slot is a hole. */
  readonly children: ReadonlyMap<number, Buffer>;
}

export function encodeNode(node: InnerNode): Buffer {
  const children = [...node.children].sort(([a], [b]) => a - b);
  const writer = new ByteWriter(16 + children.length * (idLength + 2));
  writer.u8(formatVersion);
  writer.u8(node.level);
  writer.varint(children.length);
  let previous = -1;
  for (const [slot, id] of children) {
    writer.varint(slot - previous - 1);
    writer.raw(id);
    previous = slot;
  }
  return writer.finish();
}

export function decodeNode(bytes: Uint8Array, level: number, what: string): InnerNode {
  const reader = new ByteReader(bytes, what);
  reader.version();
  const found = reader.u8();
  if (found !== level) throw reader.damaged(`is a map node of level ${found}, not ${level}`);
  const children = new Map<number, Buffer>();
  let slot = -1;
  for (let left = reader.count(idLength + 1); left > 0; left -= 1) {
    slot += reader.varint() + 1;
    if (slot >= nodeFanOut) throw reader.damaged("has more children than a node can have");
    children.set(slot, reader.raw(idLength));
  }
  reader.end();
  return { level, children };
}

/** Extents that continue each other on the disk and in the blob become one. */
function joinAdjacent(extents: readonly Extent[]): Extent[] {
  const joined: Extent[] = [];
  for (const extent of extents) {
    const last = joined.at(-1);
    if (
      last !== undefined &&
      last.start + last.length === extent.start &&
      last.offset + last.length === extent.offset &&
      last.id.equals(extent.id)
    ) {
      joined[joined.length - 1] = { ...last, length: last.length + extent.length };
    } else joined.push(extent);
  }
  return joined;
}
