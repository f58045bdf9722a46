// What @azure/arm-compute, unmodified, does with disks, snapshots and restore points of the machine `web`.

import { ComputeManagementClient } from "@azure/arm-compute";
import { AnonymousCredential, PageBlobClient } from "@azure/storage-blob";
import { credential, endpoint, subscriptionId } from "../sdk/programs/clients.ts";

const client = new ComputeManagementClient(credential, subscriptionId, {
  endpoint,
  credentials: { scopes: [`${endpoint}/.default`] },
});
const group = "machines";
const idOf = (rest: string): string =>
  `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.Compute/${rest}`;
const names = async (pages: AsyncIterable<{ name?: string }>): Promise<unknown[]> => {
  const found = [];
  for await (const { name } of pages) found.push(name);
  return found;
};
const failureOf = async (work: PromiseLike<unknown>): Promise<unknown> => {
  try {
    await work;
    return undefined;
  } catch (error) {
    const { statusCode, code } = error as { statusCode: number; code: string };
    return { statusCode, code };
  }
};

const empty = await client.disks.createOrUpdate(group, "sdk-empty", {
  location: "local",
  creationData: { createOption: "Empty" },
  diskSizeGB: 1,
});
const updated = await client.disks.update(group, "sdk-empty", { diskSizeGB: 2, tags: { a: "b" } });
await client.restorePointCollections.createOrUpdate(group, "sdk", {
  location: "local",
  source: { id: idOf("virtualMachines/web") },
});
const point = await client.restorePoints.create(group, "sdk", "one", {});
const viewed = await client.restorePoints.get(group, "sdk", "one", { expand: "instanceView" });
const collection = await client.restorePointCollections.get(group, "sdk", { expand: "restorePoints" });
const diskPoints = await names(client.diskRestorePoint.listByRestorePoint(group, "sdk", "one"));
const dataPoint = point.sourceMetadata?.storageProfile?.dataDisks?.[0]?.diskRestorePoint?.id ?? "";
const dataName = dataPoint.split("/").at(-1) ?? "";
const shown = await client.diskRestorePoint.get(group, "sdk", "one", dataName);
const { accessSAS } = await client.diskRestorePoint.grantAccess(group, "sdk", "one", dataName, {
  access: "Read",
  durationInSeconds: 600,
});
const used = await failureOf(client.restorePoints.delete(group, "sdk", "one"));
const blob = new PageBlobClient(accessSAS ?? "", new AnonymousCredential());
const { contentLength } = await blob.getProperties();
const ranges = await blob.getPageRanges(0, contentLength ?? 0);
const page = Buffer.alloc(1024);
await blob.downloadToBuffer(page, (5 << 20) - 512, 1024);
await client.diskRestorePoint.revokeAccess(group, "sdk", "one", dataName);
const revoked = await blob.getProperties().then(
  () => "still open",
  () => "closed",
);
const restored = await client.disks.createOrUpdate(group, "sdk-restored", {
  location: "local",
  creationData: { createOption: "Restore", sourceResourceId: dataPoint },
});
const snapshot = await client.snapshots.createOrUpdate(group, "sdk-snapshot", {
  location: "local",
  incremental: true,
  creationData: { createOption: "Copy", sourceResourceId: restored.id ?? "" },
});
const granted = await client.snapshots.grantAccess(group, "sdk-snapshot", { access: "Read", durationInSeconds: 60 });
await client.snapshots.revokeAccess(group, "sdk-snapshot");
const listed = await names(client.disks.listByResourceGroup(group));
for (const name of ["sdk-empty", "sdk-restored"]) await client.disks.delete(group, name);
await client.snapshots.delete(group, "sdk-snapshot");
await client.restorePoints.delete(group, "sdk", "one");
const missing = await failureOf(client.restorePoints.get(group, "sdk", "one"));
await client.restorePointCollections.delete(group, "sdk");

process.stdout.write(
  JSON.stringify({
    empty: [empty.provisioningState, empty.diskSizeGB, empty.diskState],
    updated: [updated.diskSizeGB, updated.tags],
    point: [point.provisioningState, point.consistencyMode],
    replicas: viewed.instanceView?.diskRestorePoints?.length,
    inCollection: collection.restorePoints?.map(({ name }) => name),
    diskPoints: diskPoints.length,
    source: shown.sourceResourceId?.split("/").at(-1),
    used,
    contentLength,
    ranges: ranges.pageRange,
    page: [page[0], page[512]],
    revoked,
    restored: restored.diskSizeBytes,
    snapshot: [snapshot.provisioningState, snapshot.incremental],
    granted: typeof granted.accessSAS,
    listed,
    missing,
  }),
);
