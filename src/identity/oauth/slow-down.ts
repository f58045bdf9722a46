// Guessing made slow. Failures are counted three ways, each with its own patience:
//   client and address together   the script with the wrong secret; waits grow to minutes
//   address alone                 one machine that tries many names
//   client alone                  many machines that try one name; waits stay short, so that nobody
//                                 can lock a client out by guessing at it
// A refused attempt is not counted, and every count is forgotten after a quarter of an hour of peace.

import type { Clock } from "../../lib/clock.ts";

export interface SlowDown {
  /** Milliseconds to wait before the next attempt is looked at; 0 when none. */
  waitFor(attempt: Attempt): number;
  failed(attempt: Attempt): void;
  /** Forgets what this client at this address got wrong. */
  succeeded(attempt: Attempt): void;
}

export interface Attempt {
  /** Client id or user name, as the client wrote it; "" when nobody's secret was in question. */
  readonly name: string;
  readonly address: string;
}

interface Patience {
  /** undefined: does not count here. */
  readonly keyOf: (attempt: Attempt) => string | undefined;
  /** Failures that cost nothing. */
  readonly free: number;
  readonly longest: number;
}

const patiences: readonly Patience[] = [
  { keyOf: ({ name, address }) => (name === "" ? undefined : `both ${name} ${address}`), free: 5, longest: 300_000 },
  { keyOf: ({ address }) => `address ${address}`, free: 30, longest: 60_000 },
  { keyOf: ({ name }) => (name === "" ? undefined : `name ${name}`), free: 30, longest: 4000 },
];

const forgottenAfter = 15 * 60_000;
const firstWait = 1000;
const longestName = 200;

interface Count {
  failures: number;
  lastAt: number;
  blockedUntil: number;
}

export function slowDown(clock: Clock, mostCounts = 20_000): SlowDown {
  const counts = new Map<string, Count>();

  const countOf = (key: string | undefined, now: number): Count | undefined => {
    const count = key === undefined ? undefined : counts.get(key);
    if (key === undefined || count === undefined || now - count.lastAt <= forgottenAfter) return count;
    counts.delete(key);
    return undefined;
  };

  return {
    waitFor: (attempt) => {
      const now = clock.now();
      const waits = patiences.map(({ keyOf }) => (countOf(keyOf(shortened(attempt)), now)?.blockedUntil ?? 0) - now);
      return Math.max(0, ...waits);
    },
    failed: (attempt) => {
      const now = clock.now();
      for (const { keyOf, free, longest } of patiences) {
        const key = keyOf(shortened(attempt));
        if (key === undefined) continue;
        const count = countOf(key, now) ?? { failures: 0, lastAt: now, blockedUntil: 0 };
        count.failures += 1;
        count.lastAt = now;
        const over = count.failures - free;
        if (over > 0) count.blockedUntil = now + Math.min(longest, firstWait * 2 ** Math.min(over - 1, 20));
        // The most recently failed stay when room is short.
        counts.delete(key);
        counts.set(key, count);
        if (counts.size > mostCounts) counts.delete(counts.keys().next().value ?? "");
      }
    },
    succeeded: (attempt) => {
      const key = patiences[0]?.keyOf(shortened(attempt));
      if (key !== undefined) counts.delete(key);
    },
  };
}

function shortened({ name, address }: Attempt): Attempt {
  return { name: name.slice(0, longestName).toLowerCase(), address };
}
