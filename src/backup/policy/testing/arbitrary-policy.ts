// Any machine policy that passes the checks, for properties.

import fc from "fast-check";
import { months, weekdays } from "../../../lib/calendar-names.ts";
import { weeksOfMonth, type MachinePolicy, type MonthDays, type Schedule } from "../policy.ts";

/** Plain objects, as parsers make them. */
function record<T extends object>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as unknown as fc.Arbitrary<T>;
}

const zones = [
  "UTC",
  "Pacific Standard Time",
  "W. Europe Standard Time",
  "Lord Howe Standard Time",
  "AUS Eastern Standard Time",
  "Nepal Standard Time",
  "Morocco Standard Time",
  "Samoa Standard Time",
];

const time = fc
  .integer({ min: 0, max: 1439 })
  .map((minute) => `${new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString().slice(0, 16)}:00Z`);
const days = fc.subarray([...weekdays], { minLength: 1 });

const schedule: fc.Arbitrary<Schedule> = fc.oneof(
  time.map((at): Schedule => ({ kind: "daily", times: [at] })),
  record({ days, time, everyWeeks: fc.integer({ min: 1, max: 3 }) }).map(({ days, time, everyWeeks }): Schedule => ({
    kind: "weekly",
    days,
    times: [time],
    everyWeeks,
  })),
  record({ every: fc.constantFrom(4, 6, 8, 12, 24), start: time, extra: fc.integer({ min: 0, max: 20 }) }).map(
    ({ every, start, extra }): Schedule => ({
      kind: "hourly",
      everyHours: every,
      start,
      windowHours: Math.min(24, every + extra),
    }),
  ),
);

function monthDays(among: readonly (typeof weekdays)[number][], isWeekly: boolean): fc.Arbitrary<MonthDays> {
  const weekly = record({
    days: fc.subarray([...among], { minLength: 1 }),
    weeks: fc.subarray([...weeksOfMonth], { minLength: 1 }),
  }).map(({ days, weeks }): MonthDays => ({ format: "Weekly", days, weeks }));
  if (isWeekly) return weekly;
  const dated = record({
    dates: fc.subarray(
      Array.from({ length: 28 }, (_, index) => index + 1),
      { minLength: 1, maxLength: 4 },
    ),
    last: fc.boolean(),
  }).map(({ dates, last }): MonthDays => ({ format: "Daily", dates, last }));
  return fc.oneof(weekly, dated);
}

export const arbitraryPolicy: fc.Arbitrary<MachinePolicy> = schedule.chain((schedule) => {
  const times = schedule.kind === "hourly" ? [schedule.start] : schedule.times;
  const isWeekly = schedule.kind === "weekly";
  const among = isWeekly ? schedule.days : weekdays;
  const on = monthDays(among, isWeekly);
  const count = (most: number): fc.Arbitrary<number> => fc.integer({ min: 1, max: most });
  const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined });
  return record({
    management: fc.constant("AzureIaasVM" as const),
    version: fc
      .constant(
        schedule.kind === "hourly"
          ? ("V2" as const)
          : isWeekly && schedule.everyWeeks > 1
            ? ("V1" as const)
            : undefined,
      )
      .chain((forced) => (forced === undefined ? fc.constantFrom("V1" as const, "V2" as const) : fc.constant(forced))),
    schedule: fc.constant(schedule),
    retention: record({
      kind: fc.constant("longTerm" as const),
      daily: isWeekly
        ? fc.constant(undefined)
        : fc.integer({ min: 7, max: 60 }).map((count) => ({ times, duration: { count, unit: "Days" as const } })),
      weekly: isWeekly
        ? count(20).map((count) => ({ times, duration: { count, unit: "Weeks" as const }, days: schedule.days }))
        : maybe(
            record({ days, count: count(20) }).map(({ days, count }) => ({
              times,
              duration: { count, unit: "Weeks" as const },
              days,
            })),
          ),
      monthly: maybe(
        record({ on, count: count(14) }).map(({ on, count }) => ({
          times,
          duration: { count, unit: "Months" as const },
          on,
        })),
      ),
      yearly: maybe(
        record({ on, count: count(3), months: fc.subarray([...months], { minLength: 1 }) }).map(
          ({ on, count, months }) => ({ times, duration: { count, unit: "Years" as const }, on, months }),
        ),
      ),
    }),
    timeZone: fc.constantFrom(...zones),
    instantDays: isWeekly ? fc.constant(5) : count(5),
    snapshotGroup: record({ prefix: maybe(fc.constant("hold")), suffix: maybe(fc.constant("fast")) }),
    tiering: fc.constant({ mode: "DoNotTier" as const, duration: undefined }),
    onlyCrashConsistent: fc.constant(false),
    extras: record({
      intervalMinutes: schedule.kind === "hourly" ? maybe(fc.integer({ min: 1, max: 240 })) : fc.constant(undefined),
      followDaylightSaving: fc.boolean(),
      everyPointInVault: fc.boolean(),
    }),
  });
});
