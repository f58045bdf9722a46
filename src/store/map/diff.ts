// What differs between two disks: only nodes and leaves with different ids are looked at.

import { leafSize, leafUnits, unitSize } from "../format/layout.ts";
import type { Extent } from "../format/map.ts";
import { diskOf, type Point } from "../points/points.ts";
import type { Vault } from "../vault.ts";
import { leavesBelow, type MapReader, type MapRoot } from "./map-reader.ts";

export interface ChangedRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Ranges whose content may differ, ascending, joined. Equal content that is stored in different
 * pieces counts as different; different content never counts as equal.
 */
export async function* diffDisks(
  vault: Vault,
  from: Point,
  to: Point,
  diskName: string,
  signal?: AbortSignal,
): AsyncGenerator<ChangedRange> {
  const [a, b] = [diskOf(from, diskName), diskOf(to, diskName)];
  await vault.index.refresh(signal);
  const common = Math.min(a.size, b.size);
  let run: { offset: number; length: number } | undefined;
  const rootOf = ({ root, level }: typeof a): MapRoot => ({
    root: root === undefined ? undefined : Buffer.from(root, "hex"),
    level,
  });
  for await (const range of differing(vault.maps, rootOf(a), rootOf(b), signal)) {
    const end = Math.min(range.offset + range.length, common);
    if (end <= range.offset) continue;
    if (run !== undefined && run.offset + run.length === range.offset) run.length = end - run.offset;
    else {
      if (run !== undefined) yield run;
      run = { offset: range.offset, length: end - range.offset };
    }
  }
  if (run !== undefined) yield run;
  if (a.size !== b.size) yield { offset: common, length: Math.max(a.size, b.size) - common };
}

async function* differing(maps: MapReader, a: MapRoot, b: MapRoot, signal?: AbortSignal): AsyncGenerator<ChangedRange> {
  const level = Math.max(a.level, b.level);
  yield* below(maps, level, 0, sideOf(a), sideOf(b), signal);
}

/** A root of a lower level is the first child of the roots above it. */
type Side = { readonly id: Buffer | undefined; readonly level: number };
const sideOf = ({ root, level }: MapRoot): Side => ({ id: root, level });

async function* below(
  maps: MapReader,
  level: number,
  base: number,
  a: Side,
  b: Side,
  signal?: AbortSignal,
): AsyncGenerator<ChangedRange> {
  if (a.level === b.level && (a.id === undefined ? b.id === undefined : b.id !== undefined && a.id.equals(b.id)))
    return;
  if (level === 0) {
    const [old, now] = await Promise.all([maps.leaf(a.id, signal), maps.leaf(b.id, signal)]);
    yield* leafDifference(base * leafSize, old.extents, now.extents);
    return;
  }
  const [old, now] = await Promise.all([children(maps, level, a, signal), children(maps, level, b, signal)]);
  const slots = [...new Set([...old.keys(), ...now.keys()])].sort((x, y) => x - y);
  const hole = { id: undefined, level: level - 1 };
  for (const slot of slots) {
    const first = base + slot * leavesBelow(level - 1);
    yield* below(maps, level - 1, first, old.get(slot) ?? hole, now.get(slot) ?? hole, signal);
  }
}

async function children(maps: MapReader, level: number, side: Side, signal?: AbortSignal): Promise<Map<number, Side>> {
  if (side.id === undefined) return new Map();
  if (side.level < level) return new Map([[0, side]]);
  const node = await maps.node(side.id, level, signal);
  return new Map([...node.children].map(([slot, id]) => [slot, { id, level: level - 1 }]));
}

function* leafDifference(offset: number, old: readonly Extent[], now: readonly Extent[]): Generator<ChangedRange> {
  const left = walk(old);
  const right = walk(now);
  let a = left.next().value;
  let b = right.next().value;
  for (let unit = 0; unit < leafUnits;) {
    while (a !== undefined && a.end <= unit) a = left.next().value;
    while (b !== undefined && b.end <= unit) b = right.next().value;
    const end = Math.min(boundary(a, unit), boundary(b, unit));
    if (!sameAt(a, b, unit)) yield { offset: offset + unit * unitSize, length: (end - unit) * unitSize };
    unit = end;
  }
}

type Run = Extent & { readonly end: number };

function* walk(extents: readonly Extent[]): Generator<Run, undefined> {
  for (const extent of extents) yield { ...extent, end: extent.start + extent.length };
  return undefined;
}

/** Where what is at `unit` ends. */
function boundary(run: Run | undefined, unit: number): number {
  if (run === undefined) return leafUnits;
  return run.start > unit ? run.start : run.end;
}

function sameAt(a: Run | undefined, b: Run | undefined, unit: number): boolean {
  const left = a !== undefined && a.start <= unit ? a : undefined;
  const right = b !== undefined && b.start <= unit ? b : undefined;
  if (left === undefined || right === undefined) return left === right;
  return left.id.equals(right.id) && left.offset - left.start === right.offset - right.start;
}
