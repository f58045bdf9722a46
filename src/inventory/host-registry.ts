// Hosts as rows: beside its resource (name, group, tags, location) each has a row with how it is
// reached and how the last look went.

import type { HostRow } from "../db/schema/inventory.ts";
import { scopeOf } from "../db/transaction.ts";
import { appendEvent } from "../events/append.ts";
import { idKey } from "../arm/resource-id.ts";
import { deleteResource, type Reader, type Writer } from "../arm/resources/resource-store.ts";
import { newGuid } from "../lib/random.ts";
import { armErrors } from "../arm/errors.ts";
import { placeOf, type HostSettings } from "./drivers.ts";
import { inventoryErrors } from "./errors.ts";

export const hostType = "Microsoft.Holdfast/hosts";

/** Rings when hosts or machines have changed. */
export const inventoryChannel = "inventory";

export interface RegisteredHost {
  readonly hostId: string;
  readonly resourceId: string;
  readonly name: string;
  readonly location: string;
  readonly settings: HostSettings;
  /** When a look last succeeded. */
  readonly lookedAt: number | undefined;
  /** Why the last look failed. */
  readonly problem: string | undefined;
}

export interface Deed {
  readonly correlationId: string;
  readonly actor: string;
}

/** Who acts when Holdfast itself does. */
export const ownDeed: Deed = { correlationId: "00000000-0000-0000-0000-000000000000", actor: "inventory" };

/** Makes the host known, in the transaction that stores its resource. */
export async function registerHost(
  trx: Writer,
  resourceId: string,
  settings: HostSettings,
  deed: Deed,
): Promise<string> {
  const { clock, tell } = scopeOf(trx);
  const known = await trx.selectFrom("hosts").selectAll().execute();
  const existing = known.find(({ key }) => key === idKey(resourceId));
  if (existing !== undefined) {
    const before = JSON.parse(existing.settings) as HostSettings;
    if (before.kind !== settings.kind || placeOf(before) !== placeOf(settings)) {
      throw armErrors.Conflict(
        `The host ${resourceId} is ${before.kind} at ${placeOf(before)}; kind and place of a host do not change. Add another host, and remove this one.`,
        { target: "properties" },
      );
    }
    await trx
      .updateTable("hosts")
      .set({ settings: JSON.stringify(settings) })
      .where("host_id", "=", existing.host_id)
      .execute();
    tell(inventoryChannel);
    return existing.host_id;
  }
  for (const row of known) {
    const other = JSON.parse(row.settings) as HostSettings;
    if (other.kind !== settings.kind || placeOf(other) !== placeOf(settings)) continue;
    throw armErrors.Conflict(
      `${placeOf(settings)} is the host ${row.key.split("/").at(-1) ?? ""} (${row.key}) already. A machine belongs to one host; use that one, or remove it first.`,
      { target: "properties" },
    );
  }
  const row: HostRow = {
    host_id: newGuid(),
    key: idKey(resourceId),
    kind: settings.kind,
    settings: JSON.stringify(settings),
    looked_at: null,
    look_started_at: 0,
    problem: null,
    created_at: clock.now(),
  };
  await trx.insertInto("hosts").values(row).execute();
  appendEvent(trx, {
    ...deed,
    type: "host.added",
    subject: resourceId,
    data: { hostId: row.host_id, kind: settings.kind, place: placeOf(settings) },
  });
  tell(inventoryChannel);
  return row.host_id;
}

/** Forgets the host and its machines, in the transaction that deletes its resource. Touches nothing on the host. */
export async function forgetHost(trx: Writer, resourceId: string, deed: Deed): Promise<void> {
  const row = await trx.selectFrom("hosts").selectAll().where("key", "=", idKey(resourceId)).executeTakeFirst();
  if (row === undefined) return;
  const machines = await trx.selectFrom("machines").select("key").where("host_id", "=", row.host_id).execute();
  for (const { key } of machines) await deleteResource(trx, key);
  await trx.deleteFrom("machines").where("host_id", "=", row.host_id).execute();
  await trx.deleteFrom("hosts").where("host_id", "=", row.host_id).execute();
  appendEvent(trx, {
    ...deed,
    type: "host.removed",
    subject: resourceId,
    data: { hostId: row.host_id, machines: machines.length },
  });
  scopeOf(trx).tell(inventoryChannel);
}

export interface HostFilter {
  /** Lower-case id of the resource. */
  readonly key?: string;
  readonly hostId?: string;
}

export async function readHosts(reader: Reader, filter: HostFilter = {}): Promise<RegisteredHost[]> {
  let select = reader
    .selectFrom("hosts")
    .innerJoin("resources", "resources.key", "hosts.key")
    .select([
      "hosts.host_id",
      "hosts.settings",
      "hosts.looked_at",
      "hosts.problem",
      "resources.id",
      "resources.name",
      "resources.location",
    ]);
  if (filter.key !== undefined) select = select.where("hosts.key", "=", filter.key);
  if (filter.hostId !== undefined) select = select.where("hosts.host_id", "=", filter.hostId);
  const rows = await select.orderBy("hosts.key").execute();
  return rows.map((row) => ({
    hostId: row.host_id,
    resourceId: row.id,
    name: row.name,
    location: row.location ?? "",
    settings: JSON.parse(row.settings) as HostSettings,
    lookedAt: row.looked_at ?? undefined,
    problem: row.problem ?? undefined,
  }));
}

/** By the host's GUID or by the id of its resource. */
export async function getHost(reader: Reader, id: string): Promise<RegisteredHost> {
  const [host] = await readHosts(reader, id.startsWith("/") ? { key: idKey(id) } : { hostId: id.toLowerCase() });
  if (host === undefined) throw inventoryErrors.HostUnknown(`There is no host ${id}.`);
  return host;
}
