// Vaults by @azure/arm-recoveryservices, policies and settings by @azure/arm-recoveryservicesbackup.
// Prints what the test compares.

import { RecoveryServicesClient } from "@azure/arm-recoveryservices";
import { RecoveryServicesBackupClient } from "@azure/arm-recoveryservicesbackup";
import { ResourceManagementClient } from "@azure/arm-resources";
import { credential, endpoint, subscriptionId } from "../../sdk/programs/clients.ts";

const vaults = new RecoveryServicesClient(credential, subscriptionId, { endpoint });
const backup = new RecoveryServicesBackupClient(credential, subscriptionId, { endpoint });
const resources = new ResourceManagementClient(credential, subscriptionId, { endpoint });

async function all<Item>(pages: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

await resources.resourceGroups.createOrUpdate("sdk", { location: "eastus" });
const made = await vaults.vaults.createOrUpdate("sdk", "v1", {
  location: "eastus",
  sku: { name: "RS0", tier: "Standard" },
  identity: { type: "SystemAssigned" },
  properties: {
    publicNetworkAccess: "Enabled",
    securitySettings: {
      softDeleteSettings: { softDeleteState: "Enabled", softDeleteRetentionPeriodInDays: 30 },
      immutabilitySettings: { state: "Unlocked" },
    },
    redundancySettings: { standardTierStorageRedundancy: "LocallyRedundant" },
  },
});
const updated = await vaults.vaults.update("sdk", "v1", { tags: { a: "b" } });
const listed = await all(vaults.vaults.listByResourceGroup("sdk"));
const name = await vaults.recoveryServices.checkNameAvailability("sdk", "eastus", {
  name: "v1",
  type: "Microsoft.RecoveryServices/vaults",
});
const usages = await all(vaults.usages.listByVaults("sdk", "v1"));
const links = await all(vaults.privateLinkResources.list("sdk", "v1"));
const info = await vaults.vaultExtendedInfo.createOrUpdate("sdk", "v1", {
  properties: { integrityKey: "a2V5", algorithm: "None" },
});

const config = await backup.backupResourceVaultConfigs.get("v1", "sdk");
const stronger = await backup.backupResourceVaultConfigs.update("v1", "sdk", {
  properties: { softDeleteFeatureState: "AlwaysON" },
});
const storage = await backup.backupResourceStorageConfigsNonCRR.get("v1", "sdk");
await backup.backupResourceStorageConfigsNonCRR.patch("v1", "sdk", { properties: { dedupState: "Disabled" } });

const standard = await backup.protectionPolicies.get("v1", "sdk", "DefaultPolicy");
const own = await backup.protectionPolicies.createOrUpdate("v1", "sdk", "Own", standard);
const filter = "backupManagementType eq 'AzureIaasVM'";
const policies = await all(backup.backupPolicies.list("v1", "sdk", { filter }));
await backup.protectionPolicies.beginDeleteAndWait("v1", "sdk", "Own");
const gone = await backup.protectionPolicies.get("v1", "sdk", "Own").catch((error: { statusCode: number }) => error);
const pin = await backup.securityPINs.get("v1", "sdk");
const summaries = await all(backup.backupUsageSummaries.list("v1", "sdk"));
await vaults.vaults.delete("sdk", "v1");

console.log(
  JSON.stringify({
    made: [made.name, made.identity?.type, made.sku?.name, made.properties?.provisioningState],
    security: made.properties?.securitySettings?.softDeleteSettings?.softDeleteRetentionPeriodInDays,
    tags: updated.tags,
    listed: listed.map((vault) => vault.name),
    name: [name.nameAvailable, name.reason],
    usages: usages.map((usage) => [usage.name?.value, usage.currentValue]),
    links: links.length,
    integrityKey: info.properties?.integrityKey,
    config: [config.properties?.softDeleteFeatureState, config.properties?.softDeleteRetentionPeriodInDays],
    stronger: stronger.properties?.softDeleteFeatureState,
    storage: storage.properties?.storageModelType,
    own: [own.name, own.properties?.backupManagementType],
    policies: policies.map((policy) => policy.name),
    gone: "statusCode" in gone ? gone.statusCode : "there",
    pin: pin.securityPIN?.length,
    summaries: summaries.length,
    left: (await all(vaults.vaults.listByResourceGroup("sdk"))).length,
  }),
);
