// Vaults and policies by Debian's az, and by a template that az deploys.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { azEnvironment, azFails, azWith, type Az } from "../support/az.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
let az: Az;
let folder: string;

before(async () => {
  service = await startTestService();
  az = azWith(await azEnvironment(service));
  folder = await mkdtemp(join(tmpdir(), "holdfast-az-vaults-"));
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/rg`;
  await service.call("PUT", `${group}?api-version=2021-04-01`, { body: { location: "eastus" } });
});

after(async () => {
  await service?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Answers are looked into freely. */
type Shown = Awaited<ReturnType<Az>>;

const own = ["--name", "v1", "--resource-group", "rg"];
const inVault = ["--vault-name", "v1", "--resource-group", "rg"];
const vault = (...words: string[]): Promise<Shown> => az("backup", "vault", ...words);
const policy = (...words: string[]): Promise<Shown> => az("backup", "policy", ...words);

async function file(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(content));
  return path;
}

test("az creates a vault, shows it, lists it, and creates it again without changing it", async () => {
  const made = await vault("create", ...own, "--location", "eastus", "--immutability-state", "Unlocked");
  assert.equal(made.properties.provisioningState, "Succeeded");
  assert.equal(made.resourceGroup, "rg");
  const again = await vault("create", ...own, "--location", "eastus", "--tags", "a=b");
  assert.equal(again.properties.publicNetworkAccess, "Enabled");
  assert.equal(again.properties.securitySettings.immutabilitySettings.state, "Unlocked");
  assert.equal((await vault("show", ...own)).name, "v1");
  for (const where of [[], ["--resource-group", "rg"]]) assert.equal((await vault("list", ...where)).length, 1);
  assert.equal((await azFails(az, "backup", "vault", "show", "--name", "none", "--resource-group", "rg")).exitCode, 3);
});

test("az gives a vault identities and takes them away", async () => {
  const system = await vault("identity", "assign", ...own, "--system-assigned");
  assert.equal(system.identity.type, "SystemAssigned");
  const mine = await az("identity", "create", "--name", "mine", "--resource-group", "rg", "--location", "eastus");
  const both = await vault("identity", "assign", ...own, "--user-assigned", mine.id);
  assert.equal(both.identity.type, "SystemAssigned, UserAssigned");
  assert.equal((await vault("identity", "show", ...own)).principalId, system.identity.principalId);
  const left = await vault("identity", "remove", ...own, "--user-assigned", mine.id);
  assert.equal(left.identity.type, "SystemAssigned");
});

test("az shows with which key a vault is encrypted", async () => {
  const shown = await vault("encryption", "show", ...own);
  assert.equal(shown.properties.encryptionAtRestType, "MicrosoftManaged");
});

test("az sets redundancy, alerts and soft delete", async () => {
  const properties = (...words: string[]): Promise<Shown> => vault("backup-properties", ...words, ...own);
  const redundancy = await properties("set", "--backup-storage-redundancy", "LocallyRedundant");
  assert.equal(redundancy.properties.storageType, "LocallyRedundant");
  const alerts = await properties("set", "--classic-alerts", "Disable");
  assert.equal(alerts.properties.monitoringSettings.classicAlertSettings.alertsForCriticalOperations, "Disabled");
  const soft = await properties("set", "--soft-delete-feature-state", "Disable");
  assert.equal(soft.properties.softDeleteFeatureState, "Disabled");
  const [storage, config] = await properties("show");
  assert.equal(storage.properties.storageModelType, "LocallyRedundant");
  assert.equal(config.properties.softDeleteFeatureState, "Disabled");
});

test("az lists, shows, creates, sets and deletes policies", async () => {
  const listed = await policy("list", ...inVault);
  assert.deepEqual(
    listed.map(({ name }: { name: string }) => name),
    ["DefaultPolicy", "EnhancedPolicy", "HourlyLogBackup"],
  );
  assert.equal((await policy("list", ...inVault, "--backup-management-type", "AzureWorkload")).length, 1);
  assert.equal((await policy("list", ...inVault, "--policy-sub-type", "Enhanced")).length, 1);
  const standard = await policy("get-default-for-vm", ...inVault);
  assert.equal(standard.properties.policyType, "V1");
  const management = ["--backup-management-type", "AzureIaasVM"];
  const path = await file("standard.json", standard);
  const made = await policy("create", ...inVault, ...management, "--name", "Own", "--policy", path);
  assert.equal(made.properties.protectedItemsCount, 0);
  standard.name = "Own";
  standard.properties.retentionPolicy.dailySchedule.retentionDuration.count = 45;
  const set = await policy("set", ...inVault, "--policy", await file("longer.json", standard));
  assert.equal(set.properties.retentionPolicy.dailySchedule.retentionDuration.count, 45);
  const enhanced = await policy("show", ...inVault, "--name", "EnhancedPolicy");
  const same = await policy("set", ...inVault, "--policy", await file("enhanced.json", enhanced));
  assert.deepEqual(same.properties, enhanced.properties);
  standard.properties.timeZone = "Mars";
  const wrong = await file("wrong.json", standard);
  const failed = await azFails(az, "backup", "policy", "set", ...inVault, "--policy", wrong);
  assert.match(failed.text, /'properties\.timeZone' is "Mars"\. Write a Windows time zone name/);
  await policy("delete", ...inVault, "--name", "Own");
  assert.equal((await policy("list", ...inVault)).length, 3);
});

test("az maps a vault to a resource guard and takes the mapping away again", async () => {
  const guard = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/rg/providers/Microsoft.DataProtection/resourceGuards/g1`;
  await service.call("PUT", `${guard}?api-version=2023-05-01`, { body: { location: "eastus", properties: {} } });
  const mapping = (...words: string[]): Promise<Shown> => vault("resource-guard-mapping", ...words, ...own);
  const mapped = await mapping("update", "--resource-guard-id", guard);
  assert.equal(mapped.properties.resourceGuardResourceId, guard);
  assert.equal((await mapping("show")).name, "VaultProxy");
  const weakened = await vault("backup-properties", "set", ...own, "--hybrid-backup-security-features", "Disable");
  assert.equal(weakened.properties.enhancedSecurityState, "Disabled", "az names the guard's request by itself");
  await mapping("delete", "--yes");
  assert.ok((await azFails(az, "backup", "vault", "resource-guard-mapping", "show", ...own)).exitCode !== 0);
});

