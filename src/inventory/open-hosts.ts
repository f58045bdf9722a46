// Drivers of hosts, opened when somebody needs them and kept.

import type { Host, Machine } from "../hosts/host.ts";
import { HoldfastError } from "../lib/errors.ts";
import { withDeadline } from "../lib/time.ts";
import { openDriver } from "./drivers.ts";
import { inventoryErrors } from "./errors.ts";
import type { RegisteredHost } from "./host-registry.ts";

export interface OpenHosts {
  open(host: RegisteredHost, signal?: AbortSignal): Promise<Host>;
  look(host: RegisteredHost, signal?: AbortSignal): Promise<Machine[]>;
  /** Closes the drivers of hosts that are known no more. */
  keepOnly(hosts: readonly RegisteredHost[]): Promise<void>;
  close(): Promise<void>;
}

export interface OpenHostsOptions {
  /** Whether nobody else can be at work on a host when it is first opened here. */
  readonly cleanUpFirst: boolean;
  readonly report: (error: unknown) => void;
}

const openMilliseconds = 10_000;
const cleanUpMilliseconds = 10_000;
const lookMilliseconds = 30_000;

interface Opened {
  readonly settings: string;
  readonly host: Promise<Host>;
}

export function openHosts({ cleanUpFirst, report }: OpenHostsOptions): OpenHosts {
  const opened = new Map<string, Opened>();

  const openNow = async (host: RegisteredHost): Promise<Host> => {
    const driver = await openDriver(host.settings);
    // On a host that nobody has looked at there is no work of a predecessor.
    if (!cleanUpFirst || host.lookedAt === undefined) return driver;
    try {
      // Before anybody gets the driver: afterwards what it would remove may be somebody's work.
      const { failures } = await driver.cleanUp(AbortSignal.timeout(cleanUpMilliseconds));
      const [first] = failures;
      if (first !== undefined) {
        report(
          inventoryErrors.HostUnreachable(
            `${failures.length} machines on ${host.name} were not cleaned up; the first is ${first.machine}: ${first.explanation}`,
          ),
        );
      }
    } catch (error) {
      report(error);
    }
    return driver;
  };

  const drop = async (hostId: string): Promise<void> => {
    const entry = opened.get(hostId);
    opened.delete(hostId);
    await entry?.host.then((driver) => driver.close()).catch(report);
  };

  const open = async (host: RegisteredHost, signal?: AbortSignal): Promise<Host> => {
    const settings = JSON.stringify(host.settings);
    let entry = opened.get(host.hostId);
    if (entry !== undefined && entry.settings !== settings) {
      await drop(host.hostId);
      entry = opened.get(host.hostId);
    }
    if (entry === undefined) {
      entry = { settings, host: openNow(host) };
      opened.set(host.hostId, entry);
    }
    const { host: opening } = entry;
    try {
      return await withDeadline(
        openMilliseconds + (cleanUpFirst ? cleanUpMilliseconds : 0),
        () => opening,
        () => new Error("it did not open in time"),
        signal,
      );
    } catch (error) {
      signal?.throwIfAborted();
      if (opened.get(host.hostId) === entry) opened.delete(host.hostId);
      throw unreachable(host, error);
    }
  };

  return {
    open,
    look: async (host, signal) => {
      const driver = await open(host, signal);
      try {
        return await withDeadline(
          lookMilliseconds,
          (both) => driver.listMachines(both),
          () => new Error(`its machines were not listed in ${lookMilliseconds / 1000} s`),
          signal,
        );
      } catch (error) {
        signal?.throwIfAborted();
        throw unreachable(host, error);
      }
    },
    keepOnly: async (hosts) => {
      const ids = new Set(hosts.map(({ hostId }) => hostId));
      for (const hostId of opened.keys()) if (!ids.has(hostId)) await drop(hostId);
    },
    close: async () => {
      for (const hostId of opened.keys()) await drop(hostId);
    },
  };
}

function unreachable(host: RegisteredHost, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError && cause.code === "HostUnreachable") return cause;
  const why = cause instanceof HoldfastError ? cause.sentence : cause instanceof Error ? `${cause.message}.` : "";
  return inventoryErrors.HostUnreachable(`The host ${host.name} cannot be used: ${why}`, { cause });
}
