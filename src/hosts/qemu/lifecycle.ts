// Defines, starts, stops machines of a QEMU host, and brings restored disks home.

import { HoldfastError } from "../../lib/errors.ts";
import { sleep } from "../../lib/time.ts";
import { hostErrors } from "../errors.ts";
import type { Lifecycle, Machine, MachineDefinition } from "../host.ts";
import { checkDefinition, type Definitions } from "./definitions.ts";
import type { Accelerator } from "./accelerator.ts";
import { launch, type LaunchPaths } from "./launch.ts";
import type { MonitorLease } from "./monitors.ts";
import { listBlockDevices } from "./block-devices.ts";
import type { QmpConnection } from "./qmp.ts";

export interface LifecycleParts {
  readonly definitions: Definitions;
  findMachine(id: string, signal?: AbortSignal): Promise<Machine>;
  leaseMonitor(machineName: string, signal?: AbortSignal): Promise<MonitorLease>;
  pathsOf(machineName: string): LaunchPaths;
  names(): Promise<string[]>;
  /** The one that works here, when undefined. */
  readonly accelerator: Accelerator | undefined;
}

const readyMilliseconds = 10_000;

export function openLifecycle({
  definitions,
  findMachine,
  leaseMonitor,
  pathsOf,
  names,
  accelerator,
}: LifecycleParts): Lifecycle {
  const leaseOf = async (id: string, signal?: AbortSignal): Promise<MonitorLease> =>
    leaseMonitor((await findMachine(id, signal)).name, signal);
  const isRunning = async (id: string, signal?: AbortSignal): Promise<boolean> => {
    const { powerState, problem } = await findMachine(id, signal);
    return powerState !== "stopped" || (problem !== undefined && !problem.includes("No QEMU monitor"));
  };

  return {
    define: async (asked) => {
      const definition = checkDefinition(asked);
      const taken = [...(await names()), ...(await definitions.list()).flatMap(({ id, name }) => [id, name])];
      for (const name of [definition.name, definition.id]) {
        if (taken.includes(name)) throw hostErrors.MachineExists(`The host has a machine ${name} already.`);
      }
      await definitions.save(definition);
    },
    undefine: async (id) => {
      const { name } = await definitions.find(id);
      if (await isRunning(id)) throw hostErrors.MachineRunning(`The machine ${name} runs.`);
      await definitions.remove(name);
    },
    start: async (id, signal) => {
      const definition = await definitions.find(id);
      if (await isRunning(id, signal)) throw hostErrors.MachineRunning(`The machine ${definition.name} runs already.`);
      await launch(definition, pathsOf(definition.name), accelerator, signal);
      using lease = await leaseMonitor(definition.name, signal);
      await lease.qmp.command("query-status", undefined, { timeoutMilliseconds: readyMilliseconds, signal });
    },
    stop: async (id, graceMilliseconds, signal) => {
      using lease = await leaseOf(id, signal);
      await lease.qmp.command("system_powerdown", undefined, { signal });
      const grace = new AbortController();
      const stop = signal === undefined ? grace.signal : AbortSignal.any([signal, grace.signal]);
      await Promise.race([lease.qmp.ended, sleep(graceMilliseconds, stop).catch(() => {})]);
      grace.abort();
      signal?.throwIfAborted();
      await lease.qmp.command("quit").catch(unlessGone);
      await lease.qmp.ended;
    },
    restart: async (id, signal) => {
      using lease = await leaseOf(id, signal);
      await lease.qmp.command("system_reset", undefined, { signal });
    },
    replaceDisks: async (id, sources, firmware) => {
      const definition = await definitions.find(id);
      if (await isRunning(id)) throw hostErrors.MachineRunning(`The machine ${definition.name} runs.`);
      const unknown = Object.keys(sources).filter((name) => !definition.disks.some((disk) => disk.id === name));
      if (unknown.length > 0)
        throw hostErrors.DiskNotFound(`The machine ${definition.name} has no disk "${unknown.join('", "')}".`);
      const disks = definition.disks.map((disk) => ({ ...disk, source: sources[disk.id] ?? disk.source }));
      await definitions.save(checkDefinition({ ...definition, disks, ...(firmware && { firmware }) }));
    },
    bringHome: async (id, diskId, signal) => {
      const definition = await definitions.find(id);
      using lease = await leaseOf(id, signal);
      await streamDisk(lease.qmp, diskId, signal);
      await definitions.save(withImage(definition, diskId));
    },
  };
}

async function streamDisk(qmp: QmpConnection, diskId: string, signal: AbortSignal | undefined): Promise<void> {
  const device = (await listBlockDevices(qmp, { signal })).find(({ id }) => id === diskId);
  if (device === undefined) throw hostErrors.DiskNotFound(`The machine has no disk "${diskId}".`);
  const job = `bring-home-${device.node}`;
  let stopListening = (): void => {};
  try {
    const over = new Promise<string | undefined>((resolve, reject) => {
      stopListening = qmp.onEvent(({ event, data }) => {
        if (data["device"] !== job) return;
        if (event === "BLOCK_JOB_CANCELLED") resolve("it was cancelled");
        if (event === "BLOCK_JOB_COMPLETED") resolve(typeof data["error"] === "string" ? data["error"] : undefined);
      });
      void qmp.ended.then(reject);
      signal?.addEventListener("abort", () => void qmp.command("block-job-cancel", { device: job }).catch(() => {}), {
        once: true,
      });
    });
    over.catch(() => {});
    await qmp.command("block-stream", { "job-id": job, device: device.node }, { signal });
    const failure = await over;
    signal?.throwIfAborted();
    if (failure !== undefined)
      throw hostErrors.QemuRefused(`The disk ${diskId} could not be brought home: ${failure}.`);
  } finally {
    stopListening();
  }
}

function withImage(definition: MachineDefinition, diskId: string): MachineDefinition {
  const disks = definition.disks.map((disk) =>
    disk.id === diskId && disk.source.kind === "point"
      ? { id: disk.id, source: { kind: "image" as const, path: disk.source.overlayPath, format: "qcow2" as const } }
      : disk,
  );
  return { ...definition, disks };
}

function unlessGone(error: unknown): void {
  if (error instanceof HoldfastError && error.code === "MonitorLost") return;
  throw error;
}
