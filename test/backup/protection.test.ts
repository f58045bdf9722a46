// The life of an item over the wire, on a folder of images: found, protected, backed up, stopped, deleted,
// taken back, gone.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import { dataFolder } from "../../src/server/data-folder.ts";
import type { Answer } from "../support/service.ts";
import { clientFor } from "../support/client.ts";
import { startRig, type Rig } from "./rig.ts";

const day = 86_400_000;
let rig: Rig;

before(async () => {
  rig = await startRig({ machines: { vm1: 3, vm2: 1, vm3: 1 } });
});
after(() => rig?.[Symbol.asyncDispose]());

const names = (answer: { json: { value: { properties: { friendlyName: string } }[] } }): string[] =>
  answer.json.value.map(({ properties }) => properties.friendlyName);
const code = (answer: { json: { error: { code: string } } }): string => answer.json.error.code;

test("machines are found, and looking again answers 202 and then 204", async () => {
  const filter = "$filter=backupManagementType%20eq%20'AzureIaasVM'";
  assert.deepEqual(names(await rig.vault("GET", `/backupProtectableItems?${filter}`)), ["vm1", "vm2", "vm3"]);
  const refresh = await rig.vault("POST", "/backupFabrics/Azure/refreshContainers");
  assert.equal(refresh.status, 202);
  const operation = String(refresh.headers["location"]).split("/").at(-1)?.split("?")[0];
  assert.equal((await rig.vault("GET", `/backupFabrics/Azure/operationResults/${operation}`)).status, 204);
});

test("who may not see a machine is not told that it could be protected", async () => {
  const client = await clientFor(rig.service.running, rig.data);
  const operator = await client.createPrincipal("backup operator of the vault");
  await client.assign(operator.principalId, "00c29273-979b-4161-815c-10b084fb9324", rig.vaultId);
  const filter = "$filter=backupManagementType%20eq%20'AzureIaasVM'&api-version=2023-06-01";
  const answer = await operator.call("GET", `${rig.vaultId}/backupProtectableItems?${filter}`);
  assert.deepEqual([answer.status, answer.json.value], [200, []]);
  await client.assign(operator.principalId, "acdd72a7-3385-48ef-bd42-f606fba81ae7", rig.machineId("vm2"));
  assert.deepEqual(names(await operator.call("GET", `${rig.vaultId}/backupProtectableItems?${filter}`)), ["vm2"]);
});

test("a provider tells its operations, as the SDKs ask for them", async () => {
  const { json } = await rig.call("GET", "/providers/Microsoft.RecoveryServices/operations");
  const told = (json.value as { name: string; display: { operation: string } }[]).find(
    ({ name }) => name === "Microsoft.RecoveryServices/vaults/write",
  );
  assert.equal(told?.display.operation, "vaults/write");
});

test("a machine is protected, and is then no longer to be protected", async () => {
  await rig.protect("vm1");
  const { json } = await rig.item("vm1");
  assert.equal(json.name, "VM;iaasvmcontainerv2;lab;vm1");
  assert.equal(json.properties.protectionState, "IRPending");
  assert.equal(json.properties.policyName, "DefaultPolicy");
  assert.equal(json.properties.workloadType, "VM");
  assert.deepEqual(names(await rig.vault("GET", "/backupProtectableItems")), ["vm2", "vm3"]);
  const containers = await rig.vault(
    "GET",
    "/backupProtectionContainers?$filter=backupManagementType%20eq%20'AzureIaasVM'%20and%20friendlyName%20eq%20'VM1'%20and%20status%20eq%20'Registered'",
  );
  assert.deepEqual(names(containers), ["vm1"]);
  const policy = (await rig.vault("GET", "/backupPolicies/DefaultPolicy")).json;
  assert.equal(policy.properties.protectedItemsCount, 1);
  const vaultOf = async (name: string): Promise<unknown> => {
    const status = await rig.call(
      "POST",
      `/subscriptions/${rig.service.running.subscriptionId}/providers/Microsoft.RecoveryServices/locations/eastus/backupStatus`,
      { resourceType: "VM", resourceId: rig.machineId(name) },
    );
    return status.json.vaultId;
  };
  assert.deepEqual([await vaultOf("vm1"), await vaultOf("vm2")], [rig.vaultId, null]);
});

