// A year (or, by default, 17 days) of five machines with different policies. Every day the points of
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
import { verify } from "../../src/store/index.ts";
import { listPointNames } from "../../src/store/points/points.ts";
import { ageStore } from "./age-store.ts";
import { by, startDomainRig } from "./domain-rig.ts";
import { writeDisk } from "./rig.ts";

const days = process.env["HOLDFAST_TEST_LONG"] === "1" ? 366 : 17;
const hour = 3_600_000;
const day = 24 * hour;
const firstMidnight = Date.parse("2027-12-20T00:00:00Z");
const start = firstMidnight + hour / 2;
const careHour = 23;

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
const deletedOn = 2;

interface Expected {
  readonly dueAt: number;
  readonly isInHot: boolean;
  readonly isInVault: boolean;
}

test(`${days} days: the points of each day, in both tiers, are those of the oracle; what is deleted goes on its day`, async () => {
  await using rig = await startDomainRig(start, Object.keys(machines), { hot: true });
  const items = new Map<string, string>();
  for (const [name, policy] of Object.entries(policies)) await rig.policy(name, policy);
  for (const [machine, name] of Object.entries(machines)) {
    const policy = policies[name];
    assert.ok(policy !== undefined);
    items.set(machine, (await rig.protect(machine, { name, policy })).key);
  }
  const made = new Map<string, NaivePoint[]>(Object.keys(machines).map((name) => [name, []]));
  for (let number = 0; number < days; number += 1) {
    const midnight = firstMidnight + number * day;
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
    rig.clock.set(midnight + careHour * hour);
    await rig.care();
    if (number === deletedOn - 1) {
      const item = await findItem(rig.database.kysely, items.get("deleted") ?? "");
      assert.ok(item !== undefined);
      const vault = await rig.vault();
      await rig.database.transaction((trx) => deleteProtection(trx, vault, item, by));
      await rig.settled();
    }
    const name = vaultStore((await rig.vault()).guid);
    await using opened = await rig.stores.open(name);
    for (const [machine, policyName] of Object.entries(machines)) {
      const policy = policies[policyName] ?? assert.fail();
      const key = items.get(machine) ?? "";
      // It lies frozen for 14 days, then it is gone.
      const isDeleted = machine === "deleted" && number >= deletedOn - 1;
      const isPurged = isDeleted && number >= deletedOn - 1 + 14;
      const seenAt = isDeleted ? firstMidnight + (deletedOn - 1) * day + careHour * hour : rig.clock.now();
      const wanted = isPurged ? [] : expectedPoints(policy, made.get(machine) ?? [], seenAt);
      const points = await listPointsOf(rig.database.kysely, key);
      const found = points.map(({ dueAt, isInSnapshotTier, isInVaultTier }): Expected => {
        return { dueAt, isInHot: isInSnapshotTier, isInVault: isInVaultTier };
      });
      assert.deepEqual(found, wanted, `${machine} at the end of ${date.toISOString()}`);
      const item = await findItem(rig.database.kysely, key);
      assert.equal(item === undefined, isPurged);
      if (item === undefined) continue;
      for (const [store, isThere] of [
        [opened.hot, "isInSnapshotTier"],
        [opened.vault, "isInVaultTier"],
      ] as const) {
        assert.ok(store !== undefined);
        assert.deepEqual(
          await listPointNames(store, "points", item.storeItem),
          points.filter((point) => point[isThere]).map(({ storePoint }) => storePoint),
          `${machine} in ${store.store.location} at the end of ${date.toISOString()}`,
        );
      }
    }
    await ageStore(opened.vault, join(rig.folder, name), day);
    if (opened.hot !== undefined) await ageStore(opened.hot, join(rig.folder, "hot", name), day);
  }
  assert.deepEqual(rig.problems, []);
  await using opened = await rig.stores.open(vaultStore((await rig.vault()).guid));
  for (const store of [opened.hot, opened.vault]) {
    assert.ok(store !== undefined);
    assert.deepEqual((await verify(store, { quarantine: false })).broken, []);
    // Two weeks of what was deleted can be had back, and no more.
    const deleted = await listPointNames(store, "deleted");
    const perDay = 6;
    assert.ok(deleted.length <= 16 * perDay, `${deleted.length} deleted points in ${store.store.location}`);
  }
});

/** A point leaves the snapshot tier when its days there are over, the vault has it, and a newer one is there. */
function expectedPoints(policy: MachinePolicy, made: readonly NaivePoint[], now: number): Expected[] {
  const [first] = made;
  const last = made.at(-1);
  return naiveSurvivors(policy, made, now)
    .sort((a, b) => a.dueAt - b.dueAt)
    .map((point) => {
      const isInVault = !point.isHourly || point === first || new Date(point.dueAt).getUTCHours() === 18;
      const isInHot = !isInVault || point === last || point.time + policy.instantDays * day > now;
      return { dueAt: point.dueAt, isInHot, isInVault };
    });
}
