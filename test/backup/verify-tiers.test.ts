// Verification of points that are in two tiers: what one has lost comes back from the other.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { listPointsOf } from "../../src/backup/points/point.ts";
import { seededPolicies } from "../../src/backup/policy/seeds.ts";
import type { MachinePolicy } from "../../src/backup/policy/policy.ts";
import { vaultStore } from "../../src/backup/stores/store-name.ts";
import { verifyPoints, type VerificationResult } from "../../src/backup/verification/verify-vault.ts";
import { verify } from "../../src/store/index.ts";
import { startDomainRig } from "./domain-rig.ts";
import { writeDisk } from "./rig.ts";

const midnight = Date.parse("2027-03-01T00:00:00Z");
const policy = seededPolicies["DefaultPolicy"] as MachinePolicy; // daily at 05:30 UTC

test("a pack that is damaged in one tier is healed from the other; damaged in both, the point is broken", async () => {
  await using rig = await startDomainRig(midnight, ["vm1"], { hot: true });
  await rig.policy("Daily", policy);
  const { key } = await rig.protect("vm1", { name: "Daily", policy });
  writeDisk(join(rig.images, "vm1", "disk0.raw"), 0, randomBytes(1024 ** 2));
  rig.clock.set(midnight + 5.6 * 3_600_000);
  assert.equal(await rig.tick(), 1);
  await rig.settled();
  const [point] = await listPointsOf(rig.database.kysely, key);
  assert.deepEqual([point?.isInSnapshotTier, point?.isInVaultTier], [true, true]);

  const vault = await rig.vault();
  const place = vaultStore(vault.guid);
  const look = async (): Promise<VerificationResult> => {
    await using opened = await rig.stores.open(place);
    return verifyPoints(rig.database, opened, vault);
  };
  /** The largest pack of a tier: it holds the disk. */
  const packOf = (tier: string): string =>
    readdirSync(join(rig.folder, tier, "packs"), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted((a, b) => statSync(b).size - statSync(a).size)[0] ?? assert.fail(tier);
  const damage = (path: string): void => {
    const bytes = readFileSync(path);
    bytes[5000] = (bytes[5000] ?? 0) ^ 1;
    rmSync(path);
    writeFileSync(path, bytes);
  };
  const whole = { checked: 1, broken: [], healed: [], waiting: [] };
  const tiers = { vault: place, snapshot: join("hot", place) };
  for (const tier of Object.values(tiers)) {
    const pack = packOf(tier);
    const before = readFileSync(pack);
    damage(pack);
    assert.deepEqual(await look(), whole, tier);
    assert.ok(readFileSync(pack).equals(before), tier);
  }
  {
    await using opened = await rig.stores.open(place);
    assert.deepEqual((await verify(opened.vault, { quarantine: false })).broken, []);
  }
  for (const tier of Object.values(tiers)) damage(packOf(tier));
  assert.deepEqual(await look(), { ...whole, broken: [point?.id] });
  // The next backup stores again what both have lost.
  writeDisk(join(rig.images, "vm1", "disk0.raw"), 2 * 1024 ** 2, randomBytes(8192));
  rig.clock.set(midnight + 29.6 * 3_600_000);
  assert.equal(await rig.tick(), 1);
  await rig.settled();
  assert.deepEqual(await look(), { ...whole, checked: 2 });
});