test("a machine is in one vault only, and its names must fit", async () => {
  const other = rig.vaultId.replace(/v1$/, "v2");
  await rig.call("PUT", other, { location: "eastus", sku: { name: "Standard" }, properties: {} });
  const body = (id: string, policy = "DefaultPolicy") => ({
    properties: { policyId: `${other}/backupPolicies/${policy}`, sourceResourceId: id },
  });
  const elsewhere = await rig.call("PUT", `${other}${rig.itemPath("vm1")}`, body(rig.machineId("vm1")));
  assert.equal(elsewhere.status, 409);
  assert.equal(code(elsewhere), "BMSUserErrorVMAlreadyProtected");
  const misnamed = await rig.call("PUT", `${other}${rig.itemPath("vm2")}`, body(rig.machineId("vm3")));
  assert.equal(code(misnamed), "BMSUserErrorInvalidItem");
  const unknown = await rig.call("PUT", `${other}${rig.itemPath("none")}`, body(rig.machineId("none")));
  assert.equal(code(unknown), "UserErrorVmNotFoundV2");
  const fabric = rig.itemPath("vm2").replace("/Azure/", "/Elsewhere/");
  assert.equal(
    code(await rig.call("PUT", `${other}${fabric}`, body(rig.machineId("vm2")))),
    "BMSUserErrorFabricNotFound",
  );
  const noPolicy = await rig.call("PUT", `${other}${rig.itemPath("vm2")}`, body(rig.machineId("vm2"), "Nope"));
  assert.equal(code(noPolicy), "BMSUserErrorPolicyNotFound");
  const wrongKind = await rig.call(
    "PUT",
    `${other}${rig.itemPath("vm2")}`,
    body(rig.machineId("vm2"), "HourlyLogBackup"),
  );
  assert.equal(code(wrongKind), "BMSUserErrorPolicyTypeMismatch");
  assert.equal((await rig.call("DELETE", other)).status, 200);
});

test("a backup makes a point with its tasks, and the item tells of it", async () => {
  const job = await rig.backUp("vm1", new Date(rig.now() + 40 * day).toISOString());
  assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties.errorDetails));
  assert.deepEqual(
    job.properties.extendedInfo.tasksList.map(({ taskId, status }) => [taskId, status]),
    [
      ["Take Snapshot", "Completed"],
      ["Transfer data to vault", "Completed"],
    ],
  );
  assert.match(job.properties.extendedInfo.propertyBag["Backup Size"] ?? "", /^\d+ MB$/);
  const [point] = await rig.points("vm1");
  assert.equal(point?.properties.recoveryPointType, "CrashConsistent");
  assert.match(point?.name ?? "", /^\d{12,19}$/);
  assert.deepEqual(
    point?.properties.recoveryPointTierDetails.map(({ type, status }) => [type, status]),
    [["HardenedRP", "Valid"]],
  );
  assert.equal(point?.properties.recoveryPointDiskConfiguration.includedDiskList.length, 3);
  assert.ok(
    Math.abs(Date.parse(point?.properties.recoveryPointProperties.expiryTime ?? "") - rig.now() - 40 * day) < day,
  );
  const { properties } = (await rig.item("vm1")).json;
  assert.equal(properties.protectionState, "Protected");
  assert.equal(properties.lastBackupStatus, "Completed");
  assert.equal(properties.extendedInfo.recoveryPointCount, 1);
  assert.equal(properties.lastRecoveryPoint, point?.properties.recoveryPointTime);
  const one = await rig.vault("GET", `${rig.itemPath("vm1")}/recoveryPoints/${point?.name}`);
  assert.deepEqual(one.json, point);
});

