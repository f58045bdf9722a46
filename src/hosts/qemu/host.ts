// Machines whose QEMU shows a monitor as NAME.qmp in a folder, and perhaps a guest agent as NAME.qga.

import { join } from "node:path";
import { connectAgent, type GuestAgent } from "../../guest/agent.ts";
import { thawIfFrozen, type FreezeLimits } from "../../guest/freeze.ts";
import { HoldfastError } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { hostErrors } from "../errors.ts";
import type {
  CleanUpReport,
  DiskPlug,
  Host,
  Machine,
  MachineDefinition,
  SnapshotRequest,
  SnapshotSession,
} from "../host.ts";
import { inTurns } from "../turns.ts";
import { openDefinitions } from "./definitions.ts";
import { readDirectBoot } from "./direct-boot.ts";
import { removeOurs } from "./leftovers.ts";
import type { Accelerator } from "./accelerator.ts";
import { openLifecycle } from "./lifecycle.ts";
import { describeMachine } from "./machine.ts";
import { openMonitors, type MonitorLease } from "./monitors.ts";
import { plugDisk, unplugDisk } from "./plug.ts";
import { openSnapshot } from "./snapshot.ts";

export interface QemuHostSettings {
  readonly socketFolder: string;
  /** Where overlays and NBD sockets go; QEMU must be able to write there. `.holdfast` in the socket folder when absent. */
  readonly scratchFolder?: string;
  readonly freezeLimits?: FreezeLimits;
  /** For machines that Holdfast starts itself. */
  readonly accelerator?: Accelerator;
}

const monitorSuffix = ".qmp";
const agentSuffix = ".qga";
const lookMilliseconds = 5_000;
const machinesAtOnce = 16;

