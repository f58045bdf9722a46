import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MachinePolicy } from "../policy/policy.ts";
import { seededPolicies } from "../policy/seeds.ts";
import { arbitraryPolicy } from "../policy/testing/arbitrary-policy.ts";
import { clockOf } from "./policy-clock.ts";
import { dueRun, isLastOfDay, latestRun, nextRuns, timetableOf } from "./runs.ts";
import { naiveRuns } from "./testing/naive-clock.ts";
import { windowsZones } from "./windows-zones.ts";

const isLong = process.env["HOLDFAST_TEST_LONG"] === "1";
const hour = 3_600_000;
const iso = (instants: readonly number[]): string[] => instants.map((at) => new Date(at).toISOString());

/** Days on which clocks change somewhere, leap days, ends of years, and any others. */
const beginnings = fc.oneof(
  fc
    .constantFrom(
      "2024-02-28",
      "2026-03-07",
      "2026-03-28",
      "2026-04-04",
      "2026-10-03",
      "2026-10-24",
      "2026-10-31",
      "2027-12-30",
    )
    .map((day) => Date.parse(`${day}T00:00:00Z`)),
  fc
    .integer({ min: Date.UTC(2024, 0, 1) / 60_000, max: Date.UTC(2029, 0, 1) / 60_000 })
    .map((minute) => minute * 60_000),
);

test("runs are those that looking at every minute finds, across clock changes", () => {
  fc.assert(
    fc.property(arbitraryPolicy, beginnings, fc.integer({ min: 1, max: isLong ? 40 : 6 }), (policy, from, days) => {
      const to = from + days * 24 * hour;
      const expected = naiveRuns(policy, from, to).filter((run) => run > from);
      const timetable = timetableOf(policy);
      assert.deepEqual(iso(nextRuns(timetable, from, expected.length)), iso(expected));
      const [further] = nextRuns(timetable, expected.at(-1) ?? from, 1);
      assert.ok(further! >= to, "there is a run that looking at every minute does not find");
      const latest = latestRun(timetable, to - 1);
      if (expected.length > 0) assert.equal(latest, expected.at(-1));
      else assert.ok(latest! <= from);
    }),
    { numRuns: isLong ? 3000 : 150, seed: 11 },
  );
});

test("the next run is always later, and is then the latest", () => {
  fc.assert(
    fc.property(arbitraryPolicy, beginnings, (policy, at) => {
      const timetable = timetableOf(policy);
      const [next] = nextRuns(timetable, at, 1);
      assert.ok(next! > at);
      assert.equal(latestRun(timetable, next!), next);
      assert.ok(latestRun(timetable, next! - 1)! <= at);
    }),
    { numRuns: isLong ? 20_000 : 500, seed: 12 },
  );
});

test("local time and instants belong together, in every zone and both ways", () => {
  for (const timeZone of Object.keys(windowsZones)) {
    for (const followDaylightSaving of [false, true]) {
      const policy = { ...enhanced, timeZone, extras: { ...enhanced.extras, followDaylightSaving } };
      const clock = clockOf(policy);
      for (let day = Date.UTC(2026, 0, 1) / 86_400_000; day < Date.UTC(2027, 0, 1) / 86_400_000; day += 3) {
        const local = clock.localOf(clock.instantOf(day, 720));
        assert.deepEqual(local, { day, minute: 720 }, timeZone);
      }
    }
  }
});

const enhanced = seededPolicies["EnhancedPolicy"] as MachinePolicy;
const daily = (time: string, timeZone: string, followDaylightSaving: boolean): MachinePolicy => ({
  ...enhanced,
  schedule: { kind: "daily", times: [`2026-01-01T${time}:00Z`] },
  timeZone,
  extras: { ...enhanced.extras, followDaylightSaving },
});

test("like Azure a policy keeps its zone's standard offset all year", () => {
  const timetable = timetableOf(daily("02:30", "Pacific Standard Time", false));
  const runs = nextRuns(timetable, Date.parse("2026-03-07T00:00:00Z"), 3);
  assert.deepEqual(iso(runs), ["2026-03-07T10:30:00.000Z", "2026-03-08T10:30:00.000Z", "2026-03-09T10:30:00.000Z"]);
});

test("who asks for the wall clock gets one run a day, also in the hour that is left out or comes twice", () => {
  const spring = timetableOf(daily("02:30", "Pacific Standard Time", true));
  assert.deepEqual(iso(nextRuns(spring, Date.parse("2026-03-07T12:00:00Z"), 2)), [
    "2026-03-08T10:00:00.000Z",
    "2026-03-09T09:30:00.000Z",
  ]);
  const autumn = timetableOf(daily("01:30", "Pacific Standard Time", true));
  assert.deepEqual(iso(nextRuns(autumn, Date.parse("2026-10-31T12:00:00Z"), 2)), [
    "2026-11-01T08:30:00.000Z",
    "2026-11-02T09:30:00.000Z",
  ]);
});

test("the enhanced default runs at 8, 12, 16 and 20, the last of which ends the day", () => {
  const timetable = timetableOf(enhanced);
  const runs = nextRuns(timetable, Date.parse("2026-06-01T00:00:00Z"), 5);
  assert.deepEqual(
    iso(runs).map((run) => run.slice(8, 16)),
    ["01T08:00", "01T12:00", "01T16:00", "01T20:00", "02T08:00"],
  );
  assert.deepEqual(
    runs.slice(0, 4).map((run) => isLastOfDay(timetable, run)),
    [false, false, false, true],
  );
});

test("every minute, when asked to", () => {
  const schedule = { ...enhanced.schedule, windowHours: 24 } as MachinePolicy["schedule"];
  const timetable = timetableOf({ ...enhanced, schedule, extras: { ...enhanced.extras, intervalMinutes: 1 } });
  const from = Date.parse("2026-06-01T07:58:30Z");
  assert.deepEqual(
    iso(nextRuns(timetable, from, 4)).map((run) => run.slice(11, 16)),
    ["07:59", "08:00", "08:01", "08:02"],
  );
});

test("missed runs become one, the past never fires, and a clock that was set back waits", () => {
  const timetable = timetableOf(enhanced);
  const at = (time: string): number => Date.parse(`2026-06-${time}Z`);
  assert.equal(dueRun(timetable, at("01T20:00"), at("02T07:59")), undefined);
  assert.equal(dueRun(timetable, at("01T20:00"), at("02T08:00")), at("02T08:00"));
  assert.equal(dueRun(timetable, at("01T20:00"), at("05T13:00")), at("05T12:00"));
  assert.equal(dueRun(timetable, at("05T13:00"), at("05T15:59")), undefined, "protected at 13:00");
  assert.equal(dueRun(timetable, at("05T12:00"), at("05T09:00")), undefined);
});

test("a tick over a thousand items is cheap", () => {
  const timetables = ["UTC", "Pacific Standard Time", "W. Europe Standard Time"].flatMap((zone) =>
    [true, false].map((wall) => timetableOf(daily("05:30", zone, wall))),
  );
  const now = Date.parse("2026-06-01T05:31:00Z");
  const start = process.cpuUsage();
  for (let item = 0; item < 1000; item += 1) dueRun(timetables[item % timetables.length]!, now - 24 * hour, now);
  assert.ok(process.cpuUsage(start).user < 1_000_000);
});
