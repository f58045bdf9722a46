// The one place that knows what time it is. Everything that schedules, expires or stamps takes a
// Clock, so a test (or `up --test-clock`) can own time. Durations of our own work are measured
// with `monotonicMilliseconds`, which no clock change can bend.

import { readFileSync } from "node:fs";

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** A clock that stands still until it is told to move. */
export interface ManualClock extends Clock {
  set(milliseconds: number): void;
  advance(milliseconds: number): void;
}

export function manualClock(start: number): ManualClock {
  let current = start;
  return {
    now: () => current,
    set: (milliseconds) => {
      current = milliseconds;
    },
    advance: (milliseconds) => {
      current += milliseconds;
    },
  };
}

/** Real time plus the number of seconds that stands in `path`, re-read at least each 250 ms. */
export function offsetFileClock(path: string): Clock {
  let offset = readOffset(path);
  if (offset === undefined) throw new Error(`--test-clock ${path}: the file must hold the offset in seconds`);
  let readAt = performance.now();
  return {
    now: () => {
      if (performance.now() - readAt > 250) {
        // A half-written file keeps the previous offset.
        offset = readOffset(path) ?? offset;
        readAt = performance.now();
      }
      return Date.now() + (offset ?? 0) * 1000;
    },
  };
}

function readOffset(path: string): number | undefined {
  try {
    const text = readFileSync(path, "utf8").trim();
    const seconds = Number(text);
    return text !== "" && Number.isFinite(seconds) ? seconds : undefined;
  } catch {
    return undefined;
  }
}

export function monotonicMilliseconds(): number {
  return performance.now();
}

/** `2026-11-21T03:04:05.678Z` */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** The JSON clients' usual form of a time that is not set yet. */
export const unsetTime = "0001-01-01T00:00:00Z";
