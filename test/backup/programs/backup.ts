// Microsoft's client of the backup service from end to end; prints what it saw.

import { RecoveryServicesClient } from "@azure/arm-recoveryservices";
import { RecoveryServicesBackupClient } from "@azure/arm-recoveryservicesbackup";
import { credential, endpoint, subscriptionId } from "../../sdk/programs/clients.ts";

const group = "lab";
const vault = "sdk";
const fabric = "Azure";
const container = "IaasVMContainer;iaasvmcontainerv2;lab;vm1";
const item = "VM;iaasvmcontainerv2;lab;vm1";
const vaults = new RecoveryServicesClient(credential, subscriptionId, {
  endpoint,
  credentials: { scopes: [`${endpoint}/.default`] },
});
const client = new RecoveryServicesBackupClient(credential, subscriptionId, { endpoint });

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of pages) found.push(one);
  return found;
}

/** The job that a request has begun, as the header leads to it; its status when it has ended. */
async function ended(call: (options: { onResponse: (raw: RawResponse) => void }) => Promise<unknown>): Promise<string> {
  let operation = "";
  await call({
    onResponse: ({ headers }) => {
      operation = headers.get("azure-asyncoperation")?.split("/").at(-1)?.split("?")[0] ?? "";
    },
  });
  const status = await client.backupOperationStatuses.get(vault, group, operation);
  const { jobId } = status.properties as { jobId?: string };
  for (;;) {
    const { properties } = await client.jobDetails.get(vault, group, jobId ?? "");
    if (properties?.status !== "InProgress") return `${properties?.operation} ${properties?.status}`;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

interface RawResponse {
  readonly headers: { get(name: string): string | undefined };
}

const made = await vaults.vaults.createOrUpdate(group, vault, {
  location: "eastus",
  sku: { name: "Standard" },
  properties: { publicNetworkAccess: "Enabled" },
});
const machineId = `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.Compute/virtualMachines/vm1`;
const place = [vault, group, fabric, container, item] as const;
const protectable = await all(client.backupProtectableItems.list(vault, group));
const protectedJob = await ended((options) =>
  client.protectedItems.createOrUpdate(
    ...place,
    {
      properties: {
        protectedItemType: "Microsoft.Compute/virtualMachines",
        policyId: `${made.id}/backupPolicies/DefaultPolicy`,
        sourceResourceId: machineId,
      },
    },
    options,
  ),
);
const backup = await ended((options) =>
  client.backups.trigger(
    ...place,
    {
      properties: {
        objectType: "IaasVMBackupRequest",
        recoveryPointExpiryTimeInUTC: new Date(Date.now() + 40 * 86_400_000),
      },
    },
    options,
  ),
);
const points = await all(client.recoveryPoints.list(...place));
const point = points[0]?.properties as { objectType?: string; recoveryPointTierDetails?: { type?: string }[] };
const items = await all(client.backupProtectedItems.list(vault, group));
const shown = await client.protectedItems.get(...place);
const jobs = await all(client.backupJobs.list(vault, group, { filter: "operation eq 'Backup'" }));
const containers = await all(
  client.backupProtectionContainers.list(vault, group, { filter: "backupManagementType eq 'AzureIaasVM'" }),
);
const status = await client.backupStatus.get("eastus", { resourceType: "VM", resourceId: machineId });
const deleted = await ended((options) => client.protectedItems.delete(...place, options));
const missing = await client.recoveryPoints.get(...place, "1").then(
  () => "found",
  (error: { statusCode?: number; code?: string }) => `${error.statusCode} ${error.code}`,
);

console.log(
  JSON.stringify({
    protectable: protectable.map(({ properties }) => properties?.friendlyName),
    protectedJob,
    backup,
    point: [point.objectType, point.recoveryPointTierDetails?.map(({ type }) => type)],
    items: items.length,
    state: (shown.properties as { protectionState?: string }).protectionState,
    jobs: jobs.length,
    containers: containers.length,
    status: status.protectionStatus,
    deleted,
    missing,
  }),
);
