// Geohash and S2 cells.

import { isNumber, type Dynamic } from "../../values/dynamic.ts";
import { integer, text, type RuntimeFunction } from "../value.ts";
import { pointJson, polygonJson, position } from "./shapes.ts";
import { toDegrees, unit, type Vector } from "./sphere.ts";

const alphabet = "0123456789bcdefghjkmnpqrstuvwxyz";

interface Box {
  readonly west: number;
  readonly east: number;
  readonly south: number;
  readonly north: number;
}

function geohash(longitude: number, latitude: number, length: number): string {
  let [west, east, south, north] = [-180, 180, -90, 90];
  let [code, bits] = ["", 0];
  for (let bit = 0; code.length < length; bit += 1) {
    if (bit % 2 === 0) {
      const middle = (west + east) / 2;
      bits = bits * 2 + (longitude >= middle ? 1 : 0);
      if (longitude >= middle) west = middle;
      else east = middle;
    } else {
      const middle = (south + north) / 2;
      bits = bits * 2 + (latitude >= middle ? 1 : 0);
      if (latitude >= middle) south = middle;
      else north = middle;
    }
    if (bit % 5 === 4) {
      code += alphabet.charAt(bits);
      bits = 0;
    }
  }
  return code;
}

function boxOf(code: string): Box | undefined {
  if (code === "" || code.length > 18 || [...code].some((letter) => !alphabet.includes(letter))) return undefined;
  let [west, east, south, north] = [-180, 180, -90, 90];
  let even = true;
  for (const letter of code) {
    for (let mask = 16; mask > 0; mask >>= 1) {
      const high = (alphabet.indexOf(letter) & mask) !== 0;
      if (even) {
        const middle = (west + east) / 2;
        if (high) west = middle;
        else east = middle;
      } else {
        const middle = (south + north) / 2;
        if (high) south = middle;
        else north = middle;
      }
      even = !even;
    }
  }
  return { west, east, south, north };
}

function geohashNeighbors(code: string): string[] | null {
  const box = boxOf(code);
  if (box === undefined) return null;
  const [width, height] = [box.east - box.west, box.north - box.south];
  const around = [
    [0, 1],
    [1, 1],
    [1, 0],
    [1, -1],
    [0, -1],
    [-1, -1],
    [-1, 0],
    [-1, 1],
  ] as const;
  return around.flatMap(([dx, dy]) => {
    const latitude = (box.south + box.north) / 2 + dy * height;
    const longitude = (box.west + box.east) / 2 + dx * width;
    if (Math.abs(latitude) > 90) return [];
    return [geohash(((longitude + 540) % 360) - 180, latitude, code.length)];
  });
}

const maxLevel = 30;
const maxSize = 2 ** maxLevel;
const ijOfPosition = [
  [0, 1, 3, 2],
  [0, 2, 3, 1],
  [3, 2, 0, 1],
  [3, 1, 0, 2],
] as const;
const positionOfIj = [
  [0, 1, 3, 2],
  [0, 3, 1, 2],
  [2, 3, 1, 0],
  [2, 1, 3, 0],
] as const;
const orientationOf = [1, 0, 0, 3] as const;

const uvOf = (s: number): number => (s >= 0.5 ? (4 * s * s - 1) / 3 : (1 - 4 * (1 - s) * (1 - s)) / 3);
const stOf = (u: number): number => (u >= 0 ? 0.5 * Math.sqrt(1 + 3 * u) : 1 - 0.5 * Math.sqrt(1 - 3 * u));

function faceUv(p: Vector): readonly [face: number, u: number, v: number] {
  const [ax, ay, az] = [Math.abs(p.x), Math.abs(p.y), Math.abs(p.z)];
  if (ax >= ay && ax >= az) return p.x >= 0 ? [0, p.y / p.x, p.z / p.x] : [3, p.z / p.x, p.y / p.x];
  if (ay >= az) return p.y >= 0 ? [1, -p.x / p.y, p.z / p.y] : [4, p.z / p.y, -p.x / p.y];
  return p.z >= 0 ? [2, -p.x / p.z, -p.y / p.z] : [5, -p.y / p.z, -p.x / p.z];
}

function xyzOf(face: number, u: number, v: number): Vector {
  switch (face) {
    case 0:
      return { x: 1, y: u, z: v };
    case 1:
      return { x: -u, y: 1, z: v };
    case 2:
      return { x: -u, y: -v, z: 1 };
    case 3:
      return { x: -1, y: -v, z: -u };
    case 4:
      return { x: v, y: -1, z: -u };
    default:
      return { x: v, y: u, z: -1 };
  }
}

const clampIj = (value: number): number => Math.min(Math.max(Math.floor(value), 0), maxSize - 1);

function idOf(face: number, i: number, j: number): bigint {
  let id = BigInt(face);
  let orientation = face & 1;
  for (let bit = maxLevel - 1; bit >= 0; bit -= 1) {
    const ij = (Math.floor(i / 2 ** bit) % 2) * 2 + (Math.floor(j / 2 ** bit) % 2);
    const place = positionOfIj[orientation]?.[ij] ?? 0;
    id = (id << 2n) | BigInt(place);
    orientation ^= orientationOf[place] ?? 0;
  }
  return (id << 1n) | 1n;
}

