// What @azure/arm-compute, unmodified, sees of the machine `web`.

import { ComputeManagementClient, type AttachDetachDataDisksRequest, type StorageProfile } from "@azure/arm-compute";
import { credential, endpoint, subscriptionId } from "../sdk/programs/clients.ts";

const client = new ComputeManagementClient(credential, subscriptionId, {
  endpoint,
  credentials: { scopes: [`${endpoint}/.default`] },
});
const names = async (pages: AsyncIterable<{ name?: string }>): Promise<unknown[]> => {
  const found = [];
  for await (const { name } of pages) found.push(name);
  return found;
};

const listed = await names(client.virtualMachines.list("lab"));
const all = await names(client.virtualMachines.listAll());
const { vmId } = await client.virtualMachines.get("lab", "web");
const view = await client.virtualMachines.instanceView("lab", "web");
const ran = await client.virtualMachines.runCommand("lab", "web", { commandId: "RunShellScript", script: ["true"] });
const extension = await client.virtualMachineExtensions.createOrUpdate("lab", "web", "VMSnapshot", {
  location: "local",
  publisher: "Microsoft.RecoveryServices",
  typePropertiesType: "VMSnapshot",
  typeHandlerVersion: "1.9",
  autoUpgradeMinorVersion: true,
  settings: { locale: "en-us" },
  protectedSettings: { objectStr: "secret" },
});
const shown = await client.virtualMachineExtensions.get("lab", "web", "VMSnapshot");
await client.virtualMachineExtensions.delete("lab", "web", "VMSnapshot");
const { value: left = [] } = await client.virtualMachineExtensions.list("lab", "web");
const failureOf = async (work: PromiseLike<unknown>): Promise<unknown> => {
  try {
    return await work;
  } catch (error) {
    const { statusCode, code } = error as { statusCode: number; code: string };
    return { statusCode, code };
  }
};
const missing = await failureOf(client.virtualMachines.get("lab", "nobody"));

const { id: diskId = "" } = await client.disks.createOrUpdate("lab", "Sdk-Disk", {
  location: "local",
  creationData: { createOption: "Empty" },
  diskSizeGB: 1,
});
const change = (parameters: AttachDetachDataDisksRequest) =>
  client.virtualMachines.attachDetachDataDisks("lab", "web", parameters);
const dataDisks = ({ dataDisks: disks = [] }: StorageProfile): unknown[] => disks.map(({ name, lun }) => [name, lun]);
const shouted = diskId.toUpperCase();
const attached = await change({ dataDisksToAttach: [{ diskId: shouted, caching: "ReadOnly" }] });
// A disk is known by its id, in whatever case: neither of these changes anything.
const again = await change({ dataDisksToAttach: [{ diskId }] });
const echoed = await client.virtualMachines.update("lab", "web", {
  storageProfile: {
    dataDisks: again.dataDisks?.map((disk) => ({ ...disk, managedDisk: { id: disk.managedDisk?.id?.toUpperCase() } })),
  },
});
const detached = await change({ dataDisksToDetach: [{ diskId: shouted }] });
const notThere = await failureOf(change({ dataDisksToDetach: [{ diskId }] }));
await client.disks.delete("lab", "Sdk-Disk");

await client.virtualMachines.restart("lab", "web");
process.stdout.write(
  JSON.stringify({
    listed,
    all,
    vmId,
    power: view.statuses?.map(({ code }) => code).filter((code) => code?.startsWith("PowerState")),
    agent: view.vmAgent?.statuses?.[0]?.displayStatus,
    ran: ran.value?.[0]?.code,
    extension: [extension.name === shown.name ? shown.typePropertiesType : "", left.length],
    missing,
    attached: [dataDisks(attached), attached.dataDisks?.[2]?.caching],
    unchanged: [dataDisks(again), dataDisks(echoed.storageProfile ?? {})].every(
      (one) => JSON.stringify(one) === JSON.stringify(dataDisks(attached)),
    ),
    detached: dataDisks(detached),
    notThere,
  }),
);
