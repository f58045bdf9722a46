// Every host and every machine that this site knows. Rows in the control data are the truth of what
// is known, so all processes see the same; drivers are opened by whichever process needs one.

import { idKey } from "../arm/resource-id.ts";
import { deleteResource, putResource, type Writer } from "../arm/resources/resource-store.ts";
import type { Database } from "../db/database.ts";
import type { Host, Machine, MachineDefinition } from "../hosts/host.ts";
import { isoTime } from "../lib/clock.ts";
import { HoldfastError, isErrorCode, systemCode } from "../lib/errors.ts";
import { withDeadline } from "../lib/time.ts";
import {
  adoptMachine,
  assertForgettable,
  forgetMachine,
  forgetWithGroup,
  redefineMachine,
  type Adoption,
  type AroundRedefinition,
  type Redefinition,
} from "./adopt.ts";
import { discover } from "./discovery.ts";
import { hostSettings, type HostSettings } from "./drivers.ts";
import { inventoryErrors } from "./errors.ts";
import type { GuestFacts } from "./guest-facts.ts";
import { learnGuests } from "./learn-guests.ts";
import {
  forgetHost,
  getHost,
  hostType,
  inventoryChannel,
  ownDeed,
  readHosts,
  registerHost,
  type RegisteredHost,
} from "./host-registry.ts";
import { readMachines, type InventoryMachine, type MachineFilter } from "./machine.ts";
import { openHosts } from "./open-hosts.ts";
import { isNews, recordFailedLook, recordLook, recordMachine } from "./record-look.ts";

export type { Adoption, HostSettings, InventoryMachine, MachineFilter, RegisteredHost };

export interface HostDraft {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
  readonly location: string;
  readonly settings: HostSettings;
}

export interface OpenMachine {
  readonly host: Host;
  readonly machineId: string;
  readonly machine: InventoryMachine;
}

