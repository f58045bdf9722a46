// What a vault and its policies refuse once something is protected, and what the dry run of retention
// says about points that are there.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startRig, type Rig } from "../backup/rig.ts";
import type { Answer } from "../support/service.ts";

let rig: Rig;
const day = 86_400_000;

before(async () => {
  rig = await startRig({ machines: { vm1: 1 } });
  await rig.protect("vm1");
  await rig.backUp("vm1", new Date(rig.now() + 3 * day).toISOString());
});

after(() => rig?.[Symbol.asyncDispose]());

function refused(answer: Answer, code: string): string {
  assert.equal(answer.status, 400, answer.text);
  assert.equal(answer.json.error.code, code);
  return answer.json.error.message as string;
}

test("the items of a policy are counted, and it is not deleted under them", async () => {
  const shown = await rig.vault("GET", "/backupPolicies/DefaultPolicy");
  assert.equal(shown.json.properties.protectedItemsCount, 1);
  const message = refused(await rig.vault("DELETE", "/backupPolicies/DefaultPolicy"), "BMSUserErrorPolicyObjectInUse");
  assert.match(message, /associated with 1 backup item\./);
  assert.equal((await rig.vault("GET", "/usages")).json.value[0].currentValue, 1);
});

test("the vault is not deleted under its items, in the words that az waits for", async () => {
  const message = refused(await rig.vault("DELETE", ""), "BMSUserErrorVaultDeletionNotAllowed");
  assert.match(message, /existing resources within the vault\. .*vm1/);
});

test("redundancy is settled once something is protected", async () => {
  const path = "/backupstorageconfig/vaultstorageconfig";
  assert.equal((await rig.vault("GET", path)).json.properties.storageTypeState, "Locked");
  const put = await rig.vault("PUT", path, { properties: { storageModelType: "ZoneRedundant" } });
  refused(put, "BMSUserErrorRedundancyChangeNotAllowed");
});

test("an immutable vault lets a policy in use grow, and not shrink", async () => {
  const immutable = (state: string): Promise<Answer> =>
    rig.vault("PATCH", "", { properties: { securitySettings: { immutabilitySettings: { state } } } });
  assert.equal((await immutable("Unlocked")).status, 200);
  const { properties } = (await rig.vault("GET", "/backupPolicies/DefaultPolicy")).json;
  const put = (days: number): Promise<Answer> => {
    properties.retentionPolicy.dailySchedule.retentionDuration.count = days;
    return rig.vault("PUT", "/backupPolicies/DefaultPolicy", { properties });
  };
  assert.equal((await put(40)).status, 200);
  const message = refused(await put(39), "BMSUserErrorImmutabilityViolation");
  assert.match(message, /dailySchedule\.retentionDuration' would go from 40 Days to 39 Days/);
  assert.equal((await immutable("Disabled")).status, 200);
  assert.equal((await put(30)).status, 200);
});

test("the dry run says until when each point is kept and by which rule, and changes nothing", async () => {
  const path = `${rig.itemPath("vm1")}/providers/Microsoft.Holdfast/retentionPreview`;
  const ask = async (body: object): Promise<Answer["json"]> => {
    const answer = await rig.vault("POST", path, body);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  };
  const [point, ...others] = (await ask({})).points;
  assert.equal(others.length, 0);
  assert.equal(point.ruleName, "onDemand");
  assert.deepEqual([point.isNewest, point.isDeleted], [true, false]);
  assert.equal(Date.parse(point.keepUntil) > rig.now() + 2 * day, true);
  assert.deepEqual((await ask({ policyName: "EnhancedPolicy" })).deletions, []);
  assert.equal((await rig.points("vm1")).length, 1);
  const wrong = await rig.vault("POST", path, {
    policy: { backupManagementType: "AzureIaasVM" },
  });
  assert.equal(wrong.json.error.code, "BMSUserErrorInvalidPolicyInput");
});
