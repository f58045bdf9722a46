// Microsoft's client of the backup service restores: it asks first, restores disks, opens a point for its
// files, cancels, exports the list of jobs, and asks for what is not offered. Prints what it saw.

import { RecoveryServicesClient } from "@azure/arm-recoveryservices";
import { RecoveryServicesBackupClient } from "@azure/arm-recoveryservicesbackup";
import { credential, endpoint, subscriptionId } from "../../sdk/programs/clients.ts";

const group = "lab";
const vault = "restores";
const names = "iaasvmcontainerv2;lab;vm3";
const place = [vault, group, "Azure", `IaasVMContainer;${names}`, `VM;${names}`] as const;
const inGroup = `/subscriptions/${subscriptionId}/resourceGroups/${group}`;
const machineId = `${inGroup}/providers/Microsoft.Compute/virtualMachines/vm3`;
const storageAccountId = `${inGroup}/providers/Microsoft.Storage/storageAccounts/${process.env["ACCOUNT"]}`;
const vaults = new RecoveryServicesClient(credential, subscriptionId, {
  endpoint,
  credentials: { scopes: [`${endpoint}/.default`] },
});
const client = new RecoveryServicesBackupClient(credential, subscriptionId, { endpoint });

interface RawResponse {
  readonly headers: { get(name: string): string | undefined };
}
type Call = (options: { onResponse: (raw: RawResponse) => void }) => Promise<unknown>;

/** Of the operation that a request has begun. */
async function begun(call: Call, header = "azure-asyncoperation"): Promise<string> {
  let operation = "";
  await call({
    onResponse: ({ headers }) => {
      operation ||= headers.get(header)?.split("/").at(-1)?.split("?")[0] ?? "";
    },
  });
  return operation;
}

async function jobOf(call: Call): Promise<string> {
  const { properties } = await client.backupOperationStatuses.get(vault, group, await begun(call));
  return (properties as { jobId?: string }).jobId ?? "";
}

