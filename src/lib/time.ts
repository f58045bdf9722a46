// Waiting, with an end to it.

import { setTimeout as sleepFor } from "node:timers/promises";
import { monotonicMilliseconds } from "./clock.ts";

export async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await sleepFor(milliseconds, undefined, signal === undefined ? undefined : { signal });
}

export interface RetryPolicy {
  readonly attempts: number;
  readonly firstDelayMilliseconds: number;
  readonly maxDelayMilliseconds: number;
  /** Which failures are worth another try; all when absent. */
  readonly isTransient?: (error: unknown) => boolean;
}

/** Exponential back-off with full jitter; the last failure is thrown as it is. */
export async function retry<T>(
  policy: RetryPolicy,
  attempt: (number: number) => Promise<T>,
  random: () => number,
  signal?: AbortSignal,
): Promise<T> {
  for (let number = 1; ; number += 1) {
    try {
      return await attempt(number);
    } catch (error) {
      signal?.throwIfAborted();
      if (number >= policy.attempts || policy.isTransient?.(error) === false) throw error;
      const ceiling = Math.min(policy.maxDelayMilliseconds, policy.firstDelayMilliseconds * 2 ** (number - 1));
      await sleep(ceiling * random(), signal);
    }
  }
}

/** The result of work that hears no signal, and then goes on unwatched when the signal comes. */
export async function unlessAborted<T>(pending: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return pending;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([pending, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * The work's result, or `late()` thrown when there is none in time: also for work that hears no
 * signal, which then goes on unwatched.
 */
export async function withDeadline<T>(
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<T>,
  late: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const deadline = new AbortController();
  const both = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]);
  const timer = setTimeout(() => deadline.abort(late()), milliseconds);
  try {
    return await unlessAborted(work(both), both);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until the answer is there; throws with `what` when the time is up. */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  timeoutMilliseconds: number,
  everyMilliseconds = 50,
): Promise<T> {
  const end = monotonicMilliseconds() + timeoutMilliseconds;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (monotonicMilliseconds() > end) throw new Error(`${what}: nothing in ${timeoutMilliseconds} ms`);
    await sleep(everyMilliseconds);
  }
}
