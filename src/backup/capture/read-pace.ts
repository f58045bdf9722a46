// How fast a backup may read while its machine runs: slowly at first where the guest writes, then as fast
// as it can until the guest's own writes take longer for it. What they take without us is seen in short
// rests.

import type { GuestWrites } from "../../hosts/host.ts";

export interface ReadPace {
  /** Of the time that reading may take; 1 is at full speed. */
  readonly share: number;
  /** Nanoseconds of a write while the backup reads, and while it rests, as far as they are known. */
  readonly reading: number | undefined;
  readonly resting: number | undefined;
}

/** What the guest wrote while the backup read, and while it rested. */
export interface PaceObservation {
  readonly reading: GuestWrites;
  readonly resting: GuestWrites;
}

export const fullPace: ReadPace = { share: 1, reading: undefined, resting: undefined };
/** Where a guest that writes is met: full speed is a few looks away, and harm is seen before it is great. */
export const carefulPace: ReadPace = { ...fullPace, share: 0.3 };

/** Fewer writes say nothing about how long writes take. */
export const fewestWrites = 10;
/** Writes that take so many times as long are a guest that is hurt. */
const bearable = 1.3;
/** A backup that stands still would fill the host with what the guest overwrites. */
const leastShare = 0.2;
const slowerBy = 0.7;
const fasterBy = 1.3;
/** How much an observation counts against those before it: some writes take long for reasons of their own. */
const weights = { reading: 0.5, resting: 0.25 };

export function nextPace(pace: ReadPace, observed: PaceObservation): ReadPace {
  const reading = smoothed(pace.reading, observed.reading, weights.reading);
  const resting = smoothed(pace.resting, observed.resting, weights.resting);
  const isHurt =
    observed.reading.operations >= fewestWrites &&
    reading !== undefined &&
    resting !== undefined &&
    reading > bearable * resting;
  const share = isHurt ? Math.max(leastShare, pace.share * slowerBy) : Math.min(1, pace.share * fasterBy);
  return { share, reading, resting };
}

function smoothed(
  before: number | undefined,
  { operations, nanoseconds }: GuestWrites,
  weight: number,
): number | undefined {
  if (operations < fewestWrites) return before;
  const mean = nanoseconds / operations;
  return before === undefined ? mean : before * (1 - weight) + mean * weight;
}
