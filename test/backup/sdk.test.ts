// @azure/arm-recoveryservices and @azure/arm-recoveryservicesbackup, unmodified; and a template that makes
// a vault with a policy and a protected machine.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { waitFor } from "../../src/lib/time.ts";
import { projectRoot, startTestService, type TestService } from "../support/service.ts";
import { makeMachine, writeDisk } from "./rig.ts";

const execute = promisify(execFile);
const account = `sdkstage${process.pid}`;
let service: TestService;
let images: string;
let group: string;

before(async () => {
  service = await startTestService();
  images = mkdtempSync(join(tmpdir(), "holdfast-images-"));
  makeMachine(images, "vm1", 2);
  makeMachine(images, "vm2", 1);
  group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/lab`;
  await service.call("PUT", `${group}?api-version=2021-04-01`, { body: { location: "eastus" } });
  await service.call("PUT", `${group}/providers/Microsoft.Holdfast/hosts/shelf?api-version=2026-01-01`, {
    body: { location: "eastus", properties: { kind: "images", path: images } },
  });
  await service.call("PUT", `${group}/providers/Microsoft.Storage/storageAccounts/${account}?api-version=2022-09-01`, {
    body: { location: "eastus", kind: "StorageV2", sku: { name: "Standard_LRS" } },
  });
});

after(async () => {
  await service?.[Symbol.asyncDispose]();
  rmSync(images, { recursive: true, force: true });
});

/** What a program prints; SDKs take their certificate authorities from the environment at start. */
async function program(name: string): Promise<unknown> {
  const { tenantId, clientId, clientSecret, subscriptionId } = service.admin;
  const { stdout } = await execute(process.execPath, [`${projectRoot}/test/backup/programs/${name}.ts`], {
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: service.ca,
      ENDPOINT: service.endpoint,
      TENANT_ID: tenantId,
      CLIENT_ID: clientId,
      CLIENT_SECRET: clientSecret,
      SUBSCRIPTION_ID: subscriptionId,
      ACCOUNT: account,
    },
  });
  return JSON.parse(stdout);
}

test("the SDKs protect a machine, back it up, and see item, job and point", async () => {
  const seen = await program("backup");
  assert.deepEqual(seen, {
    protectable: ["vm1", "vm2"],
    protectedJob: "ConfigureBackup Completed",
    backup: "Backup Completed",
    point: ["IaasVMRecoveryPoint", ["HardenedRP"]],
    items: 1,
    state: "Protected",
    jobs: 1,
    containers: 1,
    status: "Protected",
    deleted: "DeleteBackupData Completed",
    missing: "404 BMSUserErrorRecoveryPointNotFound",
  });
});

test("the SDKs restore, open a point for its files, cancel, and export jobs", async () => {
  // Enough bytes that a restore can be cancelled while it goes on.
  const big = join(makeMachine(images, "vm3", 2), "disk1.raw");
  truncateSync(big, 192 * 1024 ** 2);
  writeDisk(big, 0, randomBytes(128 * 1024 ** 2));
  // A new machine is found within seconds, not at once.
  const machine = `${group}/providers/Microsoft.Compute/virtualMachines/vm3?api-version=2024-07-01`;
  const found = async () => ((await service.call("GET", machine)).status === 200 ? true : undefined);
  await waitFor("vm3 to be found", found, 120_000);
  assert.deepEqual(await program("restore"), {
    intent: "AzureResourceItem",
    backup: "Backup Completed",
    validated: ["UserErrorInvalidDiskLunList"],
    restored: "Restore Completed",
    target: account,
    opened: ["OperationStatusProvisionILRExtendedInfo", ["Linux"]],
    isOpen: [true, false],
    cancellation: "Restore Cancelled",
    tooLate: "BMSUserErrorJobNotCancellable",
    exported: ["Backup", "ConfigureBackup", "Restore", "Restore"],
    workbook: ["PK", true],
    withoutKey: 401,
    refused: [
      "BMSUserErrorOperationNotSupported",
      "BMSUserErrorOperationNotSupported",
      "BMSUserErrorOperationNotSupported",
      "BMSUserErrorOperationNotSupported",
      "BMSUserErrorOperationNotSupported",
      "BMSUserErrorDeletedVaultNotFound",
    ],
    deleted: true,
  });
});

test("a template makes a vault with a policy and protects a machine", async () => {
  const vault = "[concat('templated')]";
  const api = "2023-06-01";
  const time = ["2026-01-01T02:00:00Z"];
  const names = "iaasvmcontainerv2;lab;vm2";
  const template = {
    $schema: "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    contentVersion: "1.0.0.0",
    resources: [
      {
        type: "Microsoft.RecoveryServices/vaults",
        apiVersion: api,
        name: vault,
        location: "eastus",
        sku: { name: "RS0", tier: "Standard" },
        properties: {},
      },
      {
        type: "Microsoft.RecoveryServices/vaults/backupPolicies",
        apiVersion: api,
        name: "templated/Nightly",
        dependsOn: ["[resourceId('Microsoft.RecoveryServices/vaults', 'templated')]"],
        properties: {
          backupManagementType: "AzureIaasVM",
          schedulePolicy: {
            schedulePolicyType: "SimpleSchedulePolicy",
            scheduleRunFrequency: "Daily",
            scheduleRunTimes: time,
          },
          retentionPolicy: {
            retentionPolicyType: "LongTermRetentionPolicy",
            dailySchedule: { retentionTimes: time, retentionDuration: { count: 30, durationType: "Days" } },
          },
          timeZone: "UTC",
        },
      },
      {
        type: "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
        apiVersion: api,
        name: `templated/Azure/iaasvmcontainer;${names}/vm;${names}`,
        dependsOn: ["[resourceId('Microsoft.RecoveryServices/vaults/backupPolicies', 'templated', 'Nightly')]"],
        properties: {
          protectedItemType: "Microsoft.Compute/virtualMachines",
          policyId: "[resourceId('Microsoft.RecoveryServices/vaults/backupPolicies', 'templated', 'Nightly')]",
          sourceResourceId: "[resourceId('Microsoft.Compute/virtualMachines', 'vm2')]",
        },
      },
    ],
  };
  const path = `${group}/providers/Microsoft.Resources/deployments/backups?api-version=2021-04-01`;
  const sent = await service.call("PUT", path, { body: { properties: { mode: "Incremental", template } } });
  assert.ok(sent.status < 300, sent.text);
  const deployment = await waitFor(
    "the deployment",
    async () => {
      const { json } = await service.call("GET", path);
      return ["Succeeded", "Failed"].includes(json.properties.provisioningState) ? json : undefined;
    },
    120_000,
  );
  assert.equal(deployment.properties.provisioningState, "Succeeded", JSON.stringify(deployment.properties.error));
  const items = await service.call(
    "GET",
    `${group}/providers/Microsoft.RecoveryServices/vaults/templated/backupProtectedItems?api-version=${api}`,
  );
  assert.deepEqual(
    items.json.value.map(({ properties }: { properties: object }) => [
      Reflect.get(properties, "friendlyName"),
      Reflect.get(properties, "policyName"),
    ]),
    [["vm2", "Nightly"]],
  );
});
