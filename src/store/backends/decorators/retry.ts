// Repeats what failed for a passing reason. The hard case is an answer that was lost: a conditional
// put may have succeeded before it is sent again, and its own object must not be reported as
// somebody else's. So after a failed attempt an ObjectExists is believed only when other bytes are there.

import { seededRandom, randomBelow } from "../../../lib/random.ts";
import { isErrorCode } from "../../../lib/errors.ts";
import { retry, unlessAborted, type RetryPolicy } from "../../../lib/time.ts";
import { joined, sizeOf, type ObjectContent } from "../content.ts";
import { isTransient, objectErrors } from "../errors.ts";
import type { ObjectInfo, ObjectStore, PutOptions } from "../object-store.ts";

export interface RetryOptions {
  readonly attempts?: number;
  readonly firstDelayMilliseconds?: number;
  readonly maxDelayMilliseconds?: number;
  /** An attempt that takes longer is given up and repeated: a connection can hang for ever. Content adds to it. */
  readonly attemptMilliseconds?: number;
  readonly random?: () => number;
}

/** A line of 256 kbit/s still carries a backup. */
const slowestBytesPerMillisecond = 32;
/** What a read without a length may bring. */
const largestObject = 64 * 1024 * 1024;

export function withRetry(store: ObjectStore, options: RetryOptions = {}): ObjectStore {
  const policy: RetryPolicy = {
    attempts: options.attempts ?? 6,
    firstDelayMilliseconds: options.firstDelayMilliseconds ?? 200,
    maxDelayMilliseconds: options.maxDelayMilliseconds ?? 10_000,
    isTransient,
  };
  const random = options.random ?? seededRandom(randomBelow(2 ** 32));
  const attemptMilliseconds = options.attemptMilliseconds ?? 120_000;
  const limitFor = (bytes: number): number => attemptMilliseconds + bytes / slowestBytesPerMillisecond;

  function repeat<T>(
    what: string,
    signal: AbortSignal | undefined,
    attempt: (signal: AbortSignal, number: number) => Promise<T>,
    bytes = 0,
  ): Promise<T> {
    return retry(policy, (number) => limited(what, limitFor(bytes), signal, attempt, number), random, signal);
  }

  function put(name: string, content: ObjectContent, options: PutOptions = {}): Promise<void> {
    return repeat(
      `Writing ${name}`,
      options.signal,
      async (signal, number) => {
        try {
          await store.put(name, content, { ...options, signal });
        } catch (error) {
          if (number === 1 || !isErrorCode(error, "ObjectExists")) throw error;
          const present = await store.head(name, signal);
          if (present?.size !== sizeOf(content)) throw error;
          if (!(await store.get(name, { signal })).equals(joined(content))) throw error;
        }
      },
      sizeOf(content),
    );
  }

  return {
    ...store,
    put,
    get: (name, options = {}) =>
      repeat(
        `Reading ${name}`,
        options.signal,
        (signal) => store.get(name, { ...options, signal }),
        options.length ?? largestObject,
      ),
    head: (name, signal) => repeat(`Looking at ${name}`, signal, (signal) => store.head(name, signal)),
    delete: (name, signal) => repeat(`Deleting ${name}`, signal, (signal) => store.delete(name, signal)),
    list: async function* (prefix, signal) {
      let last = "";
      let isDone = false;
      let listing = beginListing(store, prefix, signal);
      try {
        while (!isDone) {
          const info = await repeat(`Listing ${prefix}`, signal, async (attemptSignal, number) => {
            if (number > 1) {
              listing.stop();
              listing = beginListing(store, prefix, signal);
            }
            for (;;) {
              const next = await unlessAborted(listing.next(), attemptSignal);
              if (next.done === true) return undefined;
              // A listing that was begun again passes over what was given already.
              if (next.value.name > last) return next.value;
            }
          });
          if (info === undefined) isDone = true;
          else {
            last = info.name;
            yield info;
          }
        }
      } finally {
        listing.stop();
      }
    },
  };
}

interface Listing {
  next(): Promise<IteratorResult<ObjectInfo>>;
  /** Ends the request that is under way. */
  stop(): void;
}

function beginListing(store: ObjectStore, prefix: string, signal: AbortSignal | undefined): Listing {
  const stopping = new AbortController();
  const both = signal === undefined ? stopping.signal : AbortSignal.any([signal, stopping.signal]);
  const iterator = store.list(prefix, both)[Symbol.asyncIterator]();
  return { next: () => iterator.next(), stop: () => stopping.abort() };
}

async function limited<T>(
  what: string,
  milliseconds: number,
  signal: AbortSignal | undefined,
  attempt: (signal: AbortSignal, number: number) => Promise<T>,
  number: number,
): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), milliseconds);
  try {
    return await attempt(signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]), number);
  } catch (error) {
    signal?.throwIfAborted();
    if (!limit.signal.aborted) throw error;
    throw objectErrors.StoreUnreachable(`${what} got no answer in ${milliseconds} ms.`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
