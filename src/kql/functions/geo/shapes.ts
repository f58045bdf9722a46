// GeoJSON in, checked vectors out; what is not valid is undefined.

import { bag, list } from "../value.ts";
import { isNumber, type Dynamic } from "../../values/dynamic.ts";
import { angle, arcsCross, cross, dot, signedArea, toDegrees, toVector, type Vector } from "./sphere.ts";

export type Ring = readonly Vector[];
/** The outer ring first, then holes; rings are closed without repeating their first point. */
export type Polygon = readonly Ring[];

export function position(longitude: Dynamic | undefined, latitude: Dynamic | undefined): Vector | undefined {
  if (longitude === undefined || latitude === undefined || !isNumber(longitude) || !isNumber(latitude))
    return undefined;
  const [lng, lat] = [Number(longitude), Number(latitude)];
  return Math.abs(lng) <= 180 && Math.abs(lat) <= 90 ? toVector(lng, lat) : undefined;
}

function positions(value: Dynamic | undefined): Vector[] | undefined {
  const found = list(value)?.map((pair) => position(list(pair)?.[0], list(pair)?.[1]));
  return found === undefined || found.includes(undefined) ? undefined : found.filter((point) => point !== undefined);
}

const same = (a: Vector | undefined, b: Vector | undefined): boolean =>
  a !== undefined && b !== undefined && angle(a, b) < 1e-15;

function lineOf(value: Dynamic | undefined): Vector[] | undefined {
  const points = positions(value);
  if (points === undefined || points.length < 2) return undefined;
  return points.every((point) => same(point, points[0])) ? undefined : points;
}

/** The lines of a LineString or MultiLineString. */
export function linesOf(value: Dynamic | undefined): Vector[][] | undefined {
  const type = bag(value)?.get("type");
  const coordinates = bag(value)?.get("coordinates");
  const found =
    type === "LineString"
      ? [lineOf(coordinates)]
      : type === "MultiLineString"
        ? list(coordinates)?.map(lineOf)
        : undefined;
  if (found === undefined || found.length === 0 || found.includes(undefined)) return undefined;
  return found.filter((line) => line !== undefined);
}

function ringOf(value: Dynamic): Ring | undefined {
  const points = positions(value);
  if (points === undefined || points.length < 4 || !same(points[0], points.at(-1))) return undefined;
  const ring = points.slice(0, -1);
  const repeated = ring.some((point, index) => ring.some((other, at) => at > index && same(point, other)));
  return repeated ? undefined : ring;
}

function polygonOf(value: Dynamic | undefined): Polygon | undefined {
  const rings = list(value)?.map(ringOf);
  if (rings === undefined || rings.length === 0 || rings.includes(undefined)) return undefined;
  return rings.filter((ring) => ring !== undefined);
}

/** The polygons of a Polygon or MultiPolygon. */
export function polygonsOf(value: Dynamic | undefined): Polygon[] | undefined {
  const type = bag(value)?.get("type");
  const coordinates = bag(value)?.get("coordinates");
  const found =
    type === "Polygon"
      ? [polygonOf(coordinates)]
      : type === "MultiPolygon"
        ? list(coordinates)?.map(polygonOf)
        : undefined;
  if (found === undefined || found.length === 0 || found.includes(undefined)) return undefined;
  return found.filter((polygon) => polygon !== undefined);
}

export const edges = (points: readonly Vector[], closed: boolean): (readonly [Vector, Vector])[] =>
  points.flatMap((point, index) => {
    const next = points[index + 1] ?? (closed ? points[0] : undefined);
    return next === undefined ? [] : [[point, next] as const];
  });

export const polygonEdges = (polygon: Polygon): (readonly [Vector, Vector])[] =>
  polygon.flatMap((ring) => edges(ring, true));

export function ringArea(ring: Ring): number {
  const [first] = ring;
  if (first === undefined) return 0;
  return edges(ring.slice(1), false).reduce((sum, [a, b]) => sum + signedArea(first, a, b), 0);
}

/** Turns around the point: a whole turn means inside. */
function ringHolds(ring: Ring, p: Vector): boolean {
  const turned = edges(ring, true).reduce((sum, [a, b]) => {
    const [u, v] = [cross(p, a), cross(p, b)];
    return sum + Math.atan2(dot(cross(u, v), p), dot(u, v));
  }, 0);
  return Math.abs(turned) > Math.PI;
}

export function polygonHolds(polygon: Polygon, p: Vector): boolean {
  const [outer, ...holes] = polygon;
  return outer !== undefined && ringHolds(outer, p) && !holes.some((hole) => ringHolds(hole, p));
}

export function edgesMeet(
  left: readonly (readonly [Vector, Vector])[],
  right: readonly (readonly [Vector, Vector])[],
): boolean {
  return left.some(([a, b]) => right.some(([c, d]) => arcsCross(a, b, c, d)));
}

export function polygonsMeet(left: Polygon, right: Polygon): boolean {
  const [a, b] = [left[0]?.[0], right[0]?.[0]];
  return (
    edgesMeet(polygonEdges(left), polygonEdges(right)) ||
    (a !== undefined && polygonHolds(right, a)) ||
    (b !== undefined && polygonHolds(left, b))
  );
}

export function pointJson(v: Vector): Map<string, Dynamic> {
  return new Map<string, Dynamic>([
    ["type", "Point"],
    ["coordinates", [...toDegrees(v)]],
  ]);
}

export function polygonJson(corners: readonly (readonly [number, number])[]): Map<string, Dynamic> {
  const ring = [...corners, corners[0] ?? [0, 0]].map((corner): Dynamic[] => [...corner]);
  return new Map<string, Dynamic>([
    ["type", "Polygon"],
    ["coordinates", [ring]],
  ]);
}
