// The whole way with Debian's az: a vault, a machine protected, backed up, looked at, changed, stopped,
// deleted and taken back, and the vault deleted by force.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { azEnvironment, azFails, azWith, type Az } from "../support/az.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { makeMachine } from "./rig.ts";

let service: TestService;
let images: string;
let az: Az;
const vault = ["--vault-name", "v1", "--resource-group", "lab"];
const item = [...vault, "--container-name", "vm1", "--item-name", "vm1", "--backup-management-type", "AzureIaasVM"];

const shown = item.map((word) => (word === "--item-name" ? "--name" : word));

before(async () => {
  service = await startTestService();
  images = mkdtempSync(join(tmpdir(), "holdfast-images-"));
  makeMachine(images, "vm1", 2);
  az = azWith(await azEnvironment(service));
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/lab`;
  await service.call("PUT", `${group}?api-version=2021-04-01`, { body: { location: "eastus" } });
  await service.call("PUT", `${group}/providers/Microsoft.Holdfast/hosts/shelf?api-version=2026-01-01`, {
    body: { location: "eastus", properties: { kind: "images", path: images } },
  });
});

after(async () => {
  await service?.[Symbol.asyncDispose]();
  rmSync(images, { recursive: true, force: true });
});

test("a vault with its settings, and policies", async () => {
  const created = await az("backup", "vault", "create", "-n", "v1", "-g", "lab", "-l", "eastus");
  assert.equal(created.name, "v1");
  const properties = await az("backup", "vault", "backup-properties", "show", "-n", "v1", "-g", "lab");
  assert.ok(JSON.stringify(properties).includes("softDeleteFeatureState"));
  const policy = await az("backup", "policy", "show", ...vault, "-n", "DefaultPolicy");
  policy.properties.retentionPolicy.dailySchedule.retentionDuration.count = 45;
  const file = join(images, "policy.json");
  writeFileSync(file, JSON.stringify(policy));
  const iaas = ["--backup-management-type", "AzureIaasVM"];
  const made = await az("backup", "policy", "create", ...vault, "-n", "Longer", "--policy", file, ...iaas);
  assert.equal(made.properties.retentionPolicy.dailySchedule.retentionDuration.count, 45);
});

test("a machine is found, protected, and known to be so", async () => {
  const vm = ["--vm", "vm1", "--policy-name", "DefaultPolicy"];
  const job = await az("backup", "protection", "enable-for-vm", ...vault, ...vm);
  assert.equal(job.properties.operation, "ConfigureBackup");
  const vaultId = await az("backup", "protection", "check-vm", "--vm", "vm1", "-g", "lab");
  assert.match(String(vaultId), /vaults\/v1$/);
  const containers = await az("backup", "container", "list", ...vault, "--backup-management-type", "AzureIaasVM");
  assert.deepEqual(
    containers.map(({ properties }: { properties: { friendlyName: string } }) => properties.friendlyName),
    ["vm1"],
  );
  const iaas = ["--backup-management-type", "AzureIaasVM"];
  const container = await az("backup", "container", "show", ...vault, "-n", "vm1", ...iaas);
  assert.equal(container.name, "IaasVMContainer;iaasvmcontainerv2;lab;vm1");
  const items = await az("backup", "item", "list", ...vault);
  assert.equal(items.length, 1);
  assert.equal(items[0].resourceGroup, "lab");
  const associated = await az("backup", "policy", "list-associated-items", ...vault, "-n", "DefaultPolicy");
  assert.equal(associated.length, 1);
});

test("it is backed up, and its job and its point are seen", async () => {
  const job = await az("backup", "protection", "backup-now", ...item, "--retain-until", "01-01-2100");
  assert.equal(job.properties.operation, "Backup");
  await az("backup", "job", "wait", ...vault, "-n", job.name);
  const ended = await az("backup", "job", "show", ...vault, "-n", job.name);
  assert.equal(ended.properties.status, "Completed");
  assert.deepEqual(
    ended.properties.extendedInfo.tasksList.map(({ taskId }: { taskId: string }) => taskId),
    ["Take Snapshot", "Transfer data to vault"],
  );
  const jobs = await az("backup", "job", "list", ...vault, "--operation", "Backup", "--status", "Completed");
  assert.deepEqual(
    jobs.map(({ name }: { name: string }) => name),
    [job.name],
  );
  const points = await az("backup", "recoverypoint", "list", ...item);
  assert.equal(points.length, 1);
  const point = await az("backup", "recoverypoint", "show", ...item, "-n", points[0].name);
  assert.equal(point.properties.recoveryPointType, "CrashConsistent");
  const stopped = await azFails(az, "backup", "job", "stop", ...vault, "-n", job.name);
  assert.match(stopped.text, /Completed/);
  const one = await az("backup", "item", "show", ...shown);
  assert.equal(one.properties.lastBackupStatus, "Completed");
});

test("its policy is changed; it is stopped, taken up again, deleted and had back", async () => {
  const changed = await az("backup", "item", "set-policy", ...shown, "--policy-name", "Longer");
  assert.equal(changed.properties.operation, "ConfigureBackup");
  const disk = ["--disk-list-setting", "exclude", "--diskslist", "0"];
  await az("backup", "protection", "update-for-vm", ...item.slice(0, -2), ...disk);
  assert.deepEqual(
    (await az("backup", "item", "show", ...shown)).properties.extendedProperties.diskExclusionProperties,
    {
      diskLunList: [0],
      isInclusionList: false,
    },
  );
  await az("backup", "protection", "disable", ...item, "--yes");
  assert.equal((await az("backup", "item", "show", ...shown)).properties.protectionState, "ProtectionStopped");
  const workload = ["--workload-type", "VM"];
  await az("backup", "protection", "resume", ...item, "--policy-name", "DefaultPolicy");
  assert.equal((await az("backup", "item", "show", ...shown)).properties.protectionState, "Protected");
  const deleted = await az("backup", "protection", "disable", ...item, "--delete-backup-data", "true", "--yes");
  assert.equal(deleted.properties.operation, "DeleteBackupData");
  assert.equal((await az("backup", "item", "show", ...shown)).properties.isScheduledForDeferredDelete, true);
  await az("backup", "protection", "undelete", ...item, ...workload);
  assert.equal((await az("backup", "item", "show", ...shown)).properties.isScheduledForDeferredDelete, false);
});

test("a vault is not deleted with its items, and by force only when soft delete lets them go", async () => {
  const refused = await azFails(az, "backup", "vault", "delete", "-n", "v1", "-g", "lab", "--yes");
  assert.match(refused.text, /existing resources within the vault/);
  const off = ["--soft-delete-feature-state", "Disable"];
  await az("backup", "vault", "backup-properties", "set", "-n", "v1", "-g", "lab", ...off);
  await az("backup", "vault", "delete", "-n", "v1", "-g", "lab", "--yes", "--force");
  const gone = await azFails(az, "backup", "vault", "show", "-n", "v1", "-g", "lab");
  assert.equal(gone.exitCode, 3);
});
