// H3 cells: hexagons by number, from Uber's own library.

import {
  cellToBoundary,
  cellToChildren,
  cellToChildrenSize,
  cellToLatLng,
  cellToParent,
  getDirectedEdgeDestination,
  getResolution,
  gridDiskDistances,
  isValidCell,
  latLngToCell,
  originToDirectedEdges,
} from "h3-js";
import { isNumber, type Dynamic } from "../../values/dynamic.ts";
import { integer, text, type RuntimeFunction } from "../value.ts";
import { notSupported } from "../unsupported.ts";
import { pointJson, polygonJson, position } from "./shapes.ts";
import { toVector } from "./sphere.ts";

const mostCells = 1_000_000;

const cellOf = (value: Dynamic | undefined): string | undefined =>
  isValidCell(text(value)) ? text(value).toLowerCase() : undefined;

/** A level from 0 to 15; absent stands for `usual`. */
function levelOf(value: Dynamic | undefined, usual: number): number | undefined {
  const level = value === undefined ? usual : value !== null && isNumber(value) ? integer(value) : -1;
  return level >= 0 && level <= 15 ? level : undefined;
}

/** Directions of the axes K, I, IK, JK, J, IJ among the edges, which come by direction number. */
const neighborOrder = [0, 3, 4, 2, 1, 5];

function neighbors(cell: string): string[] {
  const found = originToDirectedEdges(cell).map(getDirectedEdgeDestination);
  return found.length === 6 ? neighborOrder.map((index) => found[index] ?? "") : found;
}

export const geoH3: Readonly<Record<string, RuntimeFunction>> = {
  geo_h3cell_level: ([value]) => {
    const cell = cellOf(value);
    return cell === undefined ? null : BigInt(getResolution(cell));
  },
  geo_h3cell_parent: ([value, level]) => {
    const cell = cellOf(value);
    if (cell === undefined) return "";
    const wanted = levelOf(level, getResolution(cell) - 1);
    return wanted === undefined || wanted >= getResolution(cell) ? "" : cellToParent(cell, wanted);
  },
  geo_h3cell_children: ([value, level]) => {
    const cell = cellOf(value);
    if (cell === undefined) return null;
    const wanted = levelOf(level, getResolution(cell) + 1);
    if (wanted === undefined || wanted <= getResolution(cell) || wanted > getResolution(cell) + 5) return null;
    return cellToChildrenSize(cell, wanted) > mostCells ? null : cellToChildren(cell, wanted);
  },
  geo_h3cell_to_polygon: ([value]) => {
    const cell = cellOf(value);
    if (cell === undefined) return null;
    return polygonJson(cellToBoundary(cell).map(([latitude, longitude]) => [longitude, latitude]));
  },
  geo_h3cell_to_central_point: ([value]) => {
    const cell = cellOf(value);
    if (cell === undefined) return null;
    const [latitude, longitude] = cellToLatLng(cell);
    return pointJson(toVector(longitude, latitude));
  },
  geo_h3cell_neighbors: ([value]) => {
    const cell = cellOf(value);
    return cell === undefined ? null : neighbors(cell);
  },
  geo_h3cell_rings: ([value, distance]) => {
    const cell = cellOf(value);
    const rings = integer(distance, -1);
    if (cell === undefined || rings < 0) return null;
    if (rings > 100) throw notSupported("geo_h3cell_rings() beyond a distance of 100");
    return gridDiskDistances(cell, rings);
  },
  geo_point_to_h3cell: ([longitude, latitude, level]) => {
    const wanted = levelOf(level, 6);
    if (position(longitude, latitude) === undefined || wanted === undefined) return "";
    return latLngToCell(Number(latitude), Number(longitude), wanted);
  },
};
