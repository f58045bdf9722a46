// When a key gets a new version by itself: a time after it was made, or before it expires.

import { z } from "zod";
import { isoTime } from "../lib/clock.ts";
import { isGiven } from "./given.ts";

const duration = z
  .string()
  .regex(
    /^P(?=\d)(\d{1,4}Y)?(\d{1,4}M)?(\d{1,5}D)?$/,
    "must be an ISO 8601 duration of years, months and days, such as P90D",
  );

export const rotationPolicySchema = z.object({
  lifetimeActions: z
    .array(
      z.object({
        trigger: z.object({ timeAfterCreate: duration.nullish(), timeBeforeExpiry: duration.nullish() }),
        action: z.object({ type: z.string().regex(/^(rotate|notify)$/i, "must be Rotate or Notify") }),
      }),
    )
    .max(10)
    .nullish(),
  attributes: z.object({ expiryTime: duration.nullish() }).nullish(),
});

export type RotationPolicy = z.output<typeof rotationPolicySchema>;

export const noRotation: RotationPolicy = {
  lifetimeActions: [{ trigger: { timeBeforeExpiry: "P30D" }, action: { type: "Notify" } }],
  attributes: {},
};

/** Milliseconds since the epoch; undefined: never. */
export function rotatesAt(policy: RotationPolicy, madeAt: number, expiresAt: number | undefined): number | undefined {
  const times = (policy.lifetimeActions ?? [])
    .filter(({ action }) => action.type.toLowerCase() === "rotate")
    .flatMap(({ trigger }) => {
      if (isGiven(trigger.timeAfterCreate)) return [shift(madeAt, trigger.timeAfterCreate, 1)];
      return isGiven(trigger.timeBeforeExpiry) && expiresAt !== undefined
        ? [shift(expiresAt, trigger.timeBeforeExpiry, -1)]
        : [];
    });
  return times.length === 0 ? undefined : Math.min(...times);
}

export function expiryOf(policy: RotationPolicy, madeAt: number): number | undefined {
  const expiry = policy.attributes?.expiryTime;
  return !isGiven(expiry) ? undefined : shift(madeAt, expiry, 1);
}

function shift(from: number, text: string, sign: 1 | -1): number {
  const [, years, months, days] = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?$/.exec(text) ?? [];
  const date = new Date(isoTime(from));
  date.setUTCFullYear(
    date.getUTCFullYear() + sign * Number(years ?? 0),
    date.getUTCMonth() + sign * Number(months ?? 0),
  );
  return date.getTime() + sign * Number(days ?? 0) * 86_400_000;
}
