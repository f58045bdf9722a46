// Azure's token bucket by principal and subscription, with its headers. The bucket is large by
// default: this protects the service from a runaway script, not one tenant from another.

import type { Clock } from "../lib/clock.ts";
import { armErrors } from "./errors.ts";

export interface ThrottleLimits {
  readonly burst: number;
  readonly perSecond: number;
}

export interface Throttle {
  /** Takes one token; answers the headers that tell what is left, or throws TooManyRequests. */
  take(
    principalId: string,
    subscriptionId: string | undefined,
    effect: "read" | "write" | "delete",
  ): Record<string, string>;
}

const headerNames = {
  read: "reads",
  write: "writes",
  delete: "deletes",
} as const;

const mostBuckets = 20_000;

export function createThrottle(limits: ThrottleLimits, clock: Clock): Throttle {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    take: (principalId, subscriptionId, effect) => {
      const key = `${principalId} ${subscriptionId ?? ""} ${effect}`;
      const now = clock.now();
      const bucket = buckets.get(key) ?? { tokens: limits.burst, at: now };
      const earned = (Math.max(0, now - bucket.at) / 1000) * limits.perSecond;
      const tokens = Math.min(limits.burst, bucket.tokens + earned);
      buckets.delete(key); // re-inserted last: the map is in order of use
      buckets.set(key, { tokens: Math.max(0, tokens - 1), at: now });
      if (buckets.size > mostBuckets) buckets.delete(buckets.keys().next().value ?? "");
      if (tokens < 1) {
        const wait = Math.max(1, Math.ceil((1 - tokens) / limits.perSecond));
        throw armErrors.TooManyRequests(
          `The request is being throttled as the limit of ${limits.perSecond} ${headerNames[effect]} a second has been reached. Retry after ${wait} seconds.`,
          { facts: { retryAfter: wait } },
        );
      }
      const scope = subscriptionId === undefined ? "tenant" : "subscription";
      return { [`x-ms-ratelimit-remaining-${scope}-${headerNames[effect]}`]: String(Math.floor(tokens - 1)) };
    },
  };
}
