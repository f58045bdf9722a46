// Chance has one door, so a property test can replay it.

import { randomBytes as cryptoRandomBytes, randomInt as cryptoRandomInt, randomUUID } from "node:crypto";

export function newGuid(): string {
  return randomUUID();
}

export function randomBytes(length: number): Buffer {
  return cryptoRandomBytes(length);
}

/** A whole number in [0, limit). */
export function randomBelow(limit: number): number {
  return cryptoRandomInt(limit);
}

/** A small seeded generator (mulberry32) for tests, campaigns and jitter that must be repeatable. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
