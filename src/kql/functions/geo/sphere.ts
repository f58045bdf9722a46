// Geometry on the unit sphere; edges are the shortest arcs, as in the service.

export interface Vector {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** The radius that the service's distances have, in metres. */
export const earthRadius = 6_371_010;

const radians = Math.PI / 180;

export function toVector(longitude: number, latitude: number): Vector {
  const [lng, lat] = [longitude * radians, latitude * radians];
  return { x: Math.cos(lat) * Math.cos(lng), y: Math.cos(lat) * Math.sin(lng), z: Math.sin(lat) };
}

export function toDegrees(v: Vector): readonly [longitude: number, latitude: number] {
  return [Math.atan2(v.y, v.x) / radians, Math.atan2(v.z, Math.hypot(v.x, v.y)) / radians];
}

export const dot = (a: Vector, b: Vector): number => a.x * b.x + a.y * b.y + a.z * b.z;

export const cross = (a: Vector, b: Vector): Vector => ({
  x: a.y * b.z - a.z * b.y,
  y: a.z * b.x - a.x * b.z,
  z: a.x * b.y - a.y * b.x,
});

export const plus = (a: Vector, b: Vector): Vector => ({ x: a.x + b.x, y: a.y + b.y, z: a.z + b.z });
export const times = (a: Vector, factor: number): Vector => ({ x: a.x * factor, y: a.y * factor, z: a.z * factor });
export const size = (a: Vector): number => Math.hypot(a.x, a.y, a.z);

export function unit(a: Vector): Vector {
  const length = size(a);
  return length === 0 ? a : times(a, 1 / length);
}

export const angle = (a: Vector, b: Vector): number => Math.atan2(size(cross(a, b)), dot(a, b));

/** The point of the arc a-b that is nearest to p. */
export function nearestOnArc(p: Vector, a: Vector, b: Vector): Vector {
  const normal = unit(cross(a, b));
  const foot = unit(plus(p, times(normal, -dot(p, normal))));
  const within = dot(cross(normal, a), foot) >= 0 && dot(cross(b, normal), foot) >= 0 && size(normal) > 0;
  if (within) return foot;
  return angle(p, a) <= angle(p, b) ? a : b;
}

/** The point at a fraction of the arc. */
export function along(a: Vector, b: Vector, fraction: number): Vector {
  const whole = angle(a, b);
  if (whole === 0) return a;
  const [near, far] = [Math.sin((1 - fraction) * whole), Math.sin(fraction * whole)];
  return unit(plus(times(a, near), times(b, far)));
}

/** A few micrometres: what rounding leaves of short arcs. */
const tolerance = 1e-12;

export function arcsCross(a: Vector, b: Vector, c: Vector, d: Vector): boolean {
  const [n, m] = [cross(a, b), cross(c, d)];
  const side = (normal: Vector, p: Vector): number => (Math.abs(dot(normal, p)) < 4e-16 ? 0 : dot(normal, p));
  const [sideC, sideD, sideA, sideB] = [side(n, c), side(n, d), side(m, a), side(m, b)];
  if (sideC * sideD > 0 || sideA * sideB > 0) return false;
  if (sideC === 0 && sideD === 0) {
    // On one great circle: they meet where one holds an end of the other.
    return (
      [c, d].some((p) => angle(nearestOnArc(p, a, b), p) < tolerance) || angle(nearestOnArc(a, c, d), a) < tolerance
    );
  }
  const meeting = unit(cross(n, m));
  return [meeting, times(meeting, -1)].some(
    (p) => angle(nearestOnArc(p, a, b), p) < tolerance && angle(nearestOnArc(p, c, d), p) < tolerance,
  );
}

/** The signed area of a triangle on the unit sphere. */
export function signedArea(a: Vector, b: Vector, c: Vector): number {
  const volume = dot(a, cross(b, c));
  return 2 * Math.atan2(volume, 1 + dot(a, b) + dot(b, c) + dot(c, a));
}

/** The integral of position over a triangle. */
export function triangleCentroid(a: Vector, b: Vector, c: Vector): Vector {
  const weight = (arc: number): number => (arc === 0 ? 1 : arc / Math.sin(arc));
  const [ra, rb, rc] = [weight(angle(b, c)), weight(angle(c, a)), weight(angle(a, b))];
  const x: Vector = { x: a.x, y: b.x - a.x, z: c.x - a.x };
  const y: Vector = { x: a.y, y: b.y - a.y, z: c.y - a.y };
  const z: Vector = { x: a.z, y: b.z - a.z, z: c.z - a.z };
  const r: Vector = { x: ra, y: rb - ra, z: rc - ra };
  return times({ x: dot(cross(y, z), r), y: dot(cross(z, x), r), z: dot(cross(x, y), r) }, 0.5);
}

/** The integral of position over an arc. */
export function arcCentroid(a: Vector, b: Vector): Vector {
  const sum = plus(a, b);
  const difference = plus(a, times(b, -1));
  const norm = dot(sum, sum);
  return norm === 0 ? sum : times(sum, Math.sqrt(dot(difference, difference) / norm));
}
