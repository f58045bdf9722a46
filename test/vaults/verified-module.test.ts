// The shape of Azure's verified module for vaults, as Bicep compiles it: every option nullable, an existing
// key under a condition, settings that are null, and modules whose parameters are null.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import type { Answer } from "../support/service.ts";
import { startRig, type Rig } from "./support.ts";

let rig: Rig;

before(async () => {
  rig = await startRig();
});

after(() => rig[Symbol.asyncDispose]());

const schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";
const text = { type: "string" };
const textOrNull = { type: "string", nullable: true };
const head = { $schema: schema, languageVersion: "2.0", contentVersion: "1.0.0.0" };
const key = "parameters('customerManagedKey')";
const keyVaultId = `tryGet(${key}, 'keyVaultResourceId')`;
const vaultId = "resourceId('Microsoft.RecoveryServices/vaults', parameters('name'))";
const optional = (name: string): object => ({ value: `[tryGet(parameters('backupConfig'), '${name}')]` });

const backupConfig = {
  ...head,
  parameters: {
    vault: text,
    name: { type: "string", defaultValue: "vaultconfig" },
    enhancedSecurityState: { type: "string", allowedValues: ["Disabled", "Enabled"], nullable: true },
    softDeleteFeatureState: textOrNull,
  },
  resources: {
    config: {
      type: "Microsoft.RecoveryServices/vaults/backupconfig",
      apiVersion: "2025-08-01",
      name: "[format('{0}/{1}', parameters('vault'), parameters('name'))]",
      properties: {
        enhancedSecurityState: "[parameters('enhancedSecurityState')]",
        softDeleteFeatureState: "[parameters('softDeleteFeatureState')]",
      },
    },
  },
  outputs: { name: { type: "string", value: "[parameters('name')]" } },
};

const module = {
  ...head,
  definitions: {
    softDelete: {
      type: "object",
      properties: { softDeleteState: text, softDeleteRetentionPeriodInDays: { type: "int" } },
    },
    lock: {
      type: "object",
      properties: { name: textOrNull, kind: { ...textOrNull, allowedValues: ["CanNotDelete", "None", "ReadOnly"] } },
    },
  },
  parameters: {
    name: text,
    tags: { type: "object", nullable: true },
    backupConfig: { type: "object", nullable: true },
    softDeleteSettings: { $ref: "#/definitions/softDelete", nullable: true },
    lock: { $ref: "#/definitions/lock", nullable: true },
    managedIdentities: { type: "object", nullable: true },
    customerManagedKey: { type: "object", nullable: true },
  },
  variables: {
    assigned:
      "[reduce(map(coalesce(tryGet(parameters('managedIdentities'), 'userAssignedResourceIds'), createArray()), lambda('id', createObject(format('{0}', lambdaVariables('id')), createObject()))), createObject(), lambda('cur', 'next', union(lambdaVariables('cur'), lambdaVariables('next'))))]",
    identity:
      "[if(not(empty(parameters('managedIdentities'))), createObject('type', if(coalesce(tryGet(parameters('managedIdentities'), 'systemAssigned'), false()), 'SystemAssigned', 'None'), 'userAssignedIdentities', if(empty(variables('assigned')), null(), variables('assigned'))), null())]",
  },
  resources: {
    "keyVault::key": {
      condition: `[not(empty(${key}))]`,
      existing: true,
      type: "Microsoft.KeyVault/vaults/keys",
      apiVersion: "2024-11-01",
      subscriptionId: `[split(${keyVaultId}, '/')[2]]`,
      resourceGroup: `[split(${keyVaultId}, '/')[4]]`,
      name: `[format('{0}/{1}', last(split(${keyVaultId}, '/')), tryGet(${key}, 'keyName'))]`,
    },
    rsv: {
      type: "Microsoft.RecoveryServices/vaults",
      apiVersion: "2025-08-01",
      name: "[parameters('name')]",
      location: "[resourceGroup().location]",
      tags: "[parameters('tags')]",
      identity: "[variables('identity')]",
      sku: { name: "RS0", tier: "Standard" },
      properties: {
        monitoringSettings: null,
        securitySettings: {
          immutabilitySettings: "[null()]",
          softDeleteSettings: "[parameters('softDeleteSettings')]",
        },
        redundancySettings: "[null()]",
        encryption: `[if(not(empty(${key})), createObject('keyVaultProperties', createObject('keyUri', reference('keyVault::key').keyUri)), null())]`,
      },
      dependsOn: ["keyVault::key"],
    },
    config: {
      condition: "[not(empty(parameters('backupConfig')))]",
      type: "Microsoft.Resources/deployments",
      apiVersion: "2025-04-01",
      name: "[format('{0}-config', parameters('name'))]",
      properties: {
        expressionEvaluationOptions: { scope: "inner" },
        mode: "Incremental",
        parameters: {
          vault: { value: "[parameters('name')]" },
          name: optional("name"),
          enhancedSecurityState: optional("enhancedSecurityState"),
          softDeleteFeatureState:
            "[if(not(empty(parameters('softDeleteSettings'))), createObject('value', null()), createObject('value', tryGet(parameters('backupConfig'), 'softDeleteFeatureState')))]",
        },
        template: backupConfig,
      },
      dependsOn: ["rsv"],
    },
    lock: {
      condition: "[not(empty(parameters('lock')))]",
      type: "Microsoft.Authorization/locks",
      apiVersion: "2020-05-01",
      scope: `[${vaultId}]`,
      name: "[coalesce(tryGet(parameters('lock'), 'name'), format('lock-{0}', parameters('name')))]",
      properties: { level: "[coalesce(tryGet(parameters('lock'), 'kind'), '')]" },
      dependsOn: ["rsv"],
    },
  },
  outputs: {
    principal: {
      ...textOrNull,
      value: "[tryGet(tryGet(reference('rsv', '2025-08-01', 'full'), 'identity'), 'principalId')]",
    },
  },
};

