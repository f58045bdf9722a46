// What deletes points, at the moments at which somebody else does something to them: nothing goes that
// anybody may still want.

import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { retainItem } from "../../src/backup/points/retain-item.ts";
import { listPointsOf, type RecoveryPoint } from "../../src/backup/points/point.ts";
import { sweepPoints } from "../../src/backup/points/sweep.ts";
import { openVaultStore } from "../../src/backup/points/tiers.ts";
import { seededPolicies } from "../../src/backup/policy/seeds.ts";
import type { MachinePolicy } from "../../src/backup/policy/policy.ts";
import { getItem, type ProtectedItem } from "../../src/backup/protection/item.ts";
import { deleteProtection, stopProtection, undeleteProtection } from "../../src/backup/protection/stop.ts";
import { purgeItem } from "../../src/backup/soft-delete/purge-item.ts";
import { vaultStore } from "../../src/backup/stores/store-name.ts";
import type { OpenVaults } from "../../src/backup/stores/stores.ts";
import { clockWatch } from "../../src/db/deletion-time.ts";
import { collect, listPoints } from "../../src/store/index.ts";
import { by, startDomainRig, type DomainRig } from "./domain-rig.ts";

const day = 86_400_000;
const midnight = Date.parse("2027-03-01T00:00:00Z");
const policy = seededPolicies["DefaultPolicy"] as MachinePolicy; // daily at 05:30 UTC, for 30 days

async function rigWith(points: number): Promise<DomainRig & { readonly item: ProtectedItem }> {
  const rig = await startDomainRig(midnight, ["vm1"]);
  await rig.policy("Daily", policy);
  const item = await rig.protect("vm1", { name: "Daily", policy });
  for (let number = 1; number <= points; number += 1) {
    rig.clock.set(midnight + number * day + 6 * 3_600_000);
    assert.equal(await rig.tick(), 1);
    await rig.settled();
  }
  return { ...rig, item };
}

const listed = (rig: DomainRig, { key }: ProtectedItem): Promise<RecoveryPoint[]> =>
  listPointsOf(rig.database.kysely, key);

async function stored({ stores }: DomainRig, guid: string): Promise<string[]> {
  await using opened = await openVaultStore(stores, { guid });
  return (await listPoints(opened.vault)).points.map(({ name }) => name);
}

/** The vault as it is open; `onRead` runs when the first point is read from it. */
function reading(opened: OpenVaults, onRead: () => Promise<void>): OpenVaults {
  let read: Promise<void> | undefined;
  const { store } = opened.vault;
  const get: typeof store.get = async (name, options) => {
    if (name.startsWith("points/")) await (read ??= onRead());
    return store.get(name, options);
  };
  return { ...opened, vault: { ...opened.vault, store: { ...store, get } } };
}

test("a point without a row goes when a job of this vault has made it, and stays when nobody knows who did", async () => {
  await using rig = await rigWith(2);
  const vault = await rig.vault();
  const [first, second] = await listed(rig, rig.item);
  assert.ok(first !== undefined && second !== undefined);
  await rig.database.kysely.deleteFrom("recovery_points").execute();
  // As of a vault that was attached in part: its jobs were another server's.
  await rig.database.kysely.deleteFrom("jobs").where("id", "=", second.jobId).execute();
  await using opened = await openVaultStore(rig.stores, vault);
  assert.deepEqual(await sweepPoints(rig.database, opened, vault), [first.storePoint]);
  assert.deepEqual(await stored(rig, vault.guid), [second.storePoint]);
});

test("a point whose row is written while the sweep looks at it stays", async () => {
  await using rig = await rigWith(1);
  const vault = await rig.vault();
  const row = await rig.database.kysely.selectFrom("recovery_points").selectAll().executeTakeFirstOrThrow();
  await rig.database.kysely.deleteFrom("recovery_points").execute();
  await using opened = await openVaultStore(rig.stores, vault);
  const watched = reading(opened, async () => {
    await rig.database.kysely.insertInto("recovery_points").values(row).execute();
  });
  assert.deepEqual(await sweepPoints(rig.database, watched, vault), []);
  assert.deepEqual(await stored(rig, vault.guid), [row.store_point]);
});

