// Distances, lengths, areas, centroids, and what lies where.

import { isNumber, type Dynamic } from "../../values/dynamic.ts";
import type { RuntimeFunction } from "../value.ts";
import {
  edges,
  edgesMeet,
  linesOf,
  pointJson,
  polygonEdges,
  polygonHolds,
  polygonsMeet,
  polygonsOf,
  position,
  ringArea,
  type Polygon,
} from "./shapes.ts";
import {
  along,
  angle,
  arcCentroid,
  dot,
  earthRadius,
  nearestOnArc,
  plus,
  times,
  triangleCentroid,
  unit,
  type Vector,
} from "./sphere.ts";
import { notSupported } from "../unsupported.ts";

type Edge = readonly [Vector, Vector];

const origin: Vector = { x: 0, y: 0, z: 0 };

function nearest(p: Vector, candidates: readonly Edge[]): Vector | undefined {
  let best: { readonly point: Vector; readonly distance: number } | undefined;
  for (const [a, b] of candidates) {
    const point = nearestOnArc(p, a, b);
    const distance = angle(p, point);
    if (best === undefined || distance < best.distance) best = { point, distance };
  }
  return best?.point;
}

const length = (found: readonly Edge[]): number => found.reduce((sum, [a, b]) => sum + angle(a, b), 0) * earthRadius;

/** Several polygons count as their union; where they overlap we cannot tell it yet. */
function disjoint(name: string, polygons: readonly Polygon[]): void {
  const overlap = polygons.some((one, index) => polygons.some((other, at) => at > index && polygonsMeet(one, other)));
  if (overlap) throw notSupported(`${name}() of overlapping polygons`);
}

function polygonCentroid(polygon: Polygon): Vector {
  return polygon.reduce((total, ring, index) => {
    const [first] = ring;
    if (first === undefined) return total;
    const sum = edges(ring.slice(1), false).reduce((part, [a, b]) => plus(part, triangleCentroid(first, a, b)), origin);
    const outward = dot(sum, first) >= 0 ? sum : times(sum, -1);
    return plus(total, times(outward, index === 0 ? 1 : -1));
  }, origin);
}

const lineEdges = (lines: readonly (readonly Vector[])[]): Edge[] => lines.flatMap((line) => edges(line, false));

function azimuth(from: Vector, to: Vector): number {
  const east = unit({ x: -from.y, y: from.x, z: 0 });
  const north: Vector = { x: -from.z * east.y, y: from.z * east.x, z: from.x * east.y - from.y * east.x };
  const turn = Math.atan2(dot(to, east), dot(to, north));
  return turn < 0 ? turn + 2 * Math.PI : turn;
}

const withLine =
  (compute: (p: Vector, found: readonly Edge[], lines: readonly (readonly Vector[])[]) => Dynamic): RuntimeFunction =>
  ([longitude, latitude, line]) => {
    const [p, lines] = [position(longitude, latitude), linesOf(line)];
    return p === undefined || lines === undefined ? null : compute(p, lineEdges(lines), lines);
  };

const withPolygons =
  (compute: (p: Vector, polygons: readonly Polygon[]) => Dynamic): RuntimeFunction =>
  ([longitude, latitude, shape]) => {
    const [p, polygons] = [position(longitude, latitude), polygonsOf(shape)];
    return p === undefined || polygons === undefined ? null : compute(p, polygons);
  };