test("disks are left out and taken in, and a LUN that is not there is refused", async () => {
  const exclude = (diskLunList: number[], isInclusionList: boolean) => ({
    extendedProperties: { diskExclusionProperties: { diskLunList, isInclusionList } },
  });
  await rig.protect("vm1", "DefaultPolicy", exclude([1], false));
  const job = await rig.backUp("vm1");
  assert.match(job.properties.extendedInfo.propertyBag["Excluded disk(s)"] ?? "", /LUN 1/);
  const luns = async () =>
    (await rig.points("vm1"))[0]?.properties.recoveryPointDiskConfiguration.includedDiskList.map(({ lun }) => lun);
  assert.deepEqual(await luns(), [-1, 0]);
  // A change of policy alone keeps the choice; an empty one takes it back.
  await rig.protect("vm1", "EnhancedPolicy");
  await rig.protect("vm1", "DefaultPolicy", exclude([], true));
  await rig.backUp("vm1");
  assert.deepEqual(await luns(), [-1]);
  await rig.protect("vm1", "DefaultPolicy", { extendedProperties: {} });
  assert.equal((await rig.item("vm1")).json.properties.extendedProperties.diskExclusionProperties, null);
  const wrong = await rig.vault("PUT", rig.itemPath("vm1"), {
    properties: {
      policyId: `${rig.vaultId}/backupPolicies/DefaultPolicy`,
      sourceResourceId: rig.machineId("vm1"),
      ...exclude([7], false),
    },
  });
  assert.equal(code(wrong), "UserErrorInvalidDiskLunList");
});

test("two admins who protect one machine at once get one item", async () => {
  const put = () =>
    rig.vault("PUT", rig.itemPath("vm3"), {
      properties: { policyId: `${rig.vaultId}/backupPolicies/DefaultPolicy`, sourceResourceId: rig.machineId("vm3") },
    });
  const answers = await Promise.all([put(), put(), put()]);
  for (const answer of answers) assert.equal((await rig.job(answer)).properties.status, "Completed");
  const { json } = await rig.vault("GET", "/backupProtectedItems?$filter=policyName%20eq%20'DefaultPolicy'");
  assert.equal(json.value.filter(({ name }: { name: string }) => name.endsWith("vm3")).length, 1);
});

test("an item that was stopped keeps its points, takes no backup, and is taken up again", async () => {
  const stopped = await rig.job(
    await rig.vault("PUT", rig.itemPath("vm1"), {
      properties: { policyId: "", protectionState: "ProtectionStopped", sourceResourceId: rig.machineId("vm1") },
    }),
  );
  assert.equal(stopped.properties.operation, "DisableBackup");
  assert.equal((await rig.item("vm1")).json.properties.protectionState, "ProtectionStopped");
  assert.equal((await rig.points("vm1")).length, 3);
  const refused = await rig.vault("POST", `${rig.itemPath("vm1")}/backup`, {
    properties: { objectType: "IaasVMBackupRequest" },
  });
  assert.equal(code(refused), "BMSUserErrorProtectionNotConfigured");
  const suspend = await rig.vault("PUT", rig.itemPath("vm1"), {
    properties: { policyId: "", protectionState: "BackupsSuspended" },
  });
  assert.equal(code(suspend), "BMSUserErrorSuspendNeedsImmutability");
  await rig.protect("vm1");
  assert.equal((await rig.item("vm1")).json.properties.protectionState, "Protected");
});

