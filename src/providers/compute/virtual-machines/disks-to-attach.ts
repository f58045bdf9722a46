// Managed disks as a machine's disks: each must be there, whole, nobody else's, and one that the caller
// may change: who gives it to a machine reads and writes it there.

import type { Caller } from "../../../arm/request.ts";
import { idKey } from "../../../arm/resource-id.ts";
import { findResource } from "../../../arm/resources/resource-store.ts";
import { kernelAt, type BootPaths, type WrittenBoot } from "../../../backup/restore/boot-files.ts";
import { readyImageOf } from "../../../disks/image-rows.ts";
import type { DefinedDisk } from "../../../hosts/host.ts";
import { diskType } from "../../../inventory/machine-disks.ts";
import type { DiskHidden } from "../disks/properties.ts";
import { computeErrors } from "../errors.ts";
import type { ComputeServices } from "../services.ts";

export interface WantedDisk {
  /** What the machine is to know it by. */
  readonly serial: string;
  readonly resourceId: string;
}

export interface AttachedDisks {
  readonly defined: readonly DefinedDisk[];
  /** What goes with the first of them, the system disk. */
  readonly boot: WrittenBoot;
  /** By serial. */
  readonly diskSizes: Readonly<Record<string, number>>;
  readonly diskResourceIds: Readonly<Record<string, string>>;
}

export async function disksToAttach(
  { access, database, disks }: ComputeServices,
  machineId: string,
  wanted: readonly WantedDisk[],
  caller: Caller,
): Promise<AttachedDisks> {
  const defined: DefinedDisk[] = [];
  const diskSizes: Record<string, number> = {};
  const diskResourceIds: Record<string, string> = {};
  const seen = new Set<string>();
  let boot: WrittenBoot = {};
  for (const { serial, resourceId } of wanted) {
    const resource = await findResource<object, DiskHidden>(database.kysely, resourceId);
    if (resource === undefined || idKey(resource.type) !== idKey(diskType)) {
      throw computeErrors.InvalidResourceReference(
        `Resource ${resourceId} referenced by the virtual machine was not found. See az disk list.`,
        { target: "storageProfile" },
      );
    }
    const { managedBy } = resource.envelope;
    if (managedBy === undefined) {
      const principal = { objectId: caller.principalId, name: caller.name };
      await access.check({ principal, action: `${diskType}/write`, scope: resource.id });
    }
    if (managedBy !== undefined && idKey(managedBy) !== idKey(machineId)) {
      throw computeErrors.OperationNotAllowed(
        `The disk ${resource.id} belongs to ${managedBy}. A disk is attached to one machine at a time; copy it with az disk create --source.`,
        { target: "storageProfile" },
      );
    }
    if (seen.has(idKey(resourceId))) {
      throw computeErrors.OperationNotAllowed(`The disk ${resource.id} is named twice.`, { target: "storageProfile" });
    }
    seen.add(idKey(resourceId));
    const image = await readyImageOf(database.kysely, resource.id);
    if (defined.length === 0) boot = bootOf(resource.hidden, disks.images.bootPathsOf(image.imageId));
    defined.push({ id: serial, source: { kind: "image", path: disks.images.pathOf(image.imageId), format: "raw" } });
    diskSizes[serial] = image.size;
    diskResourceIds[serial] = resource.id;
  }
  return { defined, diskSizes, diskResourceIds, boot };
}

export function bootOf({ boot, uefi }: Pick<DiskHidden, "boot" | "uefi">, paths: BootPaths): WrittenBoot {
  return {
    ...(boot && { kernel: kernelAt(paths, boot) }),
    ...(uefi && { firmware: { variablesPath: paths.variables, isSecureBoot: uefi.isSecureBoot } }),
  };
}
