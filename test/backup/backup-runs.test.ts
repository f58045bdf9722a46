// Backups by schedule and by hand: when they run, which tiers their points are in, what becomes of a
// point that is damaged, and what a user is told when one fails.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import { startRig, writeDisk, type Rig, type WireJob } from "./rig.ts";

const hour = 3_600_000;
const day = 24 * hour;

const backups = async (rig: Rig): Promise<WireJob[]> =>
  (await rig.vault("GET", "/backupJobs?$filter=operation%20eq%20'Backup'")).json.value as WireJob[];
const openOnes = ["InProgress", "Cancelling"];
const settled = (rig: Rig, count: number): Promise<WireJob[]> =>
  waitFor(
    `${count} backups`,
    async () => {
      const jobs = await backups(rig);
      return jobs.length >= count && jobs.every(({ properties }) => !openOnes.includes(properties.status))
        ? jobs
        : undefined;
    },
    120_000,
  );

describe("by schedule", () => {
  let rig: Rig;
  before(async () => {
    // 01:00 UTC; the default policy runs at its own hour.
    rig = await startRig({ machines: { vm1: 1, vm2: 1 }, startAt: Date.parse("2027-03-01T01:00:00Z") / 1000 });
  });
  after(() => rig?.[Symbol.asyncDispose]());

  test("protection fires for nothing that is past; the next due time runs each item once", async () => {
    const policy = (await rig.vault("GET", "/backupPolicies/DefaultPolicy")).json;
    policy.properties.schedulePolicy.scheduleRunTimes = ["2027-01-01T02:00:00Z"];
    policy.properties.retentionPolicy.dailySchedule.retentionTimes = ["2027-01-01T02:00:00Z"];
    const saved = await rig.vault("PUT", "/backupPolicies/Night", { properties: policy.properties });
    assert.equal(saved.status, 200, saved.text);
    await rig.protect("vm1", "Night");
    await rig.protect("vm2", "Night");
    assert.deepEqual(await backups(rig), []);
    await rig.advance(hour + 60_000);
    const jobs = await settled(rig, 2);
    assert.equal(jobs.length, 2);
    assert.ok(jobs.every(({ properties }) => properties.status === "Completed"));
    const [point] = await rig.points("vm1");
    assert.equal(point?.properties.recoveryPointProperties.ruleName, "daily");
  });

  test("runs that were missed while nobody looked are made up by one", async () => {
    await rig.advance(5 * day);
    const jobs = await settled(rig, 4);
    assert.equal(jobs.length, 4);
  });

  test("a stopped item is not backed up", async () => {
    await rig.job(
      await rig.vault("PUT", rig.itemPath("vm2"), {
        properties: { policyId: "", protectionState: "ProtectionStopped" },
      }),
    );
    await rig.advance(day);
    assert.equal((await settled(rig, 5)).length, 5);
  });

  test("a machine that is gone fails with Azure's code, and what to do", async () => {
    renameSync(join(rig.images, "vm1"), join(rig.data, "vm1"));
    const job = await rig.backUp("vm1");
    assert.equal(job.properties.status, "Failed");
    const [error] = job.properties.errorDetails;
    assert.match(error?.errorString ?? "", /^UserErrorVmNotFoundV2: /);
    assert.ok(error?.recommendations.length);
    const { properties } = (await rig.item("vm1")).json;
    assert.equal(properties.lastBackupStatus, "Failed");
    assert.equal(properties.healthStatus, "ActionRequired");
    assert.equal(properties.healthDetails.length, 1);
    renameSync(join(rig.data, "vm1"), join(rig.images, "vm1"));
    const again = await rig.backUp("vm1");
    assert.equal(again.properties.status, "Completed", JSON.stringify(again.properties.errorDetails));
    assert.equal((await rig.item("vm1")).json.properties.healthStatus, "Passed");
  });

  test("a second backup while one is under way is refused", async () => {
    const path = `${rig.itemPath("vm1")}/backup`;
    const body = { properties: { objectType: "IaasVMBackupRequest" } };
    const answers = await Promise.all([1, 2, 3].map(() => rig.vault("POST", path, body)));
    const accepted = answers.filter(({ status }) => status === 202);
    assert.ok(accepted.length >= 1);
    for (const answer of answers) {
      if (answer.status !== 202) assert.equal(answer.json.error.code, "UserErrorBackupOperationInProgress");
    }
    for (const answer of accepted) await rig.job(answer);
  });

  test("the tenth backup by hand of a day is refused", async () => {
    for (;;) {
      const answer = await rig.vault("POST", `${rig.itemPath("vm1")}/backup`, {
        properties: { objectType: "IaasVMBackupRequest" },
      });
      if (answer.status === 202) {
        await rig.job(answer);
        continue;
      }
      assert.equal(answer.json.error.code, "BMSUserErrorOnDemandLimitReached");
      break;
    }
  });
});

