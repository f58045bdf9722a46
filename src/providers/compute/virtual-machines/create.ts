// A new virtual machine from managed disks: what `az vm create --attach-os-disk` and the templates of
// a restore ask for. It is defined on a host that runs machines, and started.

import { param, type ArmRequest, type Draft } from "../../../arm/request.ts";
import { tryParseResourceId } from "../../../arm/resource-id.ts";
import { findResource } from "../../../arm/resources/resource-store.ts";
import { armErrors } from "../../../arm/errors.ts";
import type { MachineDefinition } from "../../../hosts/host.ts";
import type { RegisteredHost } from "../../../inventory/inventory.ts";
import { newGuid } from "../../../lib/random.ts";
import { disksToAttach, type WantedDisk } from "./disks-to-attach.ts";
import { chosenKeys } from "./disk-encryption.ts";
import { computeErrors } from "../errors.ts";
import { interfacesIn, mayJoin, ownParts, releaseParts } from "./parts.ts";
import { machineSizes, sizeNamed } from "./sizes.ts";
import type { ComputeServices } from "../services.ts";
import type { MachineBody } from "./body.ts";

/** What a new machine is asked to be, as far as the request alone can tell. */
export function askedMachine(draft: Draft, body: MachineBody) {
  const name = param(draft, "vmName");
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name) || /[.-]$/.test(name)) {
    throw armErrors.InvalidResourceName(
      `The virtual machine name '${name.slice(0, 80)}' is invalid: 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit.`,
      { target: "name" },
    );
  }
  const wanted = disksWanted(body);
  const asked = body.properties?.hardwareProfile?.vmSize ?? "";
  const size = sizeNamed(asked);
  if (size === undefined) {
    throw armErrors.InvalidParameter(
      `'properties.hardwareProfile.vmSize': there is no size '${asked}'. Say Holdfast_PROCESSORS_MEBIBYTES, such as Holdfast_2_4096, or one of ${machineSizes.map((one) => one.name).join(", ")}.`,
      { target: "vmSize" },
    );
  }
  return { name, wanted, size };
}

export async function createMachine(services: ComputeServices, request: ArmRequest, body: MachineBody): Promise<void> {
  const { database, inventory, locations } = services;
  const { name, wanted, size } = askedMachine(request, body);
  const location = locations.canonical(body.location ?? "");
  const interfaces = interfacesIn(body.properties?.kept ?? {});
  for (const id of interfaces) {
    if ((await findResource(database.kysely, id)) !== undefined) continue;
    throw computeErrors.InvalidResourceReference(
      `Resource ${id} referenced by the virtual machine ${name} was not found. Make the network interface first.`,
      { target: "networkProfile.networkInterfaces" },
    );
  }
  await mayJoin(services, request.caller, interfaces);
  const diskKeys = await chosenKeys(services, request, body, undefined);
  const host = await chooseHost(services, request, body.properties?.hostId);

  const { defined, boot, diskSizes, diskResourceIds } = await disksToAttach(
    services,
    request.resourceId,
    wanted,
    request.caller,
  );

  const osType = body.properties?.storageProfile?.osDisk?.osType;
  const network = interfaces.length > 0 ? "user" : "none";
  const definition: MachineDefinition = {
    name,
    id: newGuid(),
    memoryBytes: size.mebibytes * 1024 ** 2,
    processors: size.processors,
    network,
    disks: defined,
    ...boot,
  };
  await inventory.adopt(
    host.hostId,
    definition,
    {
      subscriptionId: param(request, "subscriptionId"),
      resourceGroup: param(request, "resourceGroup"),
      name,
      location,
      tags: body.tags ?? {},
      properties: body.properties?.kept ?? {},
      hidden: { vmSize: size.name, network, ...(diskKeys === undefined ? {} : { diskKeys }) },
      ...(osType === undefined || osType === null ? {} : { osType }),
      diskSizes,
      diskResourceIds,
    },
    request.signal,
  );
  await database.transaction((trx) => ownParts(trx, request.resourceId));
  try {
    const { lifecycle } = await inventory.openHost(host.hostId, request.signal);
    await lifecycle?.start(definition.id, request.signal);
  } catch (error) {
    await inventory.forget(request.resourceId, undefined, releaseParts);
    throw error;
  }
  await inventory.refreshMachine(request.resourceId, request.signal);
}

export function noImages(): Error {
  return computeErrors.ImageNotAvailable(
    "There are no marketplace images here: a virtual machine is made from disks. Restore a recovery point, or make a disk with az disk create, and give it as storageProfile.osDisk with createOption 'Attach' (az vm create --attach-os-disk). Machines that run on a host appear by themselves once the host is added: ./holdfast host add.",
    { target: "storageProfile.imageReference" },
  );
}

function disksWanted(body: MachineBody): WantedDisk[] {
  const { osDisk, dataDisks, imageReference } = body.properties?.storageProfile ?? {};
  if (imageReference !== undefined && imageReference !== null) {
    throw noImages();
  }
  const all = [
    { path: "osDisk", serial: "os", disk: osDisk },
    ...(dataDisks ?? [])
      .toSorted((a, b) => a.lun - b.lun)
      .map((disk) => ({ path: `dataDisks[lun ${disk.lun}]`, serial: `lun${disk.lun}`, disk })),
  ];
  return all.map(({ path, serial, disk }) => {
    const resourceId = disk?.managedDisk?.id;
    if (disk?.createOption?.toLowerCase() === "attach" && resourceId !== undefined) {
      if (tryParseResourceId(resourceId) !== undefined) return { serial, resourceId };
    }
    throw armErrors.InvalidParameter(
      `'storageProfile.${path}' must have createOption 'Attach' and the id of a managed disk in managedDisk.id (seen: createOption '${disk?.createOption ?? "nothing"}', id '${resourceId ?? "nothing"}').`,
      { target: "storageProfile" },
    );
  });
}

/** The one that is named, else the only one that can be meant. */
async function chooseHost(
  { inventory }: ComputeServices,
  request: ArmRequest,
  named: string | undefined,
): Promise<RegisteredHost> {
  if (named !== undefined) return inventory.showHost(named);
  const able = (await inventory.listHosts()).filter(({ settings }) => settings.kind !== "images");
  const group = `/resourcegroups/${param(request, "resourceGroup").toLowerCase()}/`;
  const near = able.filter(({ resourceId }) => resourceId.toLowerCase().includes(group));
  const [only, ...others] = near.length > 0 ? near : able;
  if (only !== undefined && others.length === 0) return only;
  throw computeErrors.OperationNotAllowed(
    only === undefined
      ? "No host here runs machines. Add one with ./holdfast host add qemu, then try again."
      : `Several hosts could run the machine: ${[only, ...others].map(({ resourceId }) => resourceId).join(", ")}. Name one in properties.host.id (az vm create --host ID).`,
    { target: "host" },
  );
}