function bodyOf(parameters: Readonly<Record<string, unknown>>): object {
  const given = Object.entries(parameters).map(([name, value]) => [name, { value }]);
  return { properties: { mode: "Incremental", template: module, parameters: Object.fromEntries(given) } };
}

async function deployed(name: string, parameters: Readonly<Record<string, unknown>>): Promise<Answer["json"]> {
  const path = `${rig.group}/providers/Microsoft.Resources/deployments/${name}`;
  const put = await rig.call("PUT", path, bodyOf(parameters));
  assert.ok(put.status === 201 || put.status === 200, put.text);
  return waitFor(
    name,
    async () => {
      const { json } = await rig.call("GET", path);
      return ["Succeeded", "Failed"].includes(json.properties.provisioningState) ? json.properties : undefined;
    },
    120_000,
    20,
  );
}

test("the verified module's vault deploys with nothing but a name, again, and then nothing would change", async () => {
  for (const name of ["first", "again"]) {
    const { provisioningState, outputs, error } = await deployed(name, { name: "bare" });
    assert.equal(provisioningState, "Succeeded", JSON.stringify(error));
    assert.equal(outputs.principal?.value ?? null, null);
  }
  const path = `${rig.group}/providers/Microsoft.Resources/deployments/look/whatIf`;
  const { json, text: said } = await rig.call("POST", path, bodyOf({ name: "bare" }));
  const vault = json.properties.changes.find(({ resourceId }: { resourceId: string }) => resourceId.endsWith("/bare"));
  assert.equal(vault?.changeType, "NoChange", said);
});

test("the verified module's options reach the vault, and what is left out of them has its default", async () => {
  const { provisioningState, outputs, error } = await deployed("full", {
    name: "full",
    managedIdentities: { systemAssigned: true },
    softDeleteSettings: { softDeleteState: "Enabled", softDeleteRetentionPeriodInDays: 30 },
    backupConfig: { enhancedSecurityState: "Disabled", softDeleteFeatureState: "Disabled" },
    lock: { kind: "CanNotDelete" },
  });
  assert.equal(provisioningState, "Succeeded", JSON.stringify(error));
  const { identity, properties } = (await rig.vault("GET", "full")).json;
  assert.equal(outputs.principal.value, identity.principalId);
  assert.deepEqual(properties.securitySettings.softDeleteSettings, {
    softDeleteState: "Enabled",
    softDeleteRetentionPeriodInDays: 30,
    enhancedSecurityState: "Disabled",
  });
  const locks = await rig.vault("GET", "full/providers/Microsoft.Authorization/locks");
  assert.deepEqual(
    locks.json.value.map(({ name }: { name: string }) => name),
    ["lock-full"],
  );
});
