import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MachinePolicy, Retention } from "../policy/policy.ts";
import { seededPolicies } from "../policy/seeds.ts";
import { arbitraryPolicy } from "../policy/testing/arbitrary-policy.ts";
import { nextRuns, timetableOf } from "../schedule/runs.ts";
import { marksOf } from "./marks.ts";
import { planRetention, type RetainedPoint } from "./retention.ts";
import { shortenings } from "./shortening.ts";
import { naivePoint, naiveSurvivors, type NaivePoint } from "./testing/naive-retention.ts";
import { goesToVault } from "./vault-transfer.ts";

const isLong = process.env["HOLDFAST_TEST_LONG"] === "1";
const day = 86_400_000;

/** Short intervals would only make the same days more expensive. */
const policies = arbitraryPolicy.map((policy): MachinePolicy => {
  const minutes = policy.extras.intervalMinutes;
  return { ...policy, extras: { ...policy.extras, intervalMinutes: minutes === undefined ? undefined : 120 } };
});

test("day by day the points are those of an oracle, through clock changes, leap days and edits of the policy", () => {
  const starts = fc.constantFrom("2023-12-20", "2024-02-01", "2026-02-20", "2026-10-10", "2027-06-15");
  fc.assert(
    fc.property(
      fc.array(policies, { minLength: 1, maxLength: 3 }),
      starts,
      fc.integer({ min: 0, max: 90 }),
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 }),
      (each, start, late, luck) => {
        const days = isLong ? 800 : 100;
        let points: RetainedPoint[] = [];
        let expected: NaivePoint[] = [];
        let now = Date.parse(`${start}T13:00:00Z`);
        let policy = each[0]!;
        let made = 0;
        for (let number = 0; number < days; number += 1) {
          policy = each[Math.floor((number * each.length) / days)]!;
          const runs = nextRuns(timetableOf(policy), now, 30).filter((run) => run <= now + day);
          now += day;
          for (const dueAt of runs) {
            made += 1;
            if (luck[made % luck.length] === 0) continue; // this backup failed
            const time = dueAt + late * 60_000;
            const origin = { kind: "scheduled", dueAt, marks: marksOf(policy, dueAt) } as const;
            points.push({ id: String(made), time, origin });
            expected.push(naivePoint(policy, String(made), dueAt, time));
          }
          const { deletions } = planRetention(policy, points, now);
          points = points.filter((point) => !deletions.includes(point));
          expected = naiveSurvivors(policy, expected, now);
          assert.deepEqual(
            points.map(({ id }) => id),
            expected.map(({ id }) => id),
            `day ${number}`,
          );
        }
      },
    ),
    { numRuns: isLong ? 300 : 15, seed: 21, endOnFailure: true },
  );
});

const base = seededPolicies["DefaultPolicy"] as MachinePolicy;
const times = ["2026-01-01T05:30:00Z"];
const withRetention = (retention: Partial<Retention>): MachinePolicy => ({
  ...base,
  retention: { ...base.retention, ...retention },
});
const scheduled = (time: string, more: Partial<RetainedPoint> = {}): RetainedPoint => {
  const at = Date.parse(`${time}:00Z`);
  return { id: time, time: at, origin: { kind: "scheduled", dueAt: at, marks: undefined }, ...more };
};
const at = (time: string): number => Date.parse(`${time}:00Z`);

test("the longest rule holds a point, and a month has 31 days", () => {
  const policy = withRetention({
    weekly: { times, days: ["Sunday"], duration: { count: 12, unit: "Weeks" } },
    monthly: {
      times,
      duration: { count: 12, unit: "Months" },
      on: { format: "Weekly", days: ["Sunday"], weeks: ["First"] },
    },
  });
  const points = ["2026-03-01T05:30", "2026-03-08T05:30", "2026-03-09T05:30"].map((time) => scheduled(time));
  const { verdicts } = planRetention(policy, points, at("2026-03-10T00:00"));
  assert.deepEqual(
    verdicts.map(({ point, rule, keepUntil }) => [rule, (keepUntil! - point.time) / day]),
    [
      ["monthly", 372],
      ["weekly", 84],
      ["daily", 30],
    ],
  );
});

test("the newest point that can be restored stays, however old and whatever is broken after it", () => {
  const old = scheduled("2025-01-01T05:30");
  const broken = scheduled("2025-02-01T05:30", { broken: true });
  const plan = planRetention(base, [old, broken], at("2026-06-01T00:00"));
  assert.deepEqual(plan.deletions, [broken]);
  assert.equal(plan.verdicts[0]!.isNewest, true);
});

test("a point made by hand goes at its own time and no other", () => {
  const origin = { kind: "onDemand", expiresAt: at("2026-03-05T00:00") } as const;
  const byHand = { id: "hand", time: at("2026-01-01T00:00"), origin };
  const forever = {
    id: "ever",
    time: at("2020-01-01T00:00"),
    origin: { kind: "onDemand", expiresAt: undefined } as const,
  };
  const latest = scheduled("2026-03-04T05:30");
  const on = (now: string): string[] =>
    planRetention(base, [forever, byHand, latest], at(now)).deletions.map(({ id }) => id);
  assert.deepEqual(on("2026-03-04T23:59"), []);
  assert.deepEqual(on("2026-03-05T00:00"), ["hand"]);
});