test("what is deleted can be had back until its purge, and is gone after it", async () => {
  const deleted = await rig.job(await rig.vault("DELETE", rig.itemPath("vm1")));
  assert.equal(deleted.properties.operation, "DeleteBackupData");
  const { properties } = (await rig.item("vm1")).json;
  assert.equal(properties.isScheduledForDeferredDelete, true);
  assert.equal(properties.protectionState, "ProtectionStopped");
  assert.match(properties.deferredDeleteTimeRemaining, /^13\.23:59:\d\d$/);
  assert.ok((await rig.points("vm1")).every(({ properties }) => properties.recoveryPointProperties.isSoftDeleted));
  const blocked = await rig.call("DELETE", rig.vaultId);
  assert.match(blocked.text, /existing resources within the vault/);
  const again = await rig.vault("PUT", rig.itemPath("vm1"), {
    properties: { policyId: `${rig.vaultId}/backupPolicies/DefaultPolicy`, sourceResourceId: rig.machineId("vm1") },
  });
  assert.equal(code(again), "BMSUserErrorItemSoftDeleted");
  const [point] = await rig.points("vm1");
  const restore = await rig.vault("POST", `${rig.itemPath("vm1")}/recoveryPoints/${point?.name}/restore`, {
    properties: {
      objectType: "IaasVMRestoreRequest",
      recoveryType: "RestoreDisks",
      region: "eastus",
      targetResourceGroupId: rig.group,
    },
  });
  assert.equal(code(restore), "UserErrorRecoveryPointNotFound");
  const back = await rig.job(
    await rig.vault("PUT", rig.itemPath("vm1"), {
      properties: { policyId: "", protectionState: "ProtectionStopped", isRehydrate: true },
    }),
  );
  assert.equal(back.properties.operation, "Undelete");
  assert.equal((await rig.item("vm1")).json.properties.isScheduledForDeferredDelete, null);
  await rig.job(await rig.vault("DELETE", rig.itemPath("vm1")));
  // Another period that is set later changes nothing for what is deleted already.
  const keepFor = (days: number): Promise<Answer> =>
    rig.vault("PATCH", "/backupconfig/vaultconfig", { properties: { softDeleteRetentionPeriodInDays: days } });
  assert.equal((await keepFor(30)).status, 200);
  await rig.advance(13 * day);
  assert.equal((await rig.item("vm1")).status, 200);
  await rig.advance(day + 60_000);
  await waitFor("the purge", async () => ((await rig.item("vm1")).status === 404 ? true : undefined), 120_000);
  assert.ok(names(await rig.vault("GET", "/backupProtectableItems")).includes("vm1"));
  assert.equal((await keepFor(14)).status, 200);
});

test("soft delete keeps also an item that was never backed up", async () => {
  await rig.protect("vm2");
  await rig.job(await rig.vault("DELETE", rig.itemPath("vm2")));
  const { properties } = (await rig.item("vm2")).json;
  assert.deepEqual([properties.isScheduledForDeferredDelete, properties.protectionState], [true, "ProtectionStopped"]);
  await rig.job(
    await rig.vault("PUT", rig.itemPath("vm2"), {
      properties: { policyId: "", protectionState: "ProtectionStopped", isRehydrate: true },
    }),
  );
});

/** The objects that name what can be restored of vm2. */
function storedPoints(): string[] {
  const all = readdirSync(join(rig.data, "vaults"), { recursive: true, encoding: "utf8" });
  return all.filter((path) => /\/points\/vm2_[^/]+\/[^/]+$/.test(path));
}

test("without soft delete, data goes with the job", async () => {
  await rig.vault("PATCH", "/backupconfig/vaultconfig", { properties: { softDeleteFeatureState: "Disabled" } });
  await rig.protect("vm2");
  await rig.backUp("vm2");
  assert.equal(storedPoints().length, 1);
  const deleted = await rig.job(await rig.vault("DELETE", rig.itemPath("vm2")));
  assert.equal(deleted.properties.status, "Completed");
  assert.equal((await rig.item("vm2")).status, 404);
  assert.deepEqual(storedPoints(), []);
  assert.equal((await rig.vault("DELETE", rig.itemPath("vm2"))).status, 204);
});

