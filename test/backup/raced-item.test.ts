// Two administrators at one item: what one has begun, the other makes impossible before it is taken up.

import assert from "node:assert/strict";
import { test } from "node:test";
import { seededPolicies } from "../../src/backup/policy/seeds.ts";
import type { MachinePolicy } from "../../src/backup/policy/policy.ts";
import { createJob } from "../../src/backup/jobs/create-job.ts";
import { deleteProtection, stopProtection } from "../../src/backup/protection/stop.ts";
import { isErrorCode } from "../../src/lib/errors.ts";
import { startOnDemandBackup } from "../../src/backup/run/start-backup.ts";
import { by, startDomainRig } from "./domain-rig.ts";

test("protection that ends before its backup begins: UserErrorBcmDatasourceNotPresent, and no point", async () => {
  await using rig = await startDomainRig(Date.parse("2027-03-01T00:00:00Z"), ["vm1"]);
  const policy = seededPolicies["DefaultPolicy"] as MachinePolicy;
  await rig.policy("Daily", policy);
  const item = await rig.protect("vm1", { name: "Daily", policy });
  const vault = await rig.vault();
  const { id } = await rig.database.transaction(async (trx) => {
    const job = await startOnDemandBackup(trx, { vault, item, machine: undefined, expiresAt: undefined, by });
    await stopProtection(trx, vault, item, by);
    return job;
  });
  await rig.settled();
  const rows = rig.database.kysely.selectFrom("jobs").select(["status", "errors"]).where("id", "=", id);
  const { status, errors } = await rows.executeTakeFirstOrThrow();
  assert.deepEqual([status, JSON.parse(errors)[0].code], ["Failed", "UserErrorBcmDatasourceNotPresent"]);
  assert.deepEqual(await rig.database.kysely.selectFrom("recovery_points").select("id").execute(), []);
});

test("data is not deleted under a backup, whatever else works on the item", async () => {
  await using rig = await startDomainRig(Date.parse("2027-03-01T00:00:00Z"), ["vm1"]);
  const policy = seededPolicies["DefaultPolicy"] as MachinePolicy;
  await rig.policy("Daily", policy);
  const item = await rig.protect("vm1", { name: "Daily", policy });
  const vault = await rig.vault();
  const deletion = rig.database.transaction(async (trx) => {
    const draft = { vault, item: { key: item.key, name: "vm1", container: "" }, isUserTriggered: true, by };
    await createJob(trx, { ...draft, operation: "ConfigureBackup" });
    await startOnDemandBackup(trx, { vault, item, machine: undefined, expiresAt: undefined, by });
    await createJob(trx, { ...draft, operation: "ConfigureBackup" });
    await deleteProtection(trx, vault, item, by);
  });
  await assert.rejects(deletion, (error) => isErrorCode(error, "BMSUserErrorItemBusy"));
});
