// Asks the agents of running machines who they are, in the background: a guest that does not answer
// holds up nobody, and is asked again a minute later.

import type { Database } from "../db/database.ts";
import { scopeOf } from "../db/transaction.ts";
import { HoldfastError } from "../lib/errors.ts";
import { withDeadline } from "../lib/time.ts";
import { agentErrors } from "../guest/errors.ts";
import { readGuestFacts, type GuestFacts } from "./guest-facts.ts";
import { inventoryChannel, type RegisteredHost } from "./host-registry.ts";
import { readMachines, type InventoryMachine } from "./machine.ts";
import type { OpenHosts } from "./open-hosts.ts";

export interface GuestLearner {
  /** Begins to ask the machines of a host whose answers are old; returns at once. */
  askAll(host: RegisteredHost): void;
  /** Asks one machine now, and keeps what it says. */
  ask(host: RegisteredHost, machine: InventoryMachine, milliseconds: number, signal?: AbortSignal): Promise<GuestFacts>;
  ended(): Promise<void>;
}

export interface LearnerParts {
  readonly database: Database;
  readonly drivers: OpenHosts;
  readonly report: (error: unknown) => void;
  readonly signal: AbortSignal;
}

const askMilliseconds = 15_000;
const againMilliseconds = 60_000;
const freshMilliseconds = 600_000;
const guestsAtOnce = 4;

export function learnGuests({ database, drivers, report, signal }: LearnerParts): GuestLearner {
  const askedAt = new Map<string, number>();
  const asking = new Map<string, Promise<void>>();

  const isDue = (machine: InventoryMachine): boolean => {
    const { powerState, hasAgent } = machine.machine;
    const key = machine.resourceId.toLowerCase();
    if (!machine.present || powerState !== "running" || !hasAgent) {
      askedAt.delete(key);
      return false;
    }
    const now = database.clock.now();
    const isFresh = machine.guest !== undefined && now - machine.guest.at < freshMilliseconds;
    return (!isFresh || !askedAt.has(key)) && now - (askedAt.get(key) ?? 0) > againMilliseconds;
  };

  const ask: GuestLearner["ask"] = async (host, machine, milliseconds, given) => {
    askedAt.set(machine.resourceId.toLowerCase(), database.clock.now());
    const driver = await drivers.open(host, given);
    const facts = await withDeadline(
      milliseconds,
      (both) => driver.withAgent(machine.machineId, (agent) => readGuestFacts(agent, database.clock.now(), both), both),
      () => agentErrors.AgentUnresponsive(`The agent of ${machine.name} did not answer in ${milliseconds} ms.`),
      given,
    );
    await rememberGuest(database, machine, facts);
    return facts;
  };

  const askQuietly = async (host: RegisteredHost, machine: InventoryMachine): Promise<void> => {
    try {
      await ask(host, machine, askMilliseconds, signal);
    } catch (error) {
      // Guests boot, hang and lie; that is no failure of ours, and the instance view says it.
      if (!signal.aborted && !(error instanceof HoldfastError)) report(error);
    }
  };

  const askDue = async (host: RegisteredHost): Promise<void> => {
    const due = (await readMachines(database.kysely, { hostId: host.hostId })).filter(isDue);
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let machine = due[next++]; machine !== undefined && !signal.aborted; machine = due[next++])
        await askQuietly(host, machine);
    };
    await Promise.all(Array.from({ length: guestsAtOnce }, worker));
  };

  return {
    ask,
    askAll: (host) => {
      if (asking.has(host.hostId) || signal.aborted) return;
      const done = askDue(host)
        .catch((error: unknown) => {
          if (!signal.aborted) report(error);
        })
        .finally(() => asking.delete(host.hostId));
      asking.set(host.hostId, done);
    },
    ended: async () => {
      await Promise.all(asking.values());
    },
  };
}

async function rememberGuest(database: Database, machine: InventoryMachine, facts: GuestFacts): Promise<void> {
  const key = machine.resourceId.toLowerCase();
  await database.transaction(async (trx) => {
    await trx
      .updateTable("machines")
      .set({ guest: JSON.stringify(facts) })
      .where("key", "=", key)
      .execute();
    const before = JSON.stringify({ ...machine.guest, at: 0 });
    if (before !== JSON.stringify({ ...facts, at: 0 })) scopeOf(trx).tell(inventoryChannel);
  });
}
