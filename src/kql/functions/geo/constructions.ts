// Functions that make new shapes. Invalid arguments give null as in the service; for valid ones the
// service's exact vertices cannot be told yet, so these refuse.

import type { Dynamic } from "../../values/dynamic.ts";
import { isNumber } from "../../values/dynamic.ts";
import { list, type RuntimeFunction } from "../value.ts";
import { notSupported } from "../unsupported.ts";
import { edgesMeet, edges, linesOf, polygonEdges, polygonHolds, polygonsMeet, polygonsOf } from "./shapes.ts";

const emptyCollection = new Map<string, Dynamic>([
  ["type", "GeometryCollection"],
  ["geometries", []],
]);

/** A distance within the limits, or absent. */
const inLimits = (value: Dynamic | undefined, low: number, high: number): boolean =>
  value === undefined || (value !== null && isNumber(value) && Number(value) >= low && Number(value) <= high);

function onLines(name: string, low: number, high: number): RuntimeFunction {
  return ([line, amount]) => {
    if (linesOf(line) === undefined || !inLimits(amount, low, high)) return null;
    throw notSupported(`${name}() of a valid line`);
  };
}

function onPolygons(name: string, low: number, high: number): RuntimeFunction {
  return ([shape, amount]) => {
    if (polygonsOf(shape) === undefined || !inLimits(amount, low, high)) return null;
    throw notSupported(`${name}() of a valid polygon`);
  };
}

function onArrays(name: string, valid: (item: Dynamic) => boolean): RuntimeFunction {
  return ([shapes, amount]) => {
    const found = list(shapes);
    if (found === undefined || found.length === 0 || !found.every(valid) || !inLimits(amount, 0, 111_000)) return null;
    throw notSupported(`${name}() of valid shapes`);
  };
}

const lineEdges = (lines: NonNullable<ReturnType<typeof linesOf>>) => lines.flatMap((line) => edges(line, false));

export const geoConstructions: Readonly<Record<string, RuntimeFunction>> = {
  geo_line_simplify: onLines("geo_line_simplify", 0, 10_000),
  // Longitudes beyond 180 wrap around here, so even what linesOf refuses may have an answer.
  geo_line_densify: ([, amount]) => {
    if (!inLimits(amount, 0.000_001, 1e7)) return null;
    throw notSupported("geo_line_densify() of a line");
  },
  geo_line_buffer: onLines("geo_line_buffer", 0.000_001, 1e7),
  geo_polygon_simplify: onPolygons("geo_polygon_simplify", 0, 100_000),
  geo_polygon_densify: onPolygons("geo_polygon_densify", 0.000_001, 1e7),
  geo_polygon_buffer: onPolygons("geo_polygon_buffer", 0.000_001, 1e7),
  geo_line_to_s2cells: onLines("geo_line_to_s2cells", 0, 30),
  geo_union_lines_array: onArrays("geo_union_lines_array", (item) => linesOf(item) !== undefined),
  geo_union_polygons_array: onArrays("geo_union_polygons_array", (item) => polygonsOf(item) !== undefined),
  geo_simplify_polygons_array: onArrays("geo_simplify_polygons_array", (item) => polygonsOf(item) !== undefined),
  geo_intersection_2lines: ([left, right]) => {
    const [a, b] = [linesOf(left), linesOf(right)];
    if (a === undefined || b === undefined) return null;
    if (!edgesMeet(lineEdges(a), lineEdges(b))) return emptyCollection;
    throw notSupported("geo_intersection_2lines() of lines that meet");
  },
  geo_intersection_2polygons: ([left, right]) => {
    const [a, b] = [polygonsOf(left), polygonsOf(right)];
    if (a === undefined || b === undefined) return null;
    if (!a.some((one) => b.some((other) => polygonsMeet(one, other)))) return emptyCollection;
    throw notSupported("geo_intersection_2polygons() of polygons that meet");
  },
  geo_intersection_line_with_polygon: ([line, shape]) => {
    const [lines, polygons] = [linesOf(line), polygonsOf(shape)];
    if (lines === undefined || polygons === undefined) return null;
    const meets = polygons.some(
      (polygon) =>
        edgesMeet(lineEdges(lines), polygonEdges(polygon)) ||
        lines.some(([first]) => first !== undefined && polygonHolds(polygon, first)),
    );
    if (!meets) return emptyCollection;
    throw notSupported("geo_intersection_line_with_polygon() of shapes that meet");
  },
};