const lowestBit = (level: number): bigint => 1n << BigInt(2 * (maxLevel - level));
const parent = (id: bigint, level: number): bigint => (id & -lowestBit(level)) | lowestBit(level);
const token = (id: bigint): string => id.toString(16).padStart(16, "0").replace(/0+$/, "");

interface Cell {
  readonly face: number;
  readonly level: number;
  /** The corner with the lowest i and j, and the size, in leaf cells. */
  readonly i: number;
  readonly j: number;
  readonly size: number;
}

function cellOf(code: string): Cell | undefined {
  if (!/^[0-9a-f]{1,16}$/i.test(code)) return undefined;
  const id = BigInt(`0x${code.padEnd(16, "0")}`);
  const face = Number(id >> 61n);
  const lowest = id & -id;
  const zeros = lowest.toString(2).length - 1;
  if (face > 5 || id === 0n || zeros % 2 !== 0 || zeros > 60) return undefined;
  const level = maxLevel - zeros / 2;
  let [i, j, orientation] = [0, 0, face & 1];
  for (let step = 0; step < level; step += 1) {
    const place = Number((id >> BigInt(61 - 2 * (step + 1))) & 3n);
    const ij = ijOfPosition[orientation]?.[place] ?? 0;
    i = i * 2 + (ij >> 1);
    j = j * 2 + (ij & 1);
    orientation ^= orientationOf[place] ?? 0;
  }
  const size = 2 ** (maxLevel - level);
  return { face, level, i: i * size, j: j * size, size };
}

/** The cell at i, j of a face, or of the face that lies there beyond its border. */
function idAround(face: number, i: number, j: number): bigint {
  if (i >= 0 && i < maxSize && j >= 0 && j < maxSize) return idOf(face, i, j);
  const limit = 1 + Number.EPSILON;
  const uv = (value: number): number => Math.max(-limit, Math.min(limit, (2 * (value - maxSize / 2) + 1) / maxSize));
  const [other, u, v] = faceUv(xyzOf(face, uv(i), uv(j)));
  return idOf(other, clampIj(maxSize * 0.5 * (u + 1)), clampIj(maxSize * 0.5 * (v + 1)));
}

function s2Neighbors(code: string): string[] | null {
  const cell = cellOf(code);
  if (cell === undefined) return null;
  const { face, i, j, size, level } = cell;
  const at = [
    [1, 1],
    [1, 0],
    [-1, 0],
    [0, -1],
    [-1, 1],
    [1, -1],
    [0, 1],
    [-1, -1],
  ] as const;
  const found = at.map(([di, dj]) => token(parent(idAround(face, i + di * size, j + dj * size), level)));
  return [...new Set(found)];
}

function corner(cell: Cell, i: number, j: number): readonly [number, number] {
  const [u, v] = [uvOf(i / maxSize), uvOf(j / maxSize)];
  return toDegrees(unit(xyzOf(cell.face, u, v)));
}

export const geoCells: Readonly<Record<string, RuntimeFunction>> = {
  geo_point_to_geohash: ([longitude, latitude, accuracy]) => {
    const length = accuracy === undefined ? 5 : integer(accuracy);
    if (position(longitude, latitude) === undefined || length < 1 || length > 18) return "";
    return geohash(Number(longitude), Number(latitude), length);
  },
  geo_geohash_to_central_point: ([code]) => {
    const box = boxOf(text(code));
    if (box === undefined) return null;
    return new Map<string, Dynamic>([
      ["type", "Point"],
      ["coordinates", [(box.west + box.east) / 2, (box.south + box.north) / 2]],
    ]);
  },
  geo_geohash_to_polygon: ([code]) => {
    const box = boxOf(text(code));
    if (box === undefined) return null;
    const { west, east, south, north } = box;
    return polygonJson([
      [west, south],
      [east, south],
      [east, north],
      [west, north],
    ]);
  },
  geo_geohash_neighbors: ([code]) => geohashNeighbors(text(code)),
  geo_point_to_s2cell: ([longitude, latitude, accuracy]) => {
    const level = accuracy === undefined ? 11 : accuracy !== null && isNumber(accuracy) ? integer(accuracy) : -1;
    const p = position(longitude, latitude);
    if (p === undefined || level < 0 || level > maxLevel) return "";
    const [face, u, v] = faceUv(p);
    return token(parent(idOf(face, clampIj(stOf(u) * maxSize), clampIj(stOf(v) * maxSize)), level));
  },
  geo_s2cell_to_central_point: ([code]) => {
    const cell = cellOf(text(code));
    if (cell === undefined) return null;
    const [i, j] = [cell.i + cell.size / 2, cell.j + cell.size / 2];
    return pointJson(unit(xyzOf(cell.face, uvOf(i / maxSize), uvOf(j / maxSize))));
  },
  geo_s2cell_to_polygon: ([code]) => {
    const cell = cellOf(text(code));
    if (cell === undefined) return null;
    const { i, j, size } = cell;
    return polygonJson([
      corner(cell, i, j),
      corner(cell, i + size, j),
      corner(cell, i + size, j + size),
      corner(cell, i, j + size),
    ]);
  },
  geo_s2cell_neighbors: ([code]) => s2Neighbors(text(code)),
};
