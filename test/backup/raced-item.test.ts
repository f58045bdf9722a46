// Two administrators at one item: what one has begun, the other makes impossible before it is taken up.

import assert from "node:assert/strict";
import { test } from "node:test";
import { seededPolicies } from "../../src/backup/policy/seeds.ts";
import type { MachinePolicy } from "../../src/backup/policy/policy.ts";
import { stopProtection } from "../../src/backup/protection/stop.ts";
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
