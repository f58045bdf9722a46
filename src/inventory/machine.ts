// A machine as the rest of Holdfast knows it: where it is on the wire, where it is on a host, and
// what was last seen of it.

import { parseResourceId } from "../arm/resource-id.ts";
import type { Reader } from "../arm/resources/resource-store.ts";
import type { Machine } from "../hosts/host.ts";
import type { GuestFacts } from "./guest-facts.ts";

export const machineType = "Microsoft.Compute/virtualMachines";

export interface InventoryMachine {
  readonly resourceId: string;
  /** GUID. */
  readonly vmId: string;
  readonly hostId: string;
  /** What the host's driver knows it by. */
  readonly machineId: string;
  /** The last part of the resource id; what the host calls it now is `machine.name`. */
  readonly name: string;
  readonly osType: "Linux" | "Windows";
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly lastSeenAt: number;
  /** Whether the last look at its host found it. */
  readonly present: boolean;
  /** As last seen. */
  readonly machine: Machine;
  /** Ids of disks that are resources of their own, by the driver's id of the disk. */
  readonly diskResourceIds: Readonly<Record<string, string>>;
  /** What its agent last said; undefined when it never did. */
  readonly guest: GuestFacts | undefined;
}

/** What the resource of an adopted machine remembers of how it was made. */
interface AdoptedHidden {
  readonly diskResourceIds?: Readonly<Record<string, string>>;
  readonly osType?: "Linux" | "Windows";
}

export interface MachineFilter {
  readonly hostId?: string;
  readonly subscriptionId?: string;
  readonly resourceGroup?: string;
  readonly present?: boolean;
  /** Lower-case ids. */
  readonly keys?: readonly string[];
  /** Only machines whose lower-case id is greater: for paging. */
  readonly after?: string;
  readonly limit?: number;
}

export async function readMachines(reader: Reader, filter: MachineFilter): Promise<InventoryMachine[]> {
  let select = reader
    .selectFrom("machines")
    .innerJoin("resources", "resources.key", "machines.key")
    .innerJoin("hosts", "hosts.host_id", "machines.host_id")
    .select([
      "machines.key",
      "machines.host_id",
      "machines.machine_id",
      "machines.vm_id",
      "machines.present",
      "machines.last_seen_at",
      "machines.machine",
      "machines.guest",
      "resources.id",
      "resources.name",
      "resources.location",
      "resources.envelope",
      "resources.hidden",
      "hosts.looked_at",
    ]);
  if (filter.hostId !== undefined) select = select.where("machines.host_id", "=", filter.hostId);
  if (filter.subscriptionId !== undefined)
    select = select.where("resources.subscription_key", "=", filter.subscriptionId.toLowerCase());
  if (filter.resourceGroup !== undefined)
    select = select.where("resources.group_key", "=", filter.resourceGroup.toLowerCase());
  if (filter.present !== undefined) select = select.where("machines.present", "=", filter.present ? 1 : 0);
  if (filter.keys !== undefined) {
    if (filter.keys.length === 0) return [];
    select = select.where("machines.key", "in", filter.keys);
  }
  if (filter.after !== undefined) select = select.where("machines.key", ">", filter.after);
  if (filter.limit !== undefined) select = select.limit(filter.limit);
  const rows = await select.orderBy("machines.key").execute();
  return rows.map((row) => {
    const guest = row.guest === null ? undefined : (JSON.parse(row.guest) as GuestFacts);
    const { diskResourceIds, osType } = JSON.parse(row.hidden) as AdoptedHidden;
    const { tags } = JSON.parse(row.envelope) as { tags?: Record<string, string> };
    return {
      resourceId: row.id,
      vmId: row.vm_id,
      hostId: row.host_id,
      machineId: row.machine_id,
      name: row.name,
      osType: guest?.osType ?? osType ?? "Linux",
      location: row.location ?? "",
      tags: tags ?? {},
      lastSeenAt: row.present === 1 ? Math.max(row.last_seen_at, row.looked_at ?? 0) : row.last_seen_at,
      present: row.present === 1,
      machine: JSON.parse(row.machine) as Machine,
      diskResourceIds: diskResourceIds ?? {},
      guest,
    };
  });
}

export function machineResourceId(groupId: string, name: string): string {
  return `${groupId}/providers/${machineType}/${name}`;
}

/** The group that a resource lies in, as an id. */
export function groupOf(resourceId: string): string {
  const { subscriptionId = "", resourceGroup = "" } = parseResourceId(resourceId);
  return `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`;
}