for (const [what, change] of [
  ["its policy keeps them for longer", (rig: DomainRig) => rig.policy("Daily", withDays(300))],
  [
    "its protection is stopped, which keeps them for ever",
    async (rig: DomainRig, item: ProtectedItem) => {
      const vault = await rig.vault();
      await rig.database.transaction((trx) => stopProtection(trx, vault, item, by));
    },
  ],
] as const) {
  test(`no point goes by what held before ${what}`, async () => {
    await using rig = await rigWith(3);
    rig.clock.advance(60 * day);
    await using opened = await openVaultStore(rig.stores, await rig.vault());
    const watched = reading(opened, () => change(rig, rig.item));
    assert.deepEqual(await retainItem(rig.database, watched, rig.item.key), { deleted: 0 });
    assert.equal((await listed(rig, rig.item)).length, 3);
  });
}

function withDays(count: number): MachinePolicy {
  const { daily } = policy.retention;
  assert.ok(daily !== undefined);
  return { ...policy, retention: { ...policy.retention, daily: { ...daily, duration: { count, unit: "Days" } } } };
}

test("a damaged point that is over goes, and holds back neither the others nor the collection", async () => {
  await using rig = await rigWith(4);
  const vault = await rig.vault();
  const [first] = await listed(rig, rig.item);
  assert.ok(first !== undefined);
  writeFileSync(join(rig.folder, vaultStore(vault.guid), "points", first.storePoint), "damaged");
  rig.clock.advance(60 * day);
  await using opened = await openVaultStore(rig.stores, vault);
  assert.deepEqual(await retainItem(rig.database, opened, rig.item.key), { deleted: 3 });
  assert.equal((await stored(rig, vault.guid)).length, 1);
  const item = await getItem(rig.database.kysely, rig.item.key);
  await rig.database.transaction((trx) => deleteProtection(trx, vault, item, by));
  await rig.settled();
  const [last] = await listed(rig, rig.item);
  assert.ok(last !== undefined);
  writeFileSync(join(rig.folder, vaultStore(vault.guid), "points", last.storePoint), "damaged");
  rig.clock.advance(20 * day);
  await purgeItem(rig, vault, await getItem(rig.database.kysely, rig.item.key));
  const folder = join(rig.folder, vaultStore(vault.guid), "points");
  assert.deepEqual(
    readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()),
    [],
  );
  rig.clock.advance(20 * day);
  const { plan } = await collect(opened.vault, { limits: { ...limitsOfNow } });
  assert.deepEqual(plan.problems, []);
});

const limitsOfNow = {
  windowMilliseconds: -day,
  patienceMilliseconds: day,
  repackBelow: 0.5,
  mergeFrom: 16,
  abnormalFraction: 1,
  abnormalFromBytes: 0,
};

test("a deletion that is taken back in its last moment purges nothing", async () => {
  await using rig = await rigWith(1);
  const vault = await rig.vault();
  const { item } = await rig.database.transaction((trx) => deleteProtection(trx, vault, rig.item, by));
  await rig.settled();
  await rig.database.transaction((trx) => undeleteProtection(trx, vault, item, by));
  await purgeItem(rig, vault, item);
  assert.equal((await listed(rig, rig.item)).length, 1);
  assert.equal((await stored(rig, vault.guid)).length, 1);
  assert.equal((await getItem(rig.database.kysely, item.key)).deletion, undefined);
});

test("a clock that leaps makes no point old before it has been watched for a day", async () => {
  await using rig = await rigWith(3);
  const vault = await rig.vault();
  let running = 0;
  const look = clockWatch(
    rig.database,
    () => {},
    () => running,
  );
  await look();
  await using opened = await openVaultStore(rig.stores, vault);
  rig.clock.advance(400 * day);
  await look();
  assert.deepEqual(await retainItem(rig.database, opened, rig.item.key), { deleted: 0 });
  assert.equal((await listed(rig, rig.item)).length, 3);
  running += day;
  await look();
  assert.deepEqual(await retainItem(rig.database, opened, rig.item.key), { deleted: 2 });
});