async function ended(jobId: string): Promise<string> {
  for (;;) {
    const { properties } = await client.jobDetails.get(vault, group, jobId);
    const { status = "", operation = "" } = properties ?? {};
    if (status !== "InProgress" && status !== "Cancelling") return `${operation} ${status}`;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const codeOf = (error: { code?: string }): string => error.code ?? String(error);
const refused = (promise: Promise<unknown>): Promise<string> => promise.then(() => "accepted", codeOf);

const made = await vaults.vaults.createOrUpdate(group, vault, {
  location: "eastus",
  sku: { name: "Standard" },
  properties: { publicNetworkAccess: "Enabled" },
});
// Protected as templates of machines do it: by an intent.
const intent = await client.protectionIntentOperations.createOrUpdate(vault, group, "Azure", "vm3", {
  properties: {
    protectionIntentItemType: "AzureResourceItem",
    policyId: `${made.id}/backupPolicies/DefaultPolicy`,
    sourceResourceId: machineId,
  },
});
const backup = await ended(
  await jobOf((options) =>
    client.backups.trigger(...place, { properties: { objectType: "IaasVMBackupRequest" } }, options),
  ),
);
const [point] = await client.recoveryPoints
  .list(...place)
  .byPage()
  .next()
  .then(({ value }) => value ?? []);
const pointName = point?.name ?? "";

const disks = {
  objectType: "IaasVMRestoreRequest",
  recoveryPointId: pointName,
  recoveryType: "RestoreDisks",
  sourceResourceId: machineId,
  region: "eastus",
  storageAccountId,
  createNewCloudService: false,
  originalStorageAccountOption: false,
} as const;
const validated = await client.operation.validate(vault, group, {
  id: made.id ?? "",
  properties: {
    objectType: "ValidateIaasVMRestoreOperationRequest",
    restoreRequest: { ...disks, restoreDiskLunList: [7] },
  },
});
const restoreJob = await jobOf((options) =>
  client.restores.beginTriggerAndWait(
    ...place,
    pointName,
    { properties: { ...disks, targetResourceGroupId: inGroup } },
    options,
  ),
);
const restored = await ended(restoreJob);
const bag = (await client.jobDetails.get(vault, group, restoreJob)).properties as {
  extendedInfo?: { propertyBag?: Record<string, string> };
};

const provision = await begun((options) =>
  client.itemLevelRecoveryConnections.provision(
    ...place,
    pointName,
    {
      properties: {
        objectType: "IaasVMILRRegistrationRequest",
        recoveryPointId: pointName,
        virtualMachineId: machineId,
      },
    },
    options,
  ),
);
interface Opened {
  readonly objectType?: string;
  readonly recoveryTarget?: { readonly clientScripts?: readonly { readonly osType?: string }[] };
}
let opened: Opened | undefined;
while (opened === undefined) {
  const { status, properties } = await client.backupOperationStatuses.get(vault, group, provision);
  if (status === "InProgress") await new Promise((resolve) => setTimeout(resolve, 100));
  else opened = (properties ?? {}) as Opened;
}
const isOpen = async (): Promise<boolean | undefined> =>
  ((await client.recoveryPoints.get(...place, pointName)).properties as { isInstantIlrSessionActive?: boolean })
    .isInstantIlrSessionActive;
const whileOpen = await isOpen();
await client.itemLevelRecoveryConnections.revoke(...place, pointName);
const afterwards = await isOpen();

const cancelled = await jobOf((options) =>
  client.restores.beginTriggerAndWait(...place, pointName, { properties: disks }, options),
);
await client.jobCancellations.trigger(vault, group, cancelled);
const cancellation = await ended(cancelled);
const tooLate = await refused(client.jobCancellations.trigger(vault, group, cancelled));

const exportId = await begun((options) => client.jobs.export(vault, group, options));
interface Exported {
  readonly blobUrl: string;
  readonly blobSasKey: string;
  readonly excelFileBlobUrl: string;
  readonly excelFileBlobSasKey: string;
}
let exported: Exported | undefined;
while (exported === undefined) {
  const { operation } = await client.exportJobsOperationResults.get(vault, group, exportId);
  if (operation === undefined) await new Promise((resolve) => setTimeout(resolve, 100));
  else exported = operation as unknown as Exported;
}
const jobs = (await (await fetch(`${exported.blobUrl}?${exported.blobSasKey}`)).json()) as {
  properties: { operation: string };
}[];
const book = Buffer.from(
  await (await fetch(`${exported.excelFileBlobUrl}?${exported.excelFileBlobSasKey}`)).arrayBuffer(),
);
const withoutKey = (await fetch(exported.blobUrl)).status;

console.log(
  JSON.stringify({
    intent: intent.properties?.protectionIntentItemType,
    backup,
    validated: validated.validateOperationResponse?.validationResults?.map(({ code }) => code),
    restored,
    target: bag.extendedInfo?.propertyBag?.["Target Storage Account Name"],
    opened: [opened.objectType, opened.recoveryTarget?.clientScripts?.map(({ osType }) => osType)],
    isOpen: [whileOpen, afterwards],
    cancellation,
    tooLate,
    exported: jobs.map(({ properties }) => properties.operation).toSorted(),
    workbook: [book.subarray(0, 2).toString(), book.includes('<t xml:space="preserve">ConfigureBackup</t>')],
    withoutKey,
    refused: await Promise.all([
      refused(
        client.beginBMSPrepareDataMoveAndWait(vault, group, {
          targetResourceId: made.id ?? "",
          targetRegion: "westus",
          dataMoveLevel: "Vault",
        }),
      ),
      refused(
        client.beginMoveRecoveryPointAndWait(...place, pointName, {
          sourceTierType: "HardenedRP",
          targetTierType: "ArchivedRP",
        }),
      ),
      refused(client.privateEndpointConnectionOperations.beginPutAndWait(vault, group, "c1", {})),
      refused(
        client.protectionContainers.beginRegisterAndWait(vault, group, "Azure", "StorageContainer;Storage;lab;sa", {}),
      ),
      refused(
        client.fetchTieringCost.beginPostAndWait(group, vault, {
          objectType: "FetchTieringCostSavingsInfoForVaultRequest",
          sourceTierType: "HardenedRP",
          targetTierType: "ArchivedRP",
        }),
      ),
      refused(vaults.deletedVaults.get("eastus", "gone")),
    ]),
    deleted: (await vaults.deletedVaults.listBySubscriptionId("eastus").next()).done,
  }),
);