test("an immutable vault deletes nothing and takes no policy that keeps less", async () => {
  await rig.protect("vm2");
  await rig.backUp("vm2");
  await rig.call("PATCH", rig.vaultId, {
    properties: { securitySettings: { immutabilitySettings: { state: "Unlocked" } } },
  });
  const deletion = await rig.vault("DELETE", rig.itemPath("vm2"));
  assert.equal(code(deletion), "BMSUserErrorImmutabilityViolation");
  const policy = (await rig.vault("GET", "/backupPolicies/DefaultPolicy")).json;
  policy.properties.retentionPolicy.dailySchedule.retentionDuration = { count: 7, durationType: "Days" };
  const short = await rig.vault("PUT", "/backupPolicies/Short", { properties: policy.properties });
  assert.equal(short.status, 200, short.text);
  const swap = await rig.vault("PUT", rig.itemPath("vm2"), {
    properties: { policyId: `${rig.vaultId}/backupPolicies/Short`, sourceResourceId: rig.machineId("vm2") },
  });
  assert.equal(code(swap), "BMSUserErrorImmutabilityViolation");

  // Nor does it on the way round: stopped first, and resumed with less.
  await rig.job(
    await rig.vault("PUT", rig.itemPath("vm2"), {
      properties: { policyId: "", protectionState: "ProtectionStopped" },
    }),
  );
  {
    using database = new DatabaseSync(dataFolder(rig.data).database, { timeout: 10_000 });
    const noted = `UPDATE recovery_points SET origin = 'scheduled', expires_at = NULL, due_at = taken_at,
      keep_until = taken_at + ${29 * day} WHERE item_key LIKE '%;vm2'`;
    assert.ok(Number(database.prepare(noted).run().changes) > 0);
  }
  const resume = (name: string) =>
    rig.vault("PUT", rig.itemPath("vm2"), {
      properties: { policyId: `${rig.vaultId}/backupPolicies/${name}`, sourceResourceId: rig.machineId("vm2") },
    });
  const resumed = await resume("Short");
  assert.equal(code(resumed), "BMSUserErrorImmutabilityViolation", resumed.text);
  assert.equal((await rig.item("vm2")).json.properties.protectionState, "ProtectionStopped");
  await rig.job(await resume("DefaultPolicy"));
  const suspended = await rig.job(
    await rig.vault("PUT", rig.itemPath("vm2"), {
      properties: { policyId: "", protectionState: "BackupsSuspended" },
    }),
  );
  assert.equal(suspended.properties.status, "Completed");
  assert.equal((await rig.item("vm2")).json.properties.protectionState, "BackupsSuspended");
});

test("jobs are listed from the newest, by state, operation and time, in pages", async () => {
  const all = (await rig.vault("GET", "/backupJobs")).json.value;
  assert.ok(all.length > 10);
  const backups = (
    await rig.vault("GET", "/backupJobs?$filter=operation%20eq%20'backup'%20and%20status%20eq%20'Completed'")
  ).json.value;
  assert.ok(backups.length > 0);
  assert.ok(
    backups.every(({ properties }: { properties: { operation: string } }) => properties.operation === "Backup"),
  );
  const paged: string[] = [];
  let path: string | undefined = "/backupJobs?$top=4";
  while (path !== undefined) {
    const { json }: { json: { value: { name: string }[]; nextLink?: string } } = await rig.vault("GET", path);
    paged.push(...json.value.map(({ name }) => name));
    path =
      json.nextLink === undefined
        ? undefined
        : `/backupJobs?${json.nextLink.split("?")[1]?.replace(/api-version=[^&]*&?/, "")}`;
  }
  assert.deepEqual(
    paged,
    all.map(({ name }: { name: string }) => name),
  );
  const none = await rig.vault("GET", "/backupJobs?$filter=startTime%20eq%20'2199-01-01%2012:00:00%20AM'");
  assert.deepEqual(none.json.value, []);
  assert.equal((await rig.vault("GET", "/backupJobs?$filter=startTime%20eq%20'x'")).status, 400);
});