test("an edit holds for the points that are there: shorter ones go, longer ones stay", () => {
  const points = Array.from({ length: 60 }, (_, index) => {
    const time = at("2026-01-01T05:30") + index * day;
    return scheduled(new Date(time).toISOString().slice(0, 16));
  });
  const now = points.at(-1)!.time + 3_600_000;
  const count = (days: number): number =>
    planRetention(withRetention({ daily: { times, duration: { count: days, unit: "Days" } } }), points, now).deletions
      .length;
  assert.deepEqual([60, 30, 7].map(count), [0, 30, 53]);
});

test("points keep the rules that they were made under when the policy's days move", () => {
  const weekly = (weekday: "Sunday" | "Monday"): MachinePolicy => ({
    ...base,
    schedule: { kind: "weekly", days: [weekday], times, everyWeeks: 1 },
    instantDays: 5,
    retention: {
      kind: "longTerm",
      daily: undefined,
      weekly: { times, days: [weekday], duration: { count: 8, unit: "Weeks" } },
      monthly: undefined,
      yearly: undefined,
    },
  });
  const dueAt = at("2026-03-01T05:30"); // a Sunday
  const origin = { kind: "scheduled", dueAt, marks: marksOf(weekly("Sunday"), dueAt) } as const;
  const points = [{ id: "old", time: dueAt, origin }, scheduled("2026-03-23T05:30")];
  assert.deepEqual(planRetention(weekly("Monday"), points, at("2026-03-24T00:00")).deletions, []);
  const daily = { ...points[0]!, origin: { ...origin, marks: marksOf(base, dueAt) } };
  const gone = planRetention(weekly("Monday"), [daily, points[1]!], at("2026-03-24T00:00")).deletions;
  assert.deepEqual(gone, [daily], "no weekly rule ever held it");
});

test("of an hourly policy the last of a day is kept by the rules, the others as long as snapshots", () => {
  const enhanced = seededPolicies["EnhancedPolicy"] as MachinePolicy;
  const points = ["08", "12", "16", "20"].map((hour) => scheduled(`2026-03-01T${hour}:00`));
  const later = scheduled("2026-03-09T20:00");
  const { deletions } = planRetention(enhanced, [...points, later], at("2026-03-10T00:00"));
  assert.deepEqual(deletions, points.slice(0, 3));
  const every = { ...enhanced, extras: { ...enhanced.extras, everyPointInVault: true } };
  assert.deepEqual(planRetention(every, [...points, later], at("2026-03-10T00:00")).deletions, []);
});

test("the vault takes the last of a day, and after a failure the first that comes", () => {
  const enhanced = seededPolicies["EnhancedPolicy"] as MachinePolicy;
  const yesterday = at("2026-03-01T20:00");
  assert.equal(goesToVault(enhanced, at("2026-03-02T08:00"), yesterday), false);
  assert.equal(goesToVault(enhanced, at("2026-03-02T20:00"), yesterday), true);
  assert.equal(goesToVault(enhanced, at("2026-03-02T08:00"), at("2026-02-28T20:00")), true, "yesterday's last failed");
  assert.equal(goesToVault(enhanced, at("2026-03-02T12:00"), at("2026-03-02T08:00")), false, "and was made good");
  assert.equal(goesToVault(enhanced, at("2026-03-02T08:00"), undefined), true, "the first of all");
  assert.equal(goesToVault(base, at("2026-03-02T05:30"), yesterday), true);
});

test("whatever one policy keeps longer than another is found rule by rule", () => {
  const weekly = { times, days: ["Sunday"] as const, duration: { count: 4, unit: "Weeks" as const } };
  const before = withRetention({ weekly });
  const shorter = withRetention({ daily: { times, duration: { count: 29, unit: "Days" } } });
  assert.deepEqual(shortenings(before, shorter), [
    { field: "properties.retentionPolicy.dailySchedule.retentionDuration", before: "30 Days", after: "29 Days" },
    { field: "properties.retentionPolicy.weeklySchedule.retentionDuration", before: "4 Weeks", after: "none" },
  ]);
  const moved = withRetention({ weekly: { ...weekly, days: ["Monday"], duration: { count: 5, unit: "Weeks" } } });
  assert.deepEqual(shortenings(before, moved), []);
});

test("a policy that shortens nothing never deletes what the old one would have kept", () => {
  fc.assert(
    fc.property(policies, policies, fc.integer({ min: 1, max: 400 }), (before, after, age) => {
      fc.pre(shortenings(before, after).length === 0 && after.instantDays >= before.instantDays);
      const start = at("2026-01-01T00:00");
      const points = nextRuns(timetableOf(before), start, 40).map((dueAt): RetainedPoint => {
        const origin = { kind: "scheduled", dueAt, marks: marksOf(before, dueAt) } as const;
        return { id: String(dueAt), time: dueAt, origin };
      });
      const now = start + age * day;
      const kept = new Set(planRetention(before, points, now).deletions.map(({ id }) => id));
      for (const { id } of planRetention(after, points, now).deletions) assert.ok(kept.has(id));
    }),
    { numRuns: isLong ? 3000 : 100, seed: 22 },
  );
});
