// The way from the snapshot tier to the vault, when the vault cannot be written.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { listPointsOf } from "../../src/backup/points/point.ts";
import { seededPolicies } from "../../src/backup/policy/seeds.ts";
import type { MachinePolicy } from "../../src/backup/policy/policy.ts";
import { owedTransfers } from "../../src/backup/run/transfer.ts";
import { vaultStore } from "../../src/backup/stores/store-name.ts";
import { listPoints, verify } from "../../src/store/index.ts";
import { startDomainRig, type DomainRig } from "./domain-rig.ts";
import { writeDisk } from "./rig.ts";

const hour = 3_600_000;
const midnight = Date.parse("2027-03-01T00:00:00Z");
const policy = seededPolicies["DefaultPolicy"] as MachinePolicy; // daily at 05:30 UTC
const runOf = (day: number): number => midnight + day * 24 * hour + 5.6 * hour;

/** Nothing can be put into the vault until it is disposed. */
async function withoutVault(rig: DomainRig): Promise<Disposable> {
  const packs = join(rig.folder, vaultStore((await rig.vault()).guid), "packs");
  renameSync(packs, `${packs}.away`);
  writeFileSync(packs, "");
  return {
    [Symbol.dispose]: () => {
      rmSync(packs);
      renameSync(`${packs}.away`, packs);
    },
  };
}

async function run(rig: DomainRig, day: number): Promise<string> {
  writeDisk(join(rig.images, "vm1", "disk0.raw"), day * 8192, randomBytes(8192));
  rig.clock.set(runOf(day));
  assert.equal(await rig.tick(), 1);
  await rig.settled();
  const { status } = await rig.database.kysely
    .selectFrom("jobs")
    .select("status")
    .where("operation", "=", "Backup")
    .orderBy("started_at", "desc")
    .executeTakeFirstOrThrow();
  return status;
}

test("what could not be sent is sent by the next backup, and without one by the caretaker", async () => {
  await using rig = await startDomainRig(midnight, ["vm1"], { hot: true, retry: { attempts: 1 } });
  await rig.policy("Daily", policy);
  const { key } = await rig.protect("vm1", { name: "Daily", policy });
  const tiers = async (): Promise<string[]> =>
    (await listPointsOf(rig.database.kysely, key)).map(
      ({ isInSnapshotTier, isInVaultTier }) => `${isInSnapshotTier ? "hot" : ""}${isInVaultTier ? "+vault" : ""}`,
    );
  assert.equal(await run(rig, 1), "Completed");
  {
    using _away = await withoutVault(rig);
    assert.equal(await run(rig, 2), "Failed");
    assert.equal(await run(rig, 3), "Failed");
    // What was tried in vain is there, and is owed.
    assert.deepEqual(await tiers(), ["hot+vault", "hot", "hot"]);
    assert.equal((await owedTransfers(rig.database, { itemKey: key })).length, 2);
  }
  assert.equal(await run(rig, 4), "Completed");
  // The first two have left the snapshot tier: their instant days are over.
  assert.deepEqual(await tiers(), ["+vault", "+vault", "hot+vault", "hot+vault"]);
  {
    using _away = await withoutVault(rig);
    assert.equal(await run(rig, 5), "Failed");
  }
  rig.clock.set(runOf(5) + 2 * hour);
  await rig.care();
  assert.equal((await tiers()).at(-1), "hot+vault");
  assert.deepEqual(await owedTransfers(rig.database, await rig.vault()), []);
  await using opened = await rig.stores.open(vaultStore((await rig.vault()).guid));
  assert.deepEqual((await verify(opened.vault, { quarantine: false })).broken, []);
  const { points, gaps } = await listPoints(opened.vault);
  assert.deepEqual([points.length, gaps], [5, []]);
});

test("points that stay in the snapshot tier bring no bytes into the vault", async () => {
  await using rig = await startDomainRig(midnight, ["vm1"], { hot: true });
  const hourly = seededPolicies["EnhancedPolicy"] as MachinePolicy; // 08:00, 12:00, 16:00 and 20:00 UTC
  await rig.policy("Hourly", hourly);
  const { key } = await rig.protect("vm1", { name: "Hourly", policy: hourly });
  for (const at of [8, 12, 16, 20]) {
    // What only one point has: four megabytes that compress badly.
    writeDisk(join(rig.images, "vm1", "disk0.raw"), 0, randomBytes(2 * 1024 ** 2));
    rig.clock.set(midnight + at * hour + 1000);
    assert.equal(await rig.tick(), 1);
    await rig.settled();
  }
  const points = await listPointsOf(rig.database.kysely, key);
  assert.deepEqual(
    points.map(({ isInVaultTier }) => isInVaultTier),
    [true, false, false, true],
  );
  await using opened = await rig.stores.open(vaultStore((await rig.vault()).guid));
  const sizeOf = async (store: typeof opened.vault): Promise<number> => {
    await store.index.refresh();
    return [...store.index.present()].reduce((sum, [, size]) => sum + size, 0);
  };
  assert.ok(opened.hot !== undefined);
  const [hot, vault] = [await sizeOf(opened.hot), await sizeOf(opened.vault)];
  assert.ok(vault < hot - 3.5 * 1024 ** 2, `${vault} bytes in the vault, ${hot} in the snapshot tier`);
});
