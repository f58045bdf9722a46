// Where a new disk's content comes from, and whether the caller may have it. Whoever creates a disk
// from another one needs the right to read that one's bytes, not only to see that it is there.

import { z } from "zod";
import { tryParseResourceId } from "../../../arm/resource-id.ts";
import { findResource, type Writer } from "../../../arm/resources/resource-store.ts";
import type { ArmRequest, Caller } from "../../../arm/request.ts";
import { accountNameOf, locate } from "../../../blobs/http/request.ts";
import { findAccount } from "../../../blobs/rows/account.ts";
import { getBlob } from "../../../blobs/rows/blob.ts";
import { readyImageOf } from "../../../disks/image-rows.ts";
import { disksOf } from "../../../inventory/machine-disks.ts";
import { footerBytes } from "../../../store/images/vhd-footer.ts";
import type { DiskServices } from "../disk-services.ts";
import { diskResourceErrors } from "./errors.ts";
import type { DiskProperties } from "./properties.ts";
import { findDiskRestorePoint } from "../restore-points/rows.ts";

/** What the operation that writes the disk is given. */
export const contentInput = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("empty") }),
  z.object({ kind: z.literal("image"), imageId: z.string() }),
  z.object({ kind: z.literal("point"), store: z.string(), point: z.string(), disk: z.string() }),
  z.object({ kind: z.literal("blob"), account: z.string(), container: z.string(), name: z.string() }),
  /** A disk of a machine, as it is at one instant. */
  z.object({ kind: z.literal("machine"), vmId: z.string(), diskId: z.string() }),
]);
export type ContentInput = z.output<typeof contentInput>;

export interface PlannedContent {
  readonly input: ContentInput;
  /** Undefined: as large as is asked for. */
  readonly sizeBytes: number | undefined;
  readonly osType?: "Linux" | "Windows";
  readonly sourceUniqueId?: string;
}

export async function planContent(
  services: DiskServices,
  trx: Writer,
  request: ArmRequest,
  { creationData }: DiskProperties,
): Promise<PlannedContent> {
  switch (creationData?.createOption) {
    case "Empty":
      return { input: { kind: "empty" }, sizeBytes: undefined };
    case "Copy":
      return copyOf(services, trx, request.caller, sourceIdOf(creationData.sourceResourceId));
    case "Restore":
      return restoredFrom(services, trx, request.caller, sourceIdOf(creationData.sourceResourceId));
    case "Import":
      return importedFrom(services, trx, request, creationData.sourceUri ?? undefined);
    case undefined:
      throw diskResourceErrors.SourceInvalid("A new disk needs creationData with a createOption.", {
        target: "creationData",
      });
  }
}

function sourceIdOf(id: string | null | undefined): string {
  if (typeof id === "string" && tryParseResourceId(id) !== undefined) return id;
  throw diskResourceErrors.SourceInvalid(
    `creationData.sourceResourceId is ${id === undefined || id === null ? "missing" : `'${id.slice(0, 200)}', which is no resource id`}.`,
    { target: "creationData.sourceResourceId" },
  );
}

async function copyOf(services: DiskServices, trx: Writer, caller: Caller, id: string): Promise<PlannedContent> {
  const type = tryParseResourceId(id)?.type.toLowerCase() ?? "";
  if (type !== "microsoft.compute/disks" && type !== "microsoft.compute/snapshots") {
    throw diskResourceErrors.SourceInvalid(`Copy needs a disk or a snapshot; '${id}' is neither.`, {
      target: "creationData.sourceResourceId",
    });
  }
  const kind = type.endsWith("/disks") ? "disks" : "snapshots";
  await mayRead(services, caller, `Microsoft.Compute/${kind}/beginGetAccess/action`, id);
  const resource = await findResource(trx, id);
  if (resource !== undefined) {
    const image = await readyImageOf(trx, id);
    const { osType } = resource.properties as { osType?: "Linux" | "Windows" };
    return {
      input: { kind: "image", imageId: image.imageId },
      sizeBytes: image.size,
      osType,
      sourceUniqueId: image.imageId,
    };
  }
  const attached = await machineDisk(services, id);
  if (attached !== undefined) return attached;
  throw diskResourceErrors.SourceInvalid(`The source '${id}' was not found.`, {
    target: "creationData.sourceResourceId",
  });
}

async function machineDisk(services: DiskServices, id: string): Promise<PlannedContent | undefined> {
  const { subscriptionId, resourceGroup } = tryParseResourceId(id) ?? {};
  for (const machine of await services.inventory.listMachines({ subscriptionId, resourceGroup })) {
    const found = disksOf(machine).find(({ resourceId }) => resourceId.toLowerCase() === id.toLowerCase());
    if (found === undefined) continue;
    return {
      input: { kind: "machine", vmId: machine.resourceId, diskId: found.disk.id },
      sizeBytes: found.disk.sizeBytes,
      osType: found.lun === -1 ? machine.osType : undefined,
    };
  }
  return undefined;
}

async function restoredFrom(services: DiskServices, trx: Writer, caller: Caller, id: string): Promise<PlannedContent> {
  const found = await findDiskRestorePoint(trx, id);
  if (found === undefined) {
    throw diskResourceErrors.SourceInvalid(`Restore needs a disk of a restore point; there is no '${id}'.`, {
      target: "creationData.sourceResourceId",
    });
  }
  const action = "Microsoft.Compute/restorePointCollections/restorePoints/diskRestorePoints/beginGetAccess/action";
  await mayRead(services, caller, action, id);
  const { granted, osType } = found;
  const { store, point, disk } = granted;
  return {
    input: { kind: "point", store, point, disk },
    sizeBytes: granted.size,
    osType,
    sourceUniqueId: granted.uniqueId,
  };
}

/** Only blobs of this service: nobody makes it fetch from elsewhere. Who may list an account's keys may read all of it. */
async function importedFrom(
  services: DiskServices,
  trx: Writer,
  request: ArmRequest,
  uri: string | undefined,
): Promise<PlannedContent> {
  const refuse = (why: string): Error =>
    diskResourceErrors.SourceInvalid(`creationData.sourceUri ${why}.`, { target: "creationData.sourceUri" });
  const url = uri !== undefined && URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined) throw refuse("is no URL of a blob");
  const found = accountNameOf(url.host, url.pathname);
  const account = found && (await findAccount(trx, services.blobs.store.secretBox, found.account));
  const isOurs =
    found !== undefined &&
    (!found.inPath || [request.origin, new URL(services.blobs.accountUrl(found.account)).origin].includes(url.origin));
  if (account === undefined || !isOurs) throw refuse("is no blob of a storage account of this service");
  if (account.scope === "")
    throw refuse("names an exported disk: create the disk with createOption Copy or Restore instead");
  await mayRead(services, request.caller, "Microsoft.Storage/storageAccounts/listKeys/action", account.scope);
  const { container, blob: name } = locate(account.name, found?.inPath === true, url.pathname);
  if (container === undefined || name === undefined) throw refuse("names no blob");
  const blob = await getBlob(trx, { account: account.name, container, name });
  return {
    input: { kind: "blob", account: account.name, container, name },
    sizeBytes: Math.max(0, blob.size - footerBytes),
  };
}

async function mayRead(services: DiskServices, caller: Caller, action: string, scope: string): Promise<void> {
  await services.access.check({ principal: { objectId: caller.principalId, name: caller.name }, action, scope });
}
