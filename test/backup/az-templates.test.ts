// Templates of the shapes that Microsoft's quick starts for backup have, deployed with Debian's az: nested
// deployments into the vault's group, loops over machines, policies of both kinds, names put together from
// parameters, conditions, and resources of older api-versions.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { azEnvironment, azWith, type Az } from "../support/az.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { makeMachine } from "./rig.ts";

let service: TestService;
let az: Az;
let work: string;
let group: string;

before(async () => {
  service = await startTestService();
  az = azWith(await azEnvironment(service));
  work = mkdtempSync(join(tmpdir(), "holdfast-templates-"));
  for (const name of ["vm1", "vm2", "vm3", "vm4"]) makeMachine(join(work, "images"), name);
  const groups = `/subscriptions/${service.admin.subscriptionId}/resourceGroups`;
  group = `${groups}/machines`;
  for (const each of [group, `${groups}/vaults`])
    await service.call("PUT", `${each}?api-version=2021-04-01`, { body: { location: "eastus" } });
  await service.call("PUT", `${group}/providers/Microsoft.Holdfast/hosts/shelf?api-version=2026-01-01`, {
    body: { location: "eastus", properties: { kind: "images", path: join(work, "images") } },
  });
});
after(async () => {
  await service?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

const schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";

async function deploy(into: string, name: string, template: object, ...parameters: string[]): Promise<void> {
  const file = join(work, `${name}.json`);
  writeFileSync(file, JSON.stringify({ $schema: schema, contentVersion: "1.0.0.0", ...template }));
  const words = ["deployment", "group", "create", "-g", into, "-n", name, "--template-file", file];
  const deployed = await az(...words, ...(parameters.length === 0 ? [] : ["--parameters", ...parameters]));
  assert.equal(deployed.properties.provisioningState, "Succeeded", JSON.stringify(deployed.properties.error));
}

interface AzItem {
  readonly properties: { readonly friendlyName: string; readonly policyName: string };
}

async function itemsOf(vault: string, resourceGroup: string): Promise<string[]> {
  const items = (await az("backup", "item", "list", "--vault-name", vault, "-g", resourceGroup)) as AzItem[];
  return items.map(({ properties }) => `${properties.friendlyName} ${properties.policyName}`).toSorted();
}

const text = (defaultValue?: string): object => ({
  type: "string",
  ...(defaultValue === undefined ? {} : { defaultValue }),
});

test("create a vault and configure backup: machines in a loop", async () => {
  const fabric = "Azure";
  const names = `iaasvmcontainer;iaasvmcontainerv2;', parameters('machinesGroup'), ';', parameters('machines')[copyIndex()]`;
  await deploy(
    "vaults",
    "configure-backup",
    {
      parameters: {
        vaultName: text("quick"),
        machinesGroup: text("machines"),
        machines: { type: "array", defaultValue: ["vm1", "vm2"] },
        policyName: text("DefaultPolicy"),
        location: text("[resourceGroup().location]"),
      },
      variables: {
        backupFabric: fabric,
        v2VmType: "Microsoft.Compute/virtualMachines",
        v2VmContainer: "iaasvmcontainer;iaasvmcontainerv2;",
        v2Vm: "vm;iaasvmcontainerv2;",
      },
      resources: [
        {
          type: "Microsoft.RecoveryServices/vaults",
          apiVersion: "2022-02-01",
          name: "[parameters('vaultName')]",
          location: "[parameters('location')]",
          sku: { name: "RS0", tier: "Standard" },
          properties: {},
        },
        {
          type: "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
          apiVersion: "2022-02-01",
          name: `[concat(parameters('vaultName'), '/', variables('backupFabric'), '/', '${names}, '/', variables('v2Vm'), parameters('machinesGroup'), ';', parameters('machines')[copyIndex()])]`,
          copy: { name: "protectedItemsCopy", count: "[length(parameters('machines'))]" },
          dependsOn: ["[resourceId('Microsoft.RecoveryServices/vaults', parameters('vaultName'))]"],
          properties: {
            protectedItemType: "[variables('v2VmType')]",
            policyId:
              "[resourceId('Microsoft.RecoveryServices/vaults/backupPolicies', parameters('vaultName'), parameters('policyName'))]",
            sourceResourceId:
              "[resourceId(subscription().subscriptionId, parameters('machinesGroup'), 'Microsoft.Compute/virtualMachines', parameters('machines')[copyIndex()])]",
          },
        },
      ],
    },
    "vaultName=quick",
  );
  assert.deepEqual(await itemsOf("quick", "vaults"), ["vm1 DefaultPolicy", "vm2 DefaultPolicy"]);
});

test("daily and weekly policies, with every length of retention", async () => {
  const times = "[parameters('scheduleRunTimes')]";
  const keep = (count: string, durationType: string): object => ({ count: `[parameters('${count}')]`, durationType });
  const number = (defaultValue: number): object => ({ type: "int", defaultValue });
  const weekly = { daysOfTheWeek: "[parameters('daysOfTheWeek')]", retentionTimes: times };
  const policy = (kind: "Daily" | "Weekly"): object => ({
    type: "Microsoft.RecoveryServices/vaults/backupPolicies",
    apiVersion: "2021-12-01",
    name: `[concat(parameters('vaultName'), '/', '${kind}Policy')]`,
    location: "[resourceGroup().location]",
    dependsOn: ["[concat('Microsoft.RecoveryServices/vaults/', parameters('vaultName'))]"],
    properties: {
      backupManagementType: "AzureIaasVM",
      instantRpRetentionRangeInDays: 5,
      schedulePolicy: {
        scheduleRunFrequency: kind,
        ...(kind === "Weekly" ? { scheduleRunDays: "[parameters('daysOfTheWeek')]" } : { scheduleRunDays: null }),
        scheduleRunTimes: times,
        schedulePolicyType: "SimpleSchedulePolicy",
        scheduleWeeklyFrequency: 0,
      },
      retentionPolicy: {
        ...(kind === "Daily"
          ? { dailySchedule: { retentionTimes: times, retentionDuration: keep("days", "Days") } }
          : {}),
        weeklySchedule: { ...weekly, retentionDuration: keep("weeks", "Weeks") },
        monthlySchedule: {
          retentionScheduleFormatType: "Daily",
          retentionScheduleDaily: { daysOfTheMonth: [{ date: 1, isLast: false }] },
          retentionScheduleWeekly: null,
          retentionTimes: times,
          retentionDuration: keep("months", "Months"),
          ...(kind === "Weekly"
            ? {
                retentionScheduleFormatType: "Weekly",
                retentionScheduleDaily: null,
                retentionScheduleWeekly: { daysOfTheWeek: "[parameters('daysOfTheWeek')]", weeksOfTheMonth: ["First"] },
              }
            : {}),
        },
        yearlySchedule: {
          retentionScheduleFormatType: "Weekly",
          monthsOfYear: ["January", "July"],
          retentionScheduleDaily: null,
          retentionScheduleWeekly: { daysOfTheWeek: "[parameters('daysOfTheWeek')]", weeksOfTheMonth: ["First"] },
          retentionTimes: times,
          retentionDuration: keep("years", "Years"),
        },
        retentionPolicyType: "LongTermRetentionPolicy",
      },
      timeZone: "[parameters('timeZone')]",
    },
  });
  await deploy("vaults", "policies", {
    parameters: {
      vaultName: text("policies"),
      scheduleRunTimes: { type: "array", defaultValue: ["2016-09-21T05:30:00Z"] },
      timeZone: text("Pacific Standard Time"),
      daysOfTheWeek: { type: "array", defaultValue: ["Sunday", "Tuesday"] },
      days: number(104),
      weeks: number(104),
      months: number(60),
      years: number(10),
    },
    resources: [
      {
        type: "Microsoft.RecoveryServices/vaults",
        apiVersion: "2021-12-01",
        name: "[parameters('vaultName')]",
        location: "[resourceGroup().location]",
        sku: { name: "RS0", tier: "Standard" },
        properties: {},
      },
      policy("Daily"),
      policy("Weekly"),
    ],
  });
  const where = ["--vault-name", "policies", "-g", "vaults"];
  const shown = await az("backup", "policy", "show", ...where, "-n", "WeeklyPolicy");
  assert.equal(shown.properties.schedulePolicy.scheduleRunFrequency, "Weekly");
  assert.deepEqual(shown.properties.schedulePolicy.scheduleRunDays, ["Sunday", "Tuesday"]);
  assert.equal(shown.properties.retentionPolicy.yearlySchedule.retentionDuration.count, 10);
  const daily = await az("backup", "policy", "show", ...where, "-n", "DailyPolicy");
  assert.equal(daily.properties.retentionPolicy.dailySchedule.retentionDuration.count, 104);
});

test("back up an existing machine: a nested deployment writes into the vault's group", async () => {
  const inner = {
    $schema: schema,
    contentVersion: "1.0.0.0",
    resources: [
      {
        type: "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
        apiVersion: "2016-06-01",
        name: "[concat(parameters('vaultName'), '/Azure/iaasvmcontainer;iaasvmcontainerv2;', resourceGroup().name, ';', parameters('machine'), '/vm;iaasvmcontainerv2;', resourceGroup().name, ';', parameters('machine'))]",
        location: "[parameters('location')]",
        properties: {
          protectedItemType: "Microsoft.Compute/virtualMachines",
          policyId:
            "[resourceId(parameters('vaultGroup'), 'Microsoft.RecoveryServices/vaults/backupPolicies', parameters('vaultName'), 'DailyPolicy')]",
          sourceResourceId: "[resourceId('Microsoft.Compute/virtualMachines', parameters('machine'))]",
        },
      },
    ],
  };
  await deploy(
    "machines",
    "existing-machine",
    {
      parameters: {
        machine: text(),
        vaultName: text("policies"),
        vaultGroup: text("vaults"),
        location: text("[resourceGroup().location]"),
        protects: { type: "bool", defaultValue: true },
      },
      resources: [
        {
          condition: "[parameters('protects')]",
          type: "Microsoft.Resources/deployments",
          apiVersion: "2021-04-01",
          name: "[concat('protect-', parameters('machine'))]",
          resourceGroup: "[parameters('vaultGroup')]",
          properties: {
            mode: "Incremental",
            // Expressions of the outer deployment: resourceGroup() is the machine's.
            expressionEvaluationOptions: { scope: "outer" },
            template: inner,
          },
        },
      ],
    },
    "machine=vm3",
  );
  assert.deepEqual(await itemsOf("policies", "vaults"), ["vm3 DailyPolicy"]);
});

test("an enhanced policy, and what a machine's template leaves: an intent to protect it", async () => {
  await deploy("machines", "intent", {
    parameters: { vault: text("intents") },
    resources: [
      {
        type: "Microsoft.RecoveryServices/vaults",
        apiVersion: "2023-04-01",
        name: "[parameters('vault')]",
        location: "eastus",
        sku: { name: "RS0", tier: "Standard" },
        identity: { type: "SystemAssigned" },
        properties: { publicNetworkAccess: "Enabled" },
      },
      {
        type: "Microsoft.RecoveryServices/vaults/backupstorageconfig",
        apiVersion: "2023-04-01",
        name: "[format('{0}/vaultstorageconfig', parameters('vault'))]",
        dependsOn: ["[resourceId('Microsoft.RecoveryServices/vaults', parameters('vault'))]"],
        properties: { storageModelType: "GeoRedundant", crossRegionRestoreFlag: true },
      },
      {
        type: "Microsoft.RecoveryServices/vaults/backupconfig",
        apiVersion: "2023-04-01",
        name: "[format('{0}/vaultconfig', parameters('vault'))]",
        dependsOn: ["[resourceId('Microsoft.RecoveryServices/vaults', parameters('vault'))]"],
        properties: { enhancedSecurityState: "Enabled", softDeleteFeatureState: "Enabled" },
      },
      {
        type: "Microsoft.RecoveryServices/vaults/backupPolicies",
        apiVersion: "2023-04-01",
        name: "[format('{0}/Hourly', parameters('vault'))]",
        dependsOn: ["[resourceId('Microsoft.RecoveryServices/vaults', parameters('vault'))]"],
        properties: {
          backupManagementType: "AzureIaasVM",
          policyType: "V2",
          instantRPDetails: {},
          schedulePolicy: {
            schedulePolicyType: "SimpleSchedulePolicyV2",
            scheduleRunFrequency: "Hourly",
            hourlySchedule: {
              interval: 4,
              scheduleWindowStartTime: "2023-02-06T08:00:00Z",
              scheduleWindowDuration: 12,
            },
          },
          retentionPolicy: {
            retentionPolicyType: "LongTermRetentionPolicy",
            dailySchedule: {
              retentionTimes: ["2023-02-06T08:00:00Z"],
              retentionDuration: { count: 30, durationType: "Days" },
            },
          },
          tieringPolicy: { ArchivedRP: { tieringMode: "DoNotTier", duration: 0, durationType: "Invalid" } },
          instantRpRetentionRangeInDays: 2,
          timeZone: "UTC",
        },
      },
      {
        type: "Microsoft.RecoveryServices/vaults/backupFabrics/backupProtectionIntent",
        apiVersion: "2017-07-01",
        name: "[format('{0}/Azure/vm4', parameters('vault'))]",
        dependsOn: ["[resourceId('Microsoft.RecoveryServices/vaults/backupPolicies', parameters('vault'), 'Hourly')]"],
        properties: {
          friendlyName: "vm4BackupIntent",
          protectionIntentItemType: "AzureResourceItem",
          policyId: "[resourceId('Microsoft.RecoveryServices/vaults/backupPolicies', parameters('vault'), 'Hourly')]",
          sourceResourceId: "[resourceId('Microsoft.Compute/virtualMachines', 'vm4')]",
        },
      },
    ],
  });
  assert.deepEqual(await itemsOf("intents", "machines"), ["vm4 Hourly"]);
  const policy = await az("backup", "policy", "show", "--vault-name", "intents", "-g", "machines", "-n", "Hourly");
  assert.equal(policy.properties.policyType, "V2");
  const shown = await az("backup", "vault", "backup-properties", "show", "--name", "intents", "-g", "machines");
  assert.equal(shown[0].properties.crossRegionRestoreFlag, true);
});
