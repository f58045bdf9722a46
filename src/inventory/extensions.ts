// Extensions of machines, as Azure's clients set them and as what runs in the guest reports on them.
// Protected settings are sealed when they come and opened only for the guest; nothing renders them.

import { idKey, parseResourceId } from "../arm/resource-id.ts";
import {
  deleteResource,
  findResource,
  listResources,
  putResource,
  type PutResult,
  type Reader,
  type Writer,
} from "../arm/resources/resource-store.ts";
import { fromRow, type Resource } from "../arm/resources/resource.ts";
import { scopeOf } from "../db/transaction.ts";
import { appendEvent } from "../events/append.ts";
import type { SecretBox } from "../lib/secret-box.ts";
import { inventoryErrors } from "./errors.ts";
import { inventoryChannel, ownDeed, type Deed } from "./host-registry.ts";
import { machineType } from "./machine.ts";

export const extensionType = `${machineType}/extensions`;

export interface ExtensionProperties {
  readonly publisher: string;
  /** `VMSnapshotLinux` */
  readonly type: string;
  readonly typeHandlerVersion?: string;
  readonly autoUpgradeMinorVersion?: boolean;
  readonly enableAutomaticUpgrade?: boolean;
  readonly suppressFailures?: boolean;
  readonly forceUpdateTag?: string;
  readonly provisionAfterExtensions?: readonly string[];
  /** Public: whoever may read the machine sees them. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface InstanceStatus {
  /** `ProvisioningState/succeeded` */
  readonly code: string;
  readonly level: "Info" | "Warning" | "Error";
  readonly displayStatus: string;
  readonly message?: string;
  /** ISO 8601. */
  readonly time?: string;
}

export interface ExtensionStatus {
  /** The version that is in the guest. */
  readonly typeHandlerVersion?: string;
  readonly statuses: readonly InstanceStatus[];
  readonly substatuses: readonly InstanceStatus[];
}

interface Hidden {
  /** Sealed, base64. */
  readonly protectedSettings?: string;
  /** Grows with each new settings: the `seqNo` of the handler's files. */
  readonly sequence?: number;
  readonly status?: ExtensionStatus;
}

export interface MachineExtension {
  readonly id: string;
  readonly name: string;
  /** Lower-case id of the machine. */
  readonly machineKey: string;
  readonly resource: Resource;
  readonly properties: ExtensionProperties;
  readonly sequence: number;
  readonly hasProtectedSettings: boolean;
  readonly status: ExtensionStatus;
}

export interface ExtensionDraft {
  readonly id: string;
  readonly location: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly properties: ExtensionProperties;
  /** "keep" leaves what there is. */
  readonly protectedSettings: Readonly<Record<string, unknown>> | "keep" | undefined;
}

/** What its guest side has not reported on yet. */
const initialStatus: ExtensionStatus = {
  statuses: [{ code: "ProvisioningState/succeeded", level: "Info", displayStatus: "Provisioning succeeded" }],
  substatuses: [],
};

/** Longest text that a guest may have shown for one status. */
const longestMessage = 64 * 1024;
const mostStatuses = 16;

export async function putExtension(
  trx: Writer,
  box: SecretBox,
  draft: ExtensionDraft,
  by: Parameters<typeof putResource>[2],
  deed: Deed = ownDeed,
): Promise<PutResult> {
  const existing = await findResource<ExtensionProperties, Hidden>(trx, draft.id);
  const { protectedSettings } = draft;
  const sealed =
    protectedSettings === "keep"
      ? existing?.hidden.protectedSettings
      : protectedSettings === undefined
        ? undefined
        : box.seal(Buffer.from(JSON.stringify(protectedSettings))).toString("base64");
  const hidden: Hidden = {
    ...(sealed === undefined ? {} : { protectedSettings: sealed }),
    sequence: (existing?.hidden.sequence ?? -1) + 1,
    status: existing?.hidden.status ?? initialStatus,
  };
  const result = await putResource(
    trx,
    {
      id: draft.id,
      location: draft.location,
      envelope: draft.tags === undefined ? {} : { tags: draft.tags },
      properties: draft.properties,
      hidden,
    },
    by,
  );
  tellOf(trx, draft.id, result.created ? "extension.added" : "extension.changed", deed, {
    publisher: draft.properties.publisher,
    type: draft.properties.type,
    sequence: hidden.sequence,
  });
  return result;
}

