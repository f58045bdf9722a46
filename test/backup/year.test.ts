// A year (or, by default, 25 days) of five machines with different policies. Every day the points of
// each are those that an oracle, which shares nothing with the product but the shape of a policy, says.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { parsePolicy } from "../../src/backup/policy/parse-policy.ts";
import type { MachinePolicy } from "../../src/backup/policy/policy.ts";
import { listPointsOf } from "../../src/backup/points/point.ts";
import { findItem } from "../../src/backup/protection/item.ts";
import { deleteProtection } from "../../src/backup/protection/stop.ts";
import { naivePoint, naiveSurvivors, type NaivePoint } from "../../src/backup/retention/testing/naive-retention.ts";
import { vaultStore } from "../../src/backup/stores/store-name.ts";
import { listPoints } from "../../src/store/index.ts";
import { by, startDomainRig } from "./domain-rig.ts";
import { writeDisk } from "./rig.ts";

const days = process.env["HOLDFAST_TEST_LONG"] === "1" ? 366 : 25;
const hour = 3_600_000;
const day = 24 * hour;
const start = Date.parse("2027-12-20T00:30:00Z");

const at = (time: string): string => `2026-01-01T${time}:00Z`;
const rule = (time: string, count: number, durationType = "Days") => ({
  retentionTimes: [at(time)],
  retentionDuration: { count, durationType },
});
const daily = (time: string, retention: object, instant = 1): MachinePolicy =>
  parsePolicy({
    backupManagementType: "AzureIaasVM",
    policyType: "V1",
    schedulePolicy: {
      schedulePolicyType: "SimpleSchedulePolicy",
      scheduleRunFrequency: "Daily",
      scheduleRunTimes: [at(time)],
    },
    retentionPolicy: { retentionPolicyType: "LongTermRetentionPolicy", ...retention },
    instantRpRetentionRangeInDays: instant,
    timeZone: "UTC",
  }) as MachinePolicy;

const policies: Readonly<Record<string, MachinePolicy>> = {
  Plain: daily("02:00", { dailySchedule: rule("02:00", 7) }),
  Long: daily("03:00", {
    dailySchedule: rule("03:00", 10),
    weeklySchedule: { ...rule("03:00", 3, "Weeks"), daysOfTheWeek: ["Sunday"] },
    monthlySchedule: {
      ...rule("03:00", 2, "Months"),
      retentionScheduleFormatType: "Weekly",
      retentionScheduleWeekly: { daysOfTheWeek: ["Monday"], weeksOfTheMonth: ["First"] },
    },
    yearlySchedule: {
      ...rule("03:00", 1, "Years"),
      retentionScheduleFormatType: "Daily",
      retentionScheduleDaily: { daysOfTheMonth: [{ date: 1, isLast: false }] },
      monthsOfYear: ["January"],
    },
  }),
  Hourly: parsePolicy({
    backupManagementType: "AzureIaasVM",
    policyType: "V2",
    schedulePolicy: {
      schedulePolicyType: "SimpleSchedulePolicyV2",
      scheduleRunFrequency: "Hourly",
      hourlySchedule: { interval: 12, scheduleWindowStartTime: at("06:00"), scheduleWindowDuration: 24 },
    },
    retentionPolicy: { retentionPolicyType: "LongTermRetentionPolicy", dailySchedule: rule("06:00", 8) },
    instantRpRetentionRangeInDays: 2,
    timeZone: "UTC",
  }) as MachinePolicy,
  Weekly: parsePolicy({
    backupManagementType: "AzureIaasVM",
    policyType: "V1",
    schedulePolicy: {
      schedulePolicyType: "SimpleSchedulePolicy",
      scheduleRunFrequency: "Weekly",
      scheduleRunDays: ["Wednesday"],
      scheduleRunTimes: [at("04:00")],
    },
    retentionPolicy: {
      retentionPolicyType: "LongTermRetentionPolicy",
      weeklySchedule: { ...rule("04:00", 2, "Weeks"), daysOfTheWeek: ["Wednesday"] },
    },
    instantRpRetentionRangeInDays: 5,
    timeZone: "UTC",
  }) as MachinePolicy,
};