export interface Inventory {
  /** Adds a host to an existing resource group and looks at it. */
  addHost(draft: HostDraft, signal?: AbortSignal): Promise<RegisteredHost>;
  /** Forgets the host and its machines; touches nothing on it. */
  removeHost(id: string): Promise<void>;
  listHosts(): Promise<RegisteredHost[]>;
  /** By the host's GUID or the id of its resource; throws HostUnknown. */
  showHost(id: string): Promise<RegisteredHost>;
  /** Looks now, at one host or at all; throws HostUnreachable (of all: the first one's). */
  refresh(id?: string, signal?: AbortSignal): Promise<void>;
  /** Looks at one machine now and returns what it saw; throws as `open` does. */
  refreshMachine(vmResourceId: string, signal?: AbortSignal): Promise<InventoryMachine>;
  findMachine(vmResourceId: string): Promise<InventoryMachine | undefined>;
  /** In order of their ids. */
  listMachines(filter?: MachineFilter): Promise<InventoryMachine[]>;
  /** A live host and the machine on it; throws MachineUnknown, MachineVanished or HostUnreachable. */
  open(vmResourceId: string, signal?: AbortSignal): Promise<OpenMachine>;
  openHost(id: string, signal?: AbortSignal): Promise<Host>;
  /** What the guest's agent says now; throws Agent… errors, and AgentUnresponsive when the time is up. */
  askGuest(machine: InventoryMachine, milliseconds: number, signal?: AbortSignal): Promise<GuestFacts>;
  /** Defines a machine on a host that can run machines, and makes it known under a name of its own. */
  adopt(
    hostId: string,
    definition: MachineDefinition,
    place: Adoption,
    signal?: AbortSignal,
  ): Promise<InventoryMachine>;
  /** Gives an adopted machine that does not run another definition, with the same id and name. */
  redefine(
    vmResourceId: string,
    definition: MachineDefinition,
    redefinition: Redefinition,
    around: AroundRedefinition,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Throws MachineNotOurs when `forget` would. */
  assertForgettable(vmResourceId: string): Promise<void>;
  /** Ends and undefines a machine that was adopted, or forgets one that has vanished. Its images stay. */
  forget(
    vmResourceId: string,
    signal?: AbortSignal,
    /** In the transaction that forgets it, before. */
    also?: (trx: Writer, vmResourceId: string) => Promise<void>,
  ): Promise<void>;
  /** In the transaction that deletes a machine's resource with its group; one that was adopted is ended. */
  forgetWithGroup(trx: Writer, vmResourceId: string): Promise<void>;
  /** Rings when hosts or machines have changed, in whichever process; rings may be lost or come in vain. */
  onChange(heard: () => void): () => void;
}

export interface RunningInventory extends Inventory, AsyncDisposable {
  /** Begins to look for machines. */
  start(): void;
}

export interface InventoryOptions {
  readonly database: Database;
  /** The node's name in leases. */
  readonly holder: string;
  readonly report: (error: unknown) => void;
}

const findMilliseconds = 30_000;

export function openInventory({ database, holder, report }: InventoryOptions): RunningInventory {
  // With SQLite this is the only process there is.
  const drivers = openHosts({ cleanUpFirst: database.dialect === "sqlite", report });
  const ending = new AbortController();
  const guests = learnGuests({ database, drivers, report, signal: ending.signal });
  let discovery: Promise<void> | undefined;

  const look = async (host: RegisteredHost, signal?: AbortSignal): Promise<void> => {
    const startedAt = database.clock.now();
    let machines: Machine[];
    try {
      machines = await drivers.look(host, signal);
    } catch (error) {
      signal?.throwIfAborted();
      const explanation = error instanceof Error ? error.message : String(error);
      await database.transaction((trx) => recordFailedLook(trx, host, explanation));
      throw error;
    }
    const found = { startedAt, machines };
    if (await isNews(database.kysely, host, found, database.clock.now()))
      await database.transaction((trx) => recordLook(trx, host, found));
    guests.askAll(host);
  };

  const findMachine = async (vmResourceId: string): Promise<InventoryMachine | undefined> => {
    const [machine] = await readMachines(database.kysely, { keys: [idKey(vmResourceId)] });
    return machine;
  };
  const getMachine = async (vmResourceId: string): Promise<InventoryMachine> => {
    const machine = await findMachine(vmResourceId);
    if (machine === undefined) throw inventoryErrors.MachineUnknown(`There is no machine ${vmResourceId}.`);
    return machine;
  };
  const openHost = async (id: string, signal?: AbortSignal): Promise<Host> =>
    drivers.open(await getHost(database.kysely, id), signal);

  const open = async (vmResourceId: string, signal?: AbortSignal): Promise<OpenMachine & { seen: Machine }> => {
    const machine = await getMachine(vmResourceId);
    const host = await openHost(machine.hostId, signal);
    try {
      const seen = await withDeadline(
        findMilliseconds,
        (both) => host.findMachine(machine.machineId, both),
        () =>
          inventoryErrors.HostUnreachable(
            `The host of ${machine.name} did not answer in ${findMilliseconds / 1000} s.`,
          ),
        signal,
      );
      return { host, machineId: machine.machineId, machine, seen };
    } catch (error) {
      signal?.throwIfAborted();
      if (systemCode(error) !== undefined && !(error instanceof HoldfastError))
        throw inventoryErrors.HostUnreachable(
          `The host of ${machine.name} cannot be used: ${error instanceof Error ? error.message : ""}.`,
          { cause: error },
        );
      if (!isErrorCode(error, "MachineNotFound")) throw error;
      throw inventoryErrors.MachineVanished(
        `The machine ${machine.name} (${machine.machine.name} on its host) is not on its host any more; it was last seen ${isoTime(machine.lastSeenAt)}.`,
        { cause: error },
      );
    }
  };

  return {
    addHost: async (draft, signal) => {
      const settings = hostSettings.parse(draft.settings);
      const resourceId = `/subscriptions/${draft.subscriptionId}/resourceGroups/${draft.resourceGroup}/providers/${hostType}/${draft.name}`;
      await database.transaction(async (trx) => {
        await putResource(
          trx,
          { id: resourceId, location: draft.location, tracked: true, properties: {} },
          { caller: { name: "Holdfast", principalType: "ServicePrincipal" }, clock: database.clock },
        );
        await registerHost(trx, resourceId, settings, ownDeed);
      });
      await look(await getHost(database.kysely, resourceId), signal);
      return getHost(database.kysely, resourceId);
    },
    removeHost: async (id) => {
      const { resourceId } = await getHost(database.kysely, id);
      await database.transaction(async (trx) => {
        await forgetHost(trx, resourceId, ownDeed);
        await deleteResource(trx, resourceId);
      });
    },
    listHosts: () => readHosts(database.kysely),
    showHost: (id) => getHost(database.kysely, id),
    refresh: async (id, signal) => {
      const hosts = id === undefined ? await readHosts(database.kysely) : [await getHost(database.kysely, id)];
      const looks = await Promise.allSettled(hosts.map((host) => look(host, signal)));
      const failed = looks.find((one) => one.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    },
    findMachine,
    refreshMachine: async (vmResourceId, signal) => {
      const startedAt = database.clock.now();
      const { machine, seen } = await open(vmResourceId, signal);
      const registered = await getHost(database.kysely, machine.hostId);
      await database.transaction((trx) => recordMachine(trx, registered, { startedAt, machines: [seen] }));
      return getMachine(vmResourceId);
    },
    listMachines: (filter = {}) => readMachines(database.kysely, filter),
    openHost,
    open,
    askGuest: async (machine, milliseconds, signal) =>
      guests.ask(await getHost(database.kysely, machine.hostId), machine, milliseconds, signal),
    adopt: async (hostId, definition, place, signal) => {
      const host = await getHost(database.kysely, hostId);
      const driver = await drivers.open(host, signal);
      return getMachine(await adoptMachine(database, host, driver, definition, place, signal));
    },
    redefine: async (vmResourceId, definition, redefinition, around, signal) => {
      const machine = await getMachine(vmResourceId);
      const driver = await openHost(machine.hostId, signal);
      await redefineMachine(database, machine, driver, definition, redefinition, around, signal);
    },
    assertForgettable: async (vmResourceId) => assertForgettable(database.kysely, await getMachine(vmResourceId)),
    forget: async (vmResourceId, signal, also) => {
      const machine = await getMachine(vmResourceId);
      await forgetMachine(database, machine, () => openHost(machine.hostId, signal), also, signal);
    },
    forgetWithGroup: (trx, vmResourceId) =>
      forgetWithGroup(trx, vmResourceId, (host) => drivers.open(host, ending.signal), report),
    onChange: (heard) => database.notices.listen(inventoryChannel, heard),
    start: () => {
      discovery ??= discover({ database, holder, look, forgetOthers: drivers.keepOnly, report }, ending.signal);
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort(new Error("the service is ending"));
      await discovery;
      await guests.ended();
      await drivers.close();
    },
  };
}