/** What the guest side reports; shown by `az vm extension list` and in the instance view. */
export async function writeExtensionStatus(trx: Writer, id: string, status: ExtensionStatus): Promise<void> {
  const found = await findResource<ExtensionProperties, Hidden>(trx, id);
  if (found === undefined) throw inventoryErrors.ExtensionUnknown(`There is no extension ${id}.`);
  const kept = { ...status, statuses: bounded(status.statuses), substatuses: bounded(status.substatuses) };
  const hidden: Hidden = { ...found.hidden, status: kept };
  const state = kept.statuses.some(({ level }) => level === "Error") ? "Failed" : "Succeeded";
  await trx
    .updateTable("resources")
    .set({ hidden: JSON.stringify(hidden), state })
    .where("key", "=", idKey(id))
    .execute();
  tellOf(trx, id, "extension.reported", ownDeed, { codes: kept.statuses.map(({ code }) => code), state });
}

export async function findExtension(reader: Reader, id: string): Promise<MachineExtension | undefined> {
  const found = await findResource(reader, id);
  return found === undefined ? undefined : toExtension(found);
}

/** Of one machine, in order of their names. */
export async function listExtensions(reader: Reader, vmResourceId: string): Promise<MachineExtension[]> {
  const { subscriptionId } = parseResourceId(vmResourceId);
  const found = await listResources(reader, { subscriptionId, type: extensionType, parent: vmResourceId });
  return found.map(toExtension);
}

/** Of several machines, by their lower-case ids. */
export async function listExtensionsOf(
  reader: Reader,
  machineKeys: readonly string[],
): Promise<Map<string, MachineExtension[]>> {
  if (machineKeys.length === 0) return new Map();
  const rows = await reader
    .selectFrom("resources")
    .selectAll()
    .where("parent_key", "in", machineKeys)
    .where("type_key", "=", extensionType.toLowerCase())
    .orderBy("key")
    .execute();
  return Map.groupBy(
    rows.map((row) => toExtension(fromRow(row))),
    ({ machineKey }) => machineKey,
  );
}

/** For the guest only. */
export async function readProtectedSettings(
  reader: Reader,
  box: SecretBox,
  id: string,
): Promise<Record<string, unknown> | undefined> {
  const found = await findResource<ExtensionProperties, Hidden>(reader, id);
  const sealed = found?.hidden.protectedSettings;
  if (sealed === undefined) return undefined;
  return JSON.parse(box.open(Buffer.from(sealed, "base64")).toString("utf8")) as Record<string, unknown>;
}

export async function removeExtension(trx: Writer, id: string, deed: Deed = ownDeed): Promise<boolean> {
  const wasThere = await deleteResource(trx, id);
  if (wasThere) tellOf(trx, id, "extension.removed", deed, {});
  return wasThere;
}

function toExtension(resource: Resource): MachineExtension {
  const hidden = resource.hidden as Hidden;
  return {
    id: resource.id,
    name: resource.name,
    machineKey: idKey(parseResourceId(resource.id).parent),
    resource,
    properties: resource.properties as unknown as ExtensionProperties,
    sequence: hidden.sequence ?? 0,
    hasProtectedSettings: hidden.protectedSettings !== undefined,
    status: hidden.status ?? initialStatus,
  };
}

function bounded(statuses: readonly InstanceStatus[]): InstanceStatus[] {
  return statuses.slice(0, mostStatuses).map((status) => ({
    ...status,
    ...(status.message === undefined ? {} : { message: status.message.slice(0, longestMessage) }),
  }));
}

function tellOf(trx: Writer, id: string, type: string, deed: Deed, data: object): void {
  appendEvent(trx, { ...deed, type, subject: id, subjects: [parseResourceId(id).parent], data });
  scopeOf(trx).tell(inventoryChannel);
}