/** When the machine is backed up on that day, in hours. */
const runsOf: Readonly<Record<string, (date: Date) => readonly number[]>> = {
  Plain: () => [2],
  Long: () => [3],
  Hourly: () => [6, 18],
  Weekly: (date) => (date.getUTCDay() === 3 ? [4] : []),
};

const machines: Readonly<Record<string, string>> = {
  a: "Plain",
  b: "Long",
  c: "Hourly",
  d: "Weekly",
  deleted: "Plain",
};

test(`${days} days: the points of each day are those of the oracle; what is deleted goes on its day`, async () => {
  await using rig = await startDomainRig(start, Object.keys(machines));
  const items = new Map<string, string>();
  for (const [name, policy] of Object.entries(policies)) await rig.policy(name, policy);
  for (const [machine, name] of Object.entries(machines)) {
    const policy = policies[name];
    assert.ok(policy !== undefined);
    items.set(machine, (await rig.protect(machine, { name, policy })).key);
  }
  const made = new Map<string, NaivePoint[]>(Object.keys(machines).map((name) => [name, []]));
  const deletedOn = 9;
  for (let number = 0; number < days; number += 1) {
    const midnight = Date.parse("2027-12-20T00:00:00Z") + number * day;
    const date = new Date(midnight);
    for (const runHour of [2, 3, 4, 6, 18]) {
      const dueAt = midnight + runHour * hour;
      rig.clock.set(dueAt + 1000);
      const expected = Object.entries(machines).filter(
        ([name, policy]) => runsOf[policy]?.(date).includes(runHour) && !(name === "deleted" && number >= deletedOn),
      );
      writeDisk(join(rig.images, "a", "disk0.raw"), (number % 100) * 4096, randomBytes(512));
      assert.equal(await rig.tick(), expected.length, `${date.toISOString()} ${runHour}`);
      await rig.settled();
      for (const [name, policyName] of expected) {
        const policy = policies[policyName];
        const id = `${name} ${dueAt}`;
        if (policy !== undefined) made.get(name)?.push(naivePoint(policy, id, dueAt, rig.clock.now()));
      }
    }
    rig.clock.set(midnight + 23 * hour);
    await rig.care();
    if (number === deletedOn - 1) {
      const item = await findItem(rig.database.kysely, items.get("deleted") ?? "");
      assert.ok(item !== undefined);
      const vault = await rig.vault();
      await rig.database.transaction((trx) => deleteProtection(trx, vault, item, by));
      await rig.settled();
    }
    await using opened = await rig.stores.open(vaultStore((await rig.vault()).guid));
    for (const [name, policyName] of Object.entries(machines)) {
      const policy = policies[policyName];
      const key = items.get(name) ?? "";
      const all = made.get(name) ?? [];
      assert.ok(policy !== undefined);
      // It lies frozen for 14 days, then it is gone.
      const isPurged = name === "deleted" && number >= deletedOn - 1 + 14;
      const wanted =
        name === "deleted" && number >= deletedOn - 1
          ? isPurged
            ? []
            : survivors(policy, all, Date.parse("2027-12-20T23:00:00Z") + (deletedOn - 1) * day)
          : survivors(policy, all, rig.clock.now());
      const points = await listPointsOf(rig.database.kysely, key);
      assert.deepEqual(
        points.map(({ dueAt }) => dueAt),
        wanted,
        `${name} at the end of ${date.toISOString()}`,
      );
      const stored = await listPoints(opened.vault, points.length === 0 ? undefined : await storeItem(key));
      if (points.length > 0)
        assert.deepEqual(
          stored.points.map((point) => point.name as string),
          points.map(({ storePoint }) => storePoint),
        );
      assert.equal((await findItem(rig.database.kysely, key)) === undefined, isPurged);
    }
  }
  assert.deepEqual(rig.problems, []);

  async function storeItem(key: string): Promise<string> {
    return (await findItem(rig.database.kysely, key))?.storeItem ?? "";
  }
});

function survivors(policy: MachinePolicy, points: readonly NaivePoint[], now: number): number[] {
  return naiveSurvivors(policy, points, now)
    .map(({ dueAt }) => dueAt)
    .sort((a, b) => a - b);
}