export function openQemuHost(settings: QemuHostSettings): Host {
  const { socketFolder } = settings;
  const scratchFolder = settings.scratchFolder ?? join(socketFolder, ".holdfast");
  const monitors = openMonitors();
  const agentTurns = inTurns();
  const seen = new Map<string, Machine>();
  const inSnapshot = new Set<string>();
  const definitions = openDefinitions(join(scratchFolder, "machines"));

  const monitorPath = (name: string): string => join(socketFolder, name + monitorSuffix);
  const agentPath = async (name: string): Promise<string | undefined> => {
    const path = join(socketFolder, name + agentSuffix);
    return (await disk.status(path))?.isSocket === true ? path : undefined;
  };

  const socketNames = async (): Promise<string[]> => {
    const names = (await disk.list(socketFolder)).filter((name) => name.endsWith(monitorSuffix)).sort();
    return names.map((name) => name.slice(0, -monitorSuffix.length));
  };

  /** What the machine says of itself, or what it last said and why it cannot say more. */
  const look = async (name: string, signal?: AbortSignal): Promise<Machine> => {
    try {
      using lease = await monitors.lease(monitorPath(name), signal);
      const machine = await describeMachine(lease.qmp, name, (await agentPath(name)) !== undefined, {
        timeoutMilliseconds: lookMilliseconds,
        signal,
      });
      seen.set(name, machine);
      return machine;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      const isGone = error.code === "MonitorUnreachable" || error.code === "MonitorLost";
      const defined = (await definitions.list()).find((definition) => definition.name === name);
      const last = seen.get(name) ?? (defined === undefined ? unseen(name) : describeDefinition(defined));
      return { ...last, powerState: isGone ? "stopped" : last.powerState, problem: error.sentence };
    }
  };

  const listMachines = async (signal?: AbortSignal): Promise<Machine[]> => {
    const names = await socketNames();
    const stopped = (await definitions.list()).filter(({ name }) => !names.includes(name));
    const machines: Machine[] = [];
    for (let at = 0; at < names.length; at += machinesAtOnce) {
      machines.push(...(await Promise.all(names.slice(at, at + machinesAtOnce).map((name) => look(name, signal)))));
    }
    return [...machines, ...stopped.map(describeDefinition)];
  };

  const findMachine = async (id: string, signal?: AbortSignal): Promise<Machine> => {
    // Where it was last seen is a good first guess; names may have moved since.
    const guess = [...seen.values()].find((machine) => machine.id === id);
    if (guess !== undefined) {
      const machine = await look(guess.name, signal);
      if (machine.id === id && machine.problem === undefined) return machine;
    }
    const found = (await listMachines(signal)).find((machine) => machine.id === id);
    if (found === undefined) throw hostErrors.MachineNotFound(`No machine ${id} has a monitor in ${socketFolder}.`);
    return found;
  };

  const useAgent = <T>(path: string, use: (agent: GuestAgent) => Promise<T>, signal?: AbortSignal): Promise<T> =>
    agentTurns(path, async () => {
      using agent = await connectAgent(path, {}, signal);
      return await use(agent);
    });

  const snapshot = async (
    machineId: string,
    request: SnapshotRequest,
    signal?: AbortSignal,
  ): Promise<SnapshotSession> => {
    const machine = await findMachine(machineId, signal);
    if (inSnapshot.has(machine.id))
      throw hostErrors.SnapshotInProgress(`A snapshot of the machine ${machine.name} is open already.`);
    inSnapshot.add(machine.id);
    try {
      const lease = await monitors.lease(monitorPath(machine.name), signal);
      const agent = await agentPath(machine.name);
      const release = (): void => {
        lease[Symbol.dispose]();
        inSnapshot.delete(machine.id);
      };
      try {
        return await openSnapshot(
          {
            qmp: lease.qmp,
            withAgent: agent === undefined ? undefined : (use) => useAgent(agent, use, signal),
            isRunning: machine.powerState === "running",
            scratchFolder,
            freezeLimits: settings.freezeLimits,
            release,
          },
          request,
          signal,
        );
      } catch (error) {
        release();
        throw error;
      }
    } catch (error) {
      inSnapshot.delete(machine.id);
      throw error;
    }
  };

  /** With the machine's monitor, and no snapshot of it meanwhile. */
  const replug = async (
    machineId: string,
    change: (lease: MonitorLease, machine: Machine) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> => {
    const machine = await findMachine(machineId, signal);
    if (inSnapshot.has(machine.id))
      throw hostErrors.SnapshotInProgress(`A snapshot of the machine ${machine.name} is open.`);
    inSnapshot.add(machine.id);
    try {
      using lease = await monitors.lease(monitorPath(machine.name), signal);
      await change(lease, machine);
    } finally {
      inSnapshot.delete(machine.id);
    }
  };
  const diskPlug: DiskPlug = {
    attach: (machineId, added, signal) =>
      replug(
        machineId,
        async ({ qmp }, { name }) => {
          await plugDisk(qmp, name, added, signal);
          await definitions.change(machineId, (disks) => [...disks, added]);
        },
        signal,
      ),
    detach: (machineId, diskId, signal) =>
      replug(
        machineId,
        async ({ qmp }, { name }) => {
          await unplugDisk(qmp, name, diskId, signal);
          await definitions.change(machineId, (disks) => disks.filter(({ id }) => id !== diskId));
        },
        signal,
      ),
  };

  const cleanUp = async (signal?: AbortSignal): Promise<CleanUpReport> => {
    const report = {
      removed: [] as string[],
      thawed: [] as string[],
      failures: [] as { machine: string; explanation: string }[],
    };
    for (const name of await socketNames()) {
      const { id } = await look(name, signal);
      if (inSnapshot.has(id)) continue;
      try {
        using lease = await monitors.lease(monitorPath(name), signal);
        const { names } = await removeOurs(lease.qmp, signal);
        report.removed.push(...names.map((removed) => `${name}: ${removed}`));
        const agent = await agentPath(name);
        if (agent !== undefined && (await useAgent(agent, (open) => thawIfFrozen(open, signal), signal)))
          report.thawed.push(name);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof HoldfastError)) throw error;
        report.failures.push({ machine: name, explanation: error.sentence });
      }
    }
    if (inSnapshot.size === 0) report.removed.push(...(await removeScratchFiles(scratchFolder)));
    return report;
  };

  return {
    kind: "qemu",
    lifecycle: openLifecycle({
      definitions,
      findMachine,
      leaseMonitor: (name, signal) => monitors.lease(monitorPath(name), signal),
      pathsOf: (name) => ({ monitor: monitorPath(name), agent: join(socketFolder, name + agentSuffix) }),
      names: socketNames,
      accelerator: settings.accelerator,
    }),
    diskPlug,
    listMachines,
    findMachine,
    directBoot: async (machineId, signal) => {
      const { name } = await findMachine(machineId, signal);
      using lease = await monitors.lease(monitorPath(name), signal);
      return readDirectBoot(lease.qmp, signal);
    },
    withAgent: async (machineId, use, signal) => {
      const machine = await findMachine(machineId, signal);
      const path = await agentPath(machine.name);
      if (path === undefined) {
        throw hostErrors.OperationUnsupported(
          `The machine ${machine.name} has no agent socket ${machine.name}${agentSuffix} in ${socketFolder}.`,
        );
      }
      return useAgent(path, use, signal);
    },
    snapshot,
    cleanUp,
    close: async () => {},
  };
}

async function removeScratchFiles(folder: string): Promise<string[]> {
  if ((await disk.status(folder))?.isDirectory !== true) return [];
  const ours = (await disk.list(folder)).filter((name) => /^holdfast\.[0-9a-f]{8}\.(?:\d+\.qcow2|sock)$/.test(name));
  for (const name of ours) await disk.remove(join(folder, name));
  return ours;
}

/** A machine that may be started; its disks' sizes show when it runs. */
function describeDefinition({ id, name, memoryBytes, processors }: MachineDefinition): Machine {
  return { ...unseen(name), id, memoryBytes, processors };
}

function unseen(name: string): Machine {
  return {
    id: `name:${name}`,
    name,
    powerState: "stopped",
    hasAgent: false,
    disks: [],
    memoryBytes: undefined,
    processors: undefined,
    problem: undefined,
  };
}