export const geoMeasures: Readonly<Record<string, RuntimeFunction>> = {
  geo_distance_2points: ([lng1, lat1, lng2, lat2]) => {
    const [a, b] = [position(lng1, lat1), position(lng2, lat2)];
    return a === undefined || b === undefined ? null : angle(a, b) * earthRadius;
  },
  geo_azimuth: ([lng1, lat1, lng2, lat2]) => {
    const [a, b] = [position(lng1, lat1), position(lng2, lat2)];
    return a === undefined || b === undefined ? null : azimuth(a, b);
  },
  geo_point_in_circle: ([lng, lat, centerLng, centerLat, radius]) => {
    const [p, center] = [position(lng, lat), position(centerLng, centerLat)];
    if (p === undefined || center === undefined || radius === undefined || !isNumber(radius) || Number(radius) < 0)
      return null;
    return angle(p, center) * earthRadius <= Number(radius);
  },
  geo_point_in_polygon: withPolygons((p, polygons) => polygons.some((polygon) => polygonHolds(polygon, p))),
  geo_distance_point_to_line: withLine((p, found) => {
    const point = nearest(p, found);
    return point === undefined ? null : angle(p, point) * earthRadius;
  }),
  geo_distance_point_to_polygon: withPolygons((p, polygons) => {
    if (polygons.some((polygon) => polygonHolds(polygon, p))) return 0;
    const point = nearest(p, polygons.flatMap(polygonEdges));
    return point === undefined ? null : angle(p, point) * earthRadius;
  }),
  geo_closest_point_on_line: withLine((p, found) => {
    const point = nearest(p, found);
    return point === undefined ? null : pointJson(point);
  }),
  geo_closest_point_on_polygon: withPolygons((p, polygons) => {
    if (polygons.some((polygon) => polygonHolds(polygon, p))) return pointJson(p);
    const point = nearest(p, polygons.flatMap(polygonEdges));
    return point === undefined ? null : pointJson(point);
  }),
  geo_line_length: ([line]) => {
    const lines = linesOf(line);
    return lines === undefined ? null : length(lineEdges(lines));
  },
  geo_line_centroid: ([line]) => {
    const lines = linesOf(line);
    if (lines === undefined) return null;
    return pointJson(unit(lineEdges(lines).reduce((sum, [a, b]) => plus(sum, arcCentroid(a, b)), origin)));
  },
  geo_line_interpolate_point: ([line, fraction]) => {
    const lines = linesOf(line);
    const share = Number(fraction ?? Number.NaN);
    if (lines?.length !== 1 || !(share >= 0 && share <= 1)) return null;
    const found = lineEdges(lines);
    let left = (length(found) / earthRadius) * share;
    for (const [a, b] of found) {
      const arc = angle(a, b);
      if (left <= arc && arc > 0) return pointJson(along(a, b, left / arc));
      left -= arc;
    }
    const last = found.at(-1);
    return last === undefined ? null : pointJson(last[1]);
  },
  geo_line_locate_point: ([line, longitude, latitude]) => {
    const [p, lines] = [position(longitude, latitude), linesOf(line)];
    if (p === undefined || lines?.length !== 1) return null;
    const found = lineEdges(lines);
    const point = nearest(p, found);
    if (point === undefined) return null;
    let passed = 0;
    for (const [a, b] of found) {
      if (angle(nearestOnArc(point, a, b), point) < 1e-14)
        return ((passed + angle(a, point)) * earthRadius) / length(found);
      passed += angle(a, b);
    }
    return null;
  },
  geo_polygon_area: ([shape]) => {
    const polygons = polygonsOf(shape);
    if (polygons === undefined) return null;
    disjoint("geo_polygon_area", polygons);
    const areas = polygons.map(([outer = [], ...holes]) =>
      holes.reduce((area, hole) => area - Math.abs(ringArea(hole)), Math.abs(ringArea(outer))),
    );
    return areas.reduce((sum, area) => sum + area, 0) * earthRadius ** 2;
  },
  geo_polygon_perimeter: ([shape]) => {
    const polygons = polygonsOf(shape);
    if (polygons === undefined) return null;
    disjoint("geo_polygon_perimeter", polygons);
    return length(polygons.flatMap(polygonEdges));
  },
  geo_polygon_centroid: ([shape]) => {
    const polygons = polygonsOf(shape);
    if (polygons === undefined) return null;
    disjoint("geo_polygon_centroid", polygons);
    return pointJson(unit(polygons.reduce((sum, polygon) => plus(sum, polygonCentroid(polygon)), origin)));
  },
  geo_intersects_2lines: ([left, right]) => {
    const [a, b] = [linesOf(left), linesOf(right)];
    return a === undefined || b === undefined ? null : edgesMeet(lineEdges(a), lineEdges(b));
  },
  geo_intersects_2polygons: ([left, right]) => {
    const [a, b] = [polygonsOf(left), polygonsOf(right)];
    return a === undefined || b === undefined ? null : a.some((one) => b.some((other) => polygonsMeet(one, other)));
  },
  geo_intersects_line_with_polygon: ([line, shape]) => {
    const [lines, polygons] = [linesOf(line), polygonsOf(shape)];
    if (lines === undefined || polygons === undefined) return null;
    return polygons.some((polygon) => {
      const start = lines.flatMap((points) => points.slice(0, 1));
      return edgesMeet(lineEdges(lines), polygonEdges(polygon)) || start.some((p) => polygonHolds(polygon, p));
    });
  },
};