test("a template with a vault and a policy is deployed, and again without a change", async () => {
  const seeded = await policy("show", ...inVault, "--name", "DefaultPolicy");
  const { protectedItemsCount: _, ...properties } = seeded.properties;
  const template = await file("template.json", {
    $schema: "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    contentVersion: "1.0.0.0",
    parameters: { vaultName: { type: "string" }, days: { type: "int" } },
    resources: [
      {
        type: "Microsoft.RecoveryServices/vaults",
        apiVersion: "2023-06-01",
        name: "[parameters('vaultName')]",
        location: "[resourceGroup().location]",
        sku: { name: "RS0", tier: "Standard" },
        properties: { publicNetworkAccess: "Enabled" },
      },
      {
        type: "Microsoft.RecoveryServices/vaults/backupPolicies",
        apiVersion: "2023-06-01",
        name: "[format('{0}/FromTemplate', parameters('vaultName'))]",
        dependsOn: ["[resourceId('Microsoft.RecoveryServices/vaults', parameters('vaultName'))]"],
        properties: {
          backupManagementType: "AzureIaasVM",
          policyType: "V1",
          schedulePolicy: {
            schedulePolicyType: "SimpleSchedulePolicy",
            scheduleRunFrequency: "Daily",
            scheduleRunTimes: properties.schedulePolicy.scheduleRunTimes,
          },
          retentionPolicy: {
            retentionPolicyType: "LongTermRetentionPolicy",
            dailySchedule: {
              retentionTimes: properties.schedulePolicy.scheduleRunTimes,
              retentionDuration: { count: "[parameters('days')]", durationType: "Days" },
            },
          },
          instantRpRetentionRangeInDays: 3,
          timeZone: "W. Europe Standard Time",
        },
      },
    ],
    outputs: {
      policyId: {
        type: "string",
        value:
          "[resourceId('Microsoft.RecoveryServices/vaults/backupPolicies', parameters('vaultName'), 'FromTemplate')]",
      },
    },
  });
  for (const days of [21, 22]) {
    const deployed = await az(
      "deployment",
      "group",
      "create",
      "--resource-group",
      "rg",
      "--name",
      "vault",
      "--template-file",
      template,
      "--parameters",
      "vaultName=templated",
      `days=${days}`,
    );
    assert.equal(deployed.properties.provisioningState, "Succeeded");
    const shown = await az(
      "resource",
      "show",
      "--ids",
      deployed.properties.outputs.policyId.value,
      "--api-version",
      "2023-06-01",
    );
    assert.equal(shown.properties.retentionPolicy.dailySchedule.retentionDuration.count, days);
  }
});

test("an empty vault is deleted", async () => {
  await vault("delete", ...own, "--yes");
  assert.deepEqual(
    (await vault("list")).map(({ name }: { name: string }) => name),
    ["templated"],
  );
});