describe("with a snapshot tier", () => {
  let rig: Rig;
  let hot: string;
  before(async () => {
    const allowed = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-hot-")));
    hot = join(allowed, "hot");
    rig = await startRig({ machines: { vm1: 1 }, environment: { HOLDFAST_PLACES_FOLDERS: allowed } });
    const set = await rig.vault("PUT", "/providers/Microsoft.Holdfast/vaultSettings/default", {
      properties: { place: { location: { kind: "folder" }, hot: { kind: "folder", path: hot } } },
    });
    assert.equal(set.status, 200, set.text);
  });
  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    rmSync(dirname(hot), { recursive: true, force: true });
  });
  const tiers = async () =>
    (await rig.points("vm1")).map(({ properties }) => properties.recoveryPointTierDetails.map(({ type }) => type));

  test("a place that is taken stays; credentials and unknown fields are not shown back", async () => {
    const path = "/providers/Microsoft.Holdfast/vaultSettings/default";
    const shown = (await rig.vault("GET", path)).json.properties;
    assert.deepEqual(shown.place, { location: { kind: "folder" }, hot: { kind: "folder", path: hot } });
    const moved = await rig.vault("PUT", path, {
      properties: { place: { location: { kind: "folder", path: "/nowhere" } } },
    });
    assert.equal(moved.json.error.code, "VaultPlaceInUse");
    assert.equal((await rig.vault("PUT", path, { properties: { place: { location: "here" } } })).status, 400);
    const verification = { scrubEveryDays: 3, deepVerifyEveryDays: 0 };
    assert.deepEqual((await rig.vault("PUT", path, { properties: { verification } })).json.properties, {
      ...shown,
      verification,
    });
  });

  test("a place that the server's configuration does not allow is refused, and the answer names the setting", async () => {
    const other = `${rig.group}/providers/Microsoft.RecoveryServices/vaults/v2`;
    await rig.call("PUT", other, { location: "eastus", sku: { name: "Standard" }, properties: {} });
    const credential = { kind: "s3", accessKeyId: "a", secretAccessKey: "b" };
    for (const [location, setting] of [
      [{ kind: "folder", path: "/etc/vault" }, /HOLDFAST_PLACES_FOLDERS/],
      [{ kind: "s3", url: "s3://b/p?endpoint=http%3A%2F%2Flocalhost%3A9000" }, /HOLDFAST_PLACES_ALLOW_LOOPBACK/],
      [{ kind: "s3", url: "s3://b/p?endpoint=http%3A%2F%2F169.254.169.254" }, /local link/],
    ] as const) {
      const answer = await rig.call("PUT", `${other}/providers/Microsoft.Holdfast/vaultSettings/default`, {
        properties: { place: { location, ...(location.kind === "s3" ? { credential } : {}) } },
      });
      assert.deepEqual([answer.status, answer.json.error.code], [403, "PlaceNotAllowed"], answer.text);
      assert.match(answer.text, setting);
    }
  });

  test("a point is in both tiers, and leaves the first when its instant days are over", async () => {
    await rig.protect("vm1");
    const job = await rig.backUp("vm1", new Date(rig.now() + 60 * day).toISOString());
    assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties.errorDetails));
    assert.deepEqual(await tiers(), [["InstantRP", "HardenedRP"]]);
    writeDisk(join(rig.images, "vm1", "disk0.raw"), 0, randomBytes(8192));
    await rig.advance(3 * day);
    await waitFor(
      "the snapshot tier to be left",
      async () => {
        const known = await tiers();
        return known.length >= 2 && known[0]?.length === 2 && known.at(-1)?.join() === "HardenedRP" ? true : undefined;
      },
      120_000,
    );
    assert.ok((await tiers())[0]?.includes("InstantRP"));
  });

  test("a point whose snapshot is lost is restored from the vault", async () => {
    // The days that were let pass had backups of their own.
    const running = "/backupJobs?$filter=status%20eq%20'InProgress'";
    await waitFor(
      "the end of what was due",
      async () => ((await rig.vault("GET", running)).json.value.length === 0 ? true : undefined),
      120_000,
    );
    await rig.backUp("vm1");
    const [newest] = await rig.points("vm1");
    const snapshots = findFiles(join(hot, "points")).toSorted();
    rmSync(snapshots.at(-1) ?? "");
    const job = await rig.job(
      await rig.vault("POST", `${rig.itemPath("vm1")}/recoveryPoints/${newest?.name}/restore`, {
        properties: {
          objectType: "IaasVMRestoreRequest",
          recoveryType: "RestoreDisks",
          region: "eastus",
          targetResourceGroupId: rig.group,
        },
      }),
    );
    assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties.errorDetails));
  });
});

describe("verification", () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ machines: { vm1: 1 } });
  });
  after(() => rig?.[Symbol.asyncDispose]());

  test("a damaged point is never shown as good, and the next backup heals it", async () => {
    await rig.protect("vm1");
    await rig.backUp("vm1", new Date(rig.now() + 400 * day).toISOString());
    const packs = findFiles(join(rig.data, "vaults")).filter((path) => path.includes("/packs/"));
    const largest = packs.toSorted((a, b) => statSync(b).size - statSync(a).size)[0];
    assert.ok(largest !== undefined);
    // Stop what is due meanwhile: only the damage shall be seen.
    await rig.job(
      await rig.vault("PUT", rig.itemPath("vm1"), {
        properties: { policyId: "", protectionState: "ProtectionStopped" },
      }),
    );
    writeDisk(largest, 1000, randomBytes(64));
    await rig.advance(8 * day);
    const first = await waitFor(
      "the damage to be found",
      async () => (await rig.points("vm1")).find(({ properties }) => properties.holdfast.isBroken),
      120_000,
    );
    assert.deepEqual(
      first.properties.recoveryPointTierDetails.map(({ status }) => status),
      ["Invalid"],
    );
    await rig.protect("vm1");
    const job = await rig.backUp("vm1");
    assert.ok(job.properties.status.startsWith("Completed"), JSON.stringify(job.properties.errorDetails));
    const points = await rig.points("vm1");
    assert.deepEqual(
      points.map(({ properties }) => properties.holdfast.isBroken),
      [false, false],
    );
  });
});

function findFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
