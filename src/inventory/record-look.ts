// What a look at a host means for what is known: machines that are new, changed, gone, back. The
// same look may be recorded twice, and looks of several processes in any order: the one that began
// last counts.

import { groupType } from "../arm/groups.ts";
import { idKey, parseResourceId } from "../arm/resource-id.ts";
import { findResource, putResource, type Reader, type Writer } from "../arm/resources/resource-store.ts";
import type { MachineRow } from "../db/schema/inventory.ts";
import { scopeOf } from "../db/transaction.ts";
import { appendEvent } from "../events/append.ts";
import type { Machine } from "../hosts/host.ts";
import { inventoryChannel, ownDeed, type RegisteredHost } from "./host-registry.ts";
import { groupOf, machineResourceId, machineType } from "./machine.ts";
import { freeArmName, vmIdOf } from "./names.ts";

export interface Look {
  readonly startedAt: number;
  readonly machines: readonly Machine[];
}

/** A host that is looked at each second shall not cost a commit each second. */
const refreshSeenMilliseconds = 15_000;

interface Findings {
  readonly appeared: readonly Machine[];
  readonly updated: readonly { readonly row: MachineRow; readonly machine: Machine }[];
  readonly vanished: readonly MachineRow[];
}

/** Whether anything is to be written, judged outside a transaction. */
export async function isNews(reader: Reader, host: RegisteredHost, look: Look, now: number): Promise<boolean> {
  const row = await reader.selectFrom("hosts").selectAll().where("host_id", "=", host.hostId).executeTakeFirst();
  if (row === undefined || isOutdated(row, look, now)) return false;
  if (row.looked_at === null || row.problem !== null || look.startedAt - row.looked_at > refreshSeenMilliseconds)
    return true;
  const findings = await compare(reader, host, look);
  return findings.appeared.length + findings.updated.length + findings.vanished.length > 0;
}

export async function recordLook(trx: Writer, host: RegisteredHost, look: Look): Promise<void> {
  const { clock, tell } = scopeOf(trx);
  const row = await trx.selectFrom("hosts").selectAll().where("host_id", "=", host.hostId).executeTakeFirst();
  if (row === undefined || isOutdated(row, look, clock.now())) return;
  const { appeared, updated, vanished } = await compare(trx, host, look);
  await registerAll(trx, host, appeared);
  for (const { row: known, machine } of updated) await update(trx, host, known, machine);
  for (const known of vanished) {
    await trx
      .updateTable("machines")
      .set({ present: 0, last_seen_at: Math.max(known.last_seen_at, row.looked_at ?? 0) })
      .where("key", "=", known.key)
      .execute();
    const machine = JSON.parse(known.machine) as Machine;
    tellOf(trx, host, "machine.vanished", known.key, machine, machine);
  }
  if (row.looked_at === null || row.problem !== null)
    appendEvent(trx, { ...ownDeed, type: "host.reachable", subject: host.resourceId, data: { hostId: host.hostId } });
  await trx
    .updateTable("hosts")
    .set({ looked_at: clock.now(), look_started_at: look.startedAt, problem: null })
    .where("host_id", "=", host.hostId)
    .execute();
  if (appeared.length + updated.length + vanished.length > 0 || row.problem !== null) tell(inventoryChannel);
}

/** One machine was looked at: what that says of others does not count. */
export async function recordMachine(trx: Writer, host: RegisteredHost, look: Look): Promise<void> {
  const { updated } = await compare(trx, host, look);
  for (const { row, machine } of updated) await update(trx, host, row, machine);
  if (updated.length > 0) scopeOf(trx).tell(inventoryChannel);
}

async function update(trx: Writer, host: RegisteredHost, known: MachineRow, machine: Machine): Promise<void> {
  await trx
    .updateTable("machines")
    .set({ present: 1, last_seen_at: scopeOf(trx).clock.now(), machine: JSON.stringify(machine) })
    .where("key", "=", known.key)
    .execute();
  const before = JSON.parse(known.machine) as Machine;
  tellOf(trx, host, known.present === 0 ? "machine.returned" : "machine.changed", known.key, before, machine);
}

/** The look failed: nobody vanishes by that. */
export async function recordFailedLook(trx: Writer, host: RegisteredHost, explanation: string): Promise<void> {
  const row = await trx.selectFrom("hosts").selectAll().where("host_id", "=", host.hostId).executeTakeFirst();
  if (row === undefined || row.problem === explanation) return;
  await trx.updateTable("hosts").set({ problem: explanation }).where("host_id", "=", host.hostId).execute();
  if (row.problem === null)
    appendEvent(trx, {
      ...ownDeed,
      type: "host.unreachable",
      subject: host.resourceId,
      data: { hostId: host.hostId, explanation },
    });
  scopeOf(trx).tell(inventoryChannel);
}

/** A newer look was recorded; one that began in the future tells only that the clock was set back. */
function isOutdated(row: { readonly look_started_at: number }, look: Look, now: number): boolean {
  return row.look_started_at > look.startedAt && row.look_started_at <= now;
}

