// Keeps a store below a number of bytes and of requests a second, both directions together, so that
// a backup leaves room on the line. Requests wait for their turn in the order in which they came.

import { monotonicMilliseconds } from "../../../lib/clock.ts";
import { sleep } from "../../../lib/time.ts";
import { sizeOf } from "../content.ts";
import type { ObjectStore } from "../object-store.ts";

export interface ThrottleOptions {
  readonly bytesPerSecond?: number;
  readonly requestsPerSecond?: number;
  /** For tests that own time. */
  readonly timer?: ThrottleTimer;
}

export interface ThrottleTimer {
  now(): number;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** So much of a pause is forgiven: an idle second does not earn a burst. */
const burstMilliseconds = 100;

export function withThrottle(store: ObjectStore, options: ThrottleOptions): ObjectStore {
  const timer = options.timer ?? { now: monotonicMilliseconds, sleep };
  const bytes = queue(options.bytesPerSecond, timer);
  const requests = queue(options.requestsPerSecond, timer);
  return {
    ...store,
    put: async (name, content, options = {}) => {
      await requests(1, options.signal);
      await bytes(sizeOf(content), options.signal);
      return store.put(name, content, options);
    },
    get: async (name, options = {}) => {
      await requests(1, options.signal);
      // How much a read to the end brings is known afterwards: the next one waits for it.
      if (options.length !== undefined) await bytes(options.length, options.signal);
      const content = await store.get(name, options);
      if (options.length === undefined) await bytes(content.length, options.signal);
      return content;
    },
    head: async (name, signal) => {
      await requests(1, signal);
      return store.head(name, signal);
    },
    list: async function* (prefix, signal) {
      await requests(1, signal);
      yield* store.list(prefix, signal);
    },
    delete: async (name, signal) => {
      await requests(1, signal);
      return store.delete(name, signal);
    },
  };
}

/** Each taker's turn begins when those before it have used up their share of time. */
function queue(
  perSecond: number | undefined,
  timer: ThrottleTimer,
): (amount: number, signal?: AbortSignal) => Promise<void> {
  let free = Number.NEGATIVE_INFINITY;
  return async (amount, signal) => {
    if (perSecond === undefined) return;
    const now = timer.now();
    const turn = Math.max(free, now - burstMilliseconds);
    free = turn + (amount * 1000) / perSecond;
    const wait = free - now;
    if (wait > 0) await timer.sleep(wait, signal);
  };
}
