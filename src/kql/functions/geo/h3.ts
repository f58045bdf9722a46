// H3 cell numbers: what can be told from their bits. Cells of points and their outlines refuse.

import { isNumber, type Dynamic } from "../../values/dynamic.ts";
import { integer, text, type RuntimeFunction } from "../value.ts";
import { notSupported } from "../unsupported.ts";
import { position } from "./shapes.ts";

interface H3 {
  readonly id: bigint;
  readonly level: number;
}

const digitShift = (level: number): bigint => BigInt((15 - level) * 3);

function cellOf(value: Dynamic | undefined): H3 | undefined {
  const code = text(value);
  if (!/^[0-9a-f]{15,16}$/i.test(code)) return undefined;
  const id = BigInt(`0x${code}`);
  const [mode, level, base] = [(id >> 59n) & 15n, Number((id >> 52n) & 15n), (id >> 45n) & 127n];
  if (id >> 63n !== 0n || mode !== 1n || base > 121n) return undefined;
  for (let digit = 1; digit <= 15; digit += 1) {
    const found = (id >> digitShift(digit)) & 7n;
    if (digit <= level ? found === 7n : found !== 7n) return undefined;
  }
  return { id, level };
}

const show = (id: bigint): string => id.toString(16);

const withLevel = (id: bigint, level: number): bigint => (id & ~(15n << 52n)) | (BigInt(level) << 52n);

function parentOf(cell: H3, level: number): bigint {
  let id = withLevel(cell.id, level);
  for (let digit = level + 1; digit <= cell.level; digit += 1) id |= 7n << digitShift(digit);
  return id;
}

const pentagons = new Set([4n, 14n, 24n, 38n, 49n, 58n, 63n, 72n, 83n, 97n, 107n, 117n]);

/** A pentagon lacks the children of direction 1. */
function isPentagon(id: bigint, level: number): boolean {
  if (!pentagons.has((id >> 45n) & 127n)) return false;
  for (let digit = 1; digit <= level; digit += 1) if (((id >> digitShift(digit)) & 7n) !== 0n) return false;
  return true;
}

function childrenOf(id: bigint, level: number, wanted: number): bigint[] {
  if (level === wanted) return [id];
  const next = level + 1;
  const clear = withLevel(id, next) & ~(7n << digitShift(next));
  const digits = isPentagon(id, level) ? [0n, 2n, 3n, 4n, 5n, 6n] : [0n, 1n, 2n, 3n, 4n, 5n, 6n];
  return digits.flatMap((digit) => childrenOf(clear | (digit << digitShift(next)), next, wanted));
}

const refusing =
  (name: string): RuntimeFunction =>
  ([value]) => {
    if (cellOf(value) === undefined) return null;
    throw notSupported(`${name}() of a valid cell`);
  };

export const geoH3: Readonly<Record<string, RuntimeFunction>> = {
  geo_h3cell_level: ([value]) => {
    const cell = cellOf(value);
    return cell === undefined ? null : BigInt(cell.level);
  },
  geo_h3cell_parent: ([value, level]) => {
    const cell = cellOf(value);
    if (cell === undefined) return "";
    const wanted = level === undefined ? cell.level - 1 : integer(level, -1);
    return wanted < 0 || wanted >= cell.level ? "" : show(parentOf(cell, wanted));
  },
  geo_h3cell_children: ([value, level]) => {
    const cell = cellOf(value);
    if (cell === undefined) return null;
    const wanted = level === undefined ? cell.level + 1 : integer(level, -1);
    if (wanted <= cell.level || wanted > 15 || wanted - cell.level > 6) return null;
    return childrenOf(cell.id, cell.level, wanted).map(show);
  },
  geo_h3cell_to_polygon: refusing("geo_h3cell_to_polygon"),
  geo_h3cell_to_central_point: refusing("geo_h3cell_to_central_point"),
  geo_h3cell_neighbors: refusing("geo_h3cell_neighbors"),
  geo_h3cell_rings: refusing("geo_h3cell_rings"),
  geo_point_to_h3cell: ([longitude, latitude, level]) => {
    const wanted = level === undefined ? 6 : level !== null && isNumber(level) ? integer(level) : -1;
    if (position(longitude, latitude) === undefined || wanted < 0 || wanted > 15) return "";
    throw notSupported("geo_point_to_h3cell() of a valid point");
  },
};
