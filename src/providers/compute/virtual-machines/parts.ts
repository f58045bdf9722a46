// Disks and network interfaces that belong to a machine say so, as long as it is there.

import type { Caller } from "../../../arm/request.ts";
import { idKey, tryParseResourceId } from "../../../arm/resource-id.ts";
import { findResource, type Writer } from "../../../arm/resources/resource-store.ts";
import { computeErrors } from "../errors.ts";
import type { ComputeServices } from "../services.ts";

const interfaceType = "Microsoft.Network/networkInterfaces";

interface Hidden {
  readonly diskResourceIds?: Readonly<Record<string, string>>;
}

/** Writes the machine's id into its disks and network interfaces. */
export async function ownParts(trx: Writer, machineId: string): Promise<void> {
  await setOwner(trx, machineId, machineId);
}

/** The machine goes: what belonged to it belongs to nobody. */
export async function releaseParts(trx: Writer, machineId: string): Promise<void> {
  await setOwner(trx, machineId, undefined);
}

async function setOwner(trx: Writer, machineId: string, owner: string | undefined): Promise<void> {
  const machine = await findResource<Record<string, unknown>, Hidden>(trx, machineId);
  if (machine === undefined) return;
  for (const id of Object.values(machine.hidden.diskResourceIds ?? {})) {
    const disk = await findResource(trx, id);
    if (disk === undefined) continue;
    const { managedBy: _before, ...envelope } = disk.envelope;
    const text = JSON.stringify(owner === undefined ? envelope : { ...envelope, managedBy: owner });
    await trx.updateTable("resources").set({ envelope: text }).where("key", "=", idKey(id)).execute();
  }
  for (const id of interfacesIn(machine.properties)) {
    const found = await findResource(trx, id);
    if (found === undefined || idKey(found.type) !== idKey(interfaceType)) continue;
    const { virtualMachine: _before, ...properties } = found.properties;
    const text = JSON.stringify(owner === undefined ? properties : { ...properties, virtualMachine: { id: owner } });
    await trx.updateTable("resources").set({ properties: text }).where("key", "=", idKey(id)).execute();
  }
}

/** Throws unless each interface that is there is one, and the caller may give it to a machine. */
export async function mayJoin(
  { access, database }: Pick<ComputeServices, "access" | "database">,
  caller: Caller,
  interfaces: readonly string[],
): Promise<void> {
  for (const id of interfaces) {
    const found = await findResource(database.kysely, id);
    if (found === undefined) continue;
    if (idKey(found.type) !== idKey(interfaceType)) {
      throw computeErrors.InvalidResourceReference(`Resource ${found.id} is no network interface.`, {
        target: "networkProfile.networkInterfaces",
      });
    }
    const principal = { objectId: caller.principalId, name: caller.name };
    await access.check({ principal, action: `${interfaceType}/join/action`, scope: found.id });
  }
}

/** The ids in `networkProfile` of a machine's properties. */
export function interfacesIn(properties: Readonly<Record<string, unknown>>): string[] {
  const profile = properties["networkProfile"];
  if (typeof profile !== "object" || profile === null || !("networkInterfaces" in profile)) return [];
  const { networkInterfaces } = profile;
  if (!Array.isArray(networkInterfaces)) return [];
  return networkInterfaces.flatMap((one: { id?: unknown } | null) =>
    typeof one?.id === "string" && tryParseResourceId(one.id) !== undefined ? [one.id] : [],
  );
}
