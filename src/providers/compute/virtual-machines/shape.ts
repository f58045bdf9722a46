// A virtual machine on the wire: what the host tells of it, what clients have set, its extensions.

import type { JsonObject, Resource } from "../../../arm/resources/resource.ts";
import type { DiskKeyNames } from "../../../backup/keys/disk-keys.ts";
import { settingsOf } from "../../../backup/keys/encryption-settings.ts";
import type { MachineDefinition } from "../../../hosts/host.ts";
import type { MachineExtension } from "../../../inventory/extensions.ts";
import { guestInterfaceId } from "../../../inventory/guest-interface.ts";
import { disksOf, type InventoryDisk } from "../../../inventory/machine-disks.ts";
import type { InventoryMachine } from "../../../inventory/machine.ts";
import { isoTime } from "../../../lib/clock.ts";
import { renderExtension } from "../extensions/shape.ts";
import { sizeNamed, sizeNameOf } from "./sizes.ts";

/** What the resource of a machine keeps and never shows as it is. */
export interface MachineHidden {
  /** How it was ended here: by `az vm stop` or `az vm deallocate`, the same on a host, two states on the wire. */
  readonly ended?: { readonly state: "stopped" | "deallocated"; readonly at: number };
  /** The name of the size that it was asked for by. */
  readonly vmSize?: string;
  /** Of a machine that was made from disks here. */
  readonly network?: MachineDefinition["network"];
  /** Which keys open its disks, when somebody has said that they are encrypted. */
  readonly diskKeys?: DiskKeyNames;
  /** How clients describe its disks beyond what the host knows, by lower-case id of the disk. */
  readonly disks?: Readonly<Record<string, { readonly caching?: string; readonly storageAccountType?: string }>>;
}

/** Properties that clients may set; the rest is the host's to tell. */
export const keptProperties = [
  "additionalCapabilities",
  "availabilitySet",
  "diagnosticsProfile",
  "evictionPolicy",
  "extensionsTimeBudget",
  "licenseType",
  "networkProfile",
  "osProfile",
  "priority",
  "proximityPlacementGroup",
  "scheduledEventsProfile",
  "securityProfile",
] as const;

export function renderMachine(
  resource: Resource,
  machine: InventoryMachine,
  extensions: readonly MachineExtension[],
  instanceView?: JsonObject,
): Record<string, unknown> {
  const kept = Object.fromEntries(
    keptProperties.flatMap((name) => (name in resource.properties ? [[name, resource.properties[name]]] : [])),
  );
  return {
    id: resource.id,
    name: resource.name,
    type: "Microsoft.Compute/virtualMachines",
    location: resource.location,
    ...resource.envelope,
    etag: resource.etag,
    properties: {
      vmId: machine.vmId,
      hardwareProfile: { vmSize: sizeOf(resource.hidden as MachineHidden, machine) },
      storageProfile: renderStorageProfile(resource, machine),
      osProfile: osProfile(machine),
      networkProfile: { networkInterfaces: guestInterfaces(machine) },
      ...kept,
      provisioningState: resource.provisioningState,
      timeCreated: isoTime(resource.createdAt),
      ...(instanceView === undefined ? {} : { instanceView }),
    },
    resources: extensions.map((extension) => renderExtension(extension)),
  };
}

/** The name that it was asked for by, while that tells the truth. */
export function sizeOf({ vmSize }: MachineHidden, { machine }: InventoryMachine): string {
  const asked = vmSize === undefined ? undefined : sizeNamed(vmSize);
  const actual = sizeNameOf(machine.processors, machine.memoryBytes);
  const isTrue = asked !== undefined && sizeNameOf(asked.processors, asked.mebibytes * 1024 ** 2) === actual;
  return isTrue ? asked.name : actual;
}

export function renderStorageProfile(resource: Resource, machine: InventoryMachine): JsonObject {
  const hidden = resource.hidden as MachineHidden;
  const disks = disksOf(machine);
  const system = disks.find(({ lun }) => lun === -1);
  return {
    ...(system === undefined
      ? {}
      : {
          osDisk: {
            osType: machine.osType,
            ...diskShape(hidden, system),
            ...(hidden.diskKeys === undefined ? {} : { encryptionSettings: settingsOf(hidden.diskKeys) }),
          },
        }),
    dataDisks: disks
      .filter(({ lun }) => lun >= 0)
      .map((disk) => ({ lun: disk.lun, ...diskShape(hidden, disk), toBeDetached: false })),
  };
}

function diskShape(hidden: MachineHidden, { name, resourceId, disk }: InventoryDisk): JsonObject {
  const said = hidden.disks?.[resourceId.toLowerCase()];
  return {
    name,
    createOption: "Attach",
    caching: said?.caching ?? "None",
    deleteOption: "Detach",
    diskSizeGB: gibibytes(disk.sizeBytes),
    managedDisk: { id: resourceId, storageAccountType: said?.storageAccountType ?? "Premium_LRS" },
  };
}

/** Azure counts whole GiB; what is begun counts. */
export function gibibytes(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 1024 ** 3));
}

function guestInterfaces(machine: InventoryMachine): JsonObject[] {
  const id = guestInterfaceId(machine);
  return id === undefined ? [] : [{ id, properties: { primary: true } }];
}

function osProfile(machine: InventoryMachine): JsonObject {
  return {
    computerName: machine.guest?.hostName || machine.machine.name.slice(0, 64),
    ...(machine.osType === "Windows"
      ? { windowsConfiguration: { provisionVMAgent: machine.machine.hasAgent } }
      : { linuxConfiguration: { provisionVMAgent: machine.machine.hasAgent } }),
    allowExtensionOperations: machine.machine.hasAgent,
    secrets: [],
  };
}