async function compare(reader: Reader, host: RegisteredHost, look: Look): Promise<Findings> {
  const rows = await reader.selectFrom("machines").selectAll().where("host_id", "=", host.hostId).execute();
  const byMachineId = new Map(rows.map((row) => [row.machine_id, row]));
  const matched = new Set<string>();
  const appeared: Machine[] = [];
  const updated: { row: MachineRow; machine: Machine }[] = [];
  for (const machine of look.machines.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const row = byMachineId.get(machine.id) ?? (isProvisional(machine) ? byName(rows, machine.name) : undefined);
    if (row === undefined) {
      // Who has never been looked into has no identity yet: the next look may bring one.
      if (!isProvisional(machine) && !appeared.some(({ id }) => id === machine.id)) appeared.push(machine);
      continue;
    }
    if (matched.has(row.key)) continue;
    matched.add(row.key);
    const seen = withLastSeen(machine, JSON.parse(row.machine) as Machine, row.machine_id);
    if (row.present === 0 || JSON.stringify(seen) !== row.machine) updated.push({ row, machine: seen });
  }
  const vanished = rows.filter(
    ({ key, present, registered_at: at }) => present === 1 && !matched.has(key) && at < look.startedAt,
  );
  return { appeared, updated, vanished };
}

/** A driver that could not ask the machine for its identity calls it by its name. */
function isProvisional(machine: Machine): boolean {
  return machine.problem !== undefined && machine.id === `name:${machine.name}`;
}

function byName(rows: readonly MachineRow[], name: string): MachineRow | undefined {
  const those = rows.filter((row) => (JSON.parse(row.machine) as Machine).name === name);
  return those.length === 1 ? those[0] : undefined;
}

/** A machine that does not run may not be able to tell its disks and its size: what was last seen stays. */
function withLastSeen(machine: Machine, last: Machine, id: string): Machine {
  const isSilent = machine.disks.length === 0 && (machine.powerState === "stopped" || machine.problem !== undefined);
  return {
    ...machine,
    id,
    disks: isSilent ? last.disks : machine.disks,
    memoryBytes: machine.memoryBytes ?? last.memoryBytes,
    processors: machine.processors ?? last.processors,
  };
}

async function registerAll(trx: Writer, host: RegisteredHost, machines: readonly Machine[]): Promise<void> {
  if (machines.length === 0) return;
  const groupId = groupOf(host.resourceId);
  const group = await findResource(trx, groupId);
  if (group === undefined || group.type.toLowerCase() !== groupType.toLowerCase()) return;
  if (group.provisioningState === "Deleting") return;
  const taken = await namesTaken(trx, groupId);
  for (const machine of machines) {
    const name = freeArmName(machine.name, { hostId: host.hostId, machineId: machine.id }, (candidate) =>
      taken.has(candidate.toLowerCase()),
    );
    taken.add(name.toLowerCase());
    await registerMachine(trx, host, machine, { resourceId: machineResourceId(group.id, name) });
  }
}

export async function namesTaken(reader: Reader, groupId: string): Promise<Set<string>> {
  const { subscriptionId = "", resourceGroup = "" } = parseResourceId(groupId);
  const rows = await reader
    .selectFrom("resources")
    .select("name")
    .where("subscription_key", "=", subscriptionId.toLowerCase())
    .where("group_key", "=", resourceGroup.toLowerCase())
    .where("type_key", "=", machineType.toLowerCase())
    .execute();
  return new Set(rows.map(({ name }) => name.toLowerCase()));
}

export interface Registration {
  readonly resourceId: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly location?: string;
  /** What the resource keeps beside what the host tells. */
  readonly properties?: object;
  /** What the resource remembers and never shows. */
  readonly hidden?: object;
}

/** Makes a machine known under a name that is free. */
export async function registerMachine(
  trx: Writer,
  host: RegisteredHost,
  machine: Machine,
  { resourceId, tags, location = host.location, properties = {}, hidden = {} }: Registration,
): Promise<void> {
  const { clock } = scopeOf(trx);
  const identity = { hostId: host.hostId, machineId: machine.id };
  const clone = await trx
    .selectFrom("machines")
    .select("key")
    .where("vm_id", "=", machine.id.toLowerCase())
    .executeTakeFirst();
  await putResource(
    trx,
    { id: resourceId, location, tracked: true, envelope: tags === undefined ? {} : { tags }, properties, hidden },
    { caller: { name: "Holdfast", principalType: "ServicePrincipal" }, clock },
  );
  await trx
    .insertInto("machines")
    .values({
      key: idKey(resourceId),
      host_id: host.hostId,
      machine_id: machine.id,
      vm_id: vmIdOf(identity, () => clone !== undefined),
      present: 1,
      last_seen_at: clock.now(),
      registered_at: clock.now(),
      machine: JSON.stringify(machine),
      guest: null,
    })
    .execute();
  tellOf(trx, host, "machine.discovered", resourceId, undefined, machine);
}

function tellOf(
  trx: Writer,
  host: RegisteredHost,
  type: string,
  resourceId: string,
  before: Machine | undefined,
  machine: Machine,
): void {
  appendEvent(trx, {
    ...ownDeed,
    type,
    subject: resourceId,
    subjects: [host.resourceId],
    data: {
      hostId: host.hostId,
      machineId: machine.id,
      name: machine.name,
      powerState: machine.powerState,
      powerStateBefore: before?.powerState,
      disks: machine.disks.length,
      problem: machine.problem,
    },
  });
}
