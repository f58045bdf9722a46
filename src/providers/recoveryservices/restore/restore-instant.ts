// Instant restore: the machine boots from the vault now, its disks come home while it runs, and then it
// needs the vault no more. The job lasts as long as that takes. A service that is started again serves the
// point at the same place, and the machine goes on.

import { join } from "node:path";
import { findResource } from "../../../arm/resources/resource-store.ts";
import { parseResourceId } from "../../../arm/resource-id.ts";
import { mustBeCaptured } from "../../../backup/capture/index.ts";
import { servePoint, type ServedPoint } from "../../../backup/instant/serve-point.ts";
import { writeBoot } from "../../../backup/restore/boot-files.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import { createMachineTask, transferFromVaultTask, type RestoreTarget } from "../../../backup/restore/restore-input.ts";
import type { Lifecycle, MachineDefinition } from "../../../hosts/host.ts";
import { isErrorCode } from "../../../lib/errors.ts";
import { faultPoint } from "../../../lib/faults.ts";
import { sleep } from "../../../lib/time.ts";
import { disk } from "../../../lib/files.ts";
import type { RegisteredHost } from "../../../inventory/inventory.ts";
import type { Restoring } from "./restore-job.ts";

type NewMachine = Extract<RestoreTarget, { kind: "newMachine" }>;

const againMilliseconds = 2_000;

export async function restoreInstantly(restoring: Restoring, target: NewMachine): Promise<void> {
  const { services, context, store, point, disks } = restoring;
  const { signal } = context;
  await context.setCancellable(false);
  const { host, lifecycle } = await openTargetHost(restoring, target);
  const name = `instant-${context.job.id.slice(0, 8)}`;
  const folder = (await lifecycle.makeFolder?.(name)) ?? join(services.instantFolder, context.job.id.slice(0, 8));
  await using served = await servePoint(
    store,
    point,
    disks.map(({ id }) => id),
    folder,
  );
  await context.startTask(createMachineTask);
  const machineId = await ensureMachine(restoring, target, host, served, folder);
  await startUnlessRunning(lifecycle, machineId, signal);
  await services.inventory.refreshMachine(target.machineId, signal);
  context.subStep("The machine runs from the vault; its disks are copied in the background.");
  await context.finishTask(createMachineTask);
  faultPoint("restore.instant-running");
  for (const [index, { id }] of disks.entries()) {
    await bringHome(lifecycle, machineId, id, signal);
    context.progress(((index + 1) / disks.length) * 100);
    context.subStep(`The disk ${id} needs the vault no more.`);
  }
  await context.finishTask(transferFromVaultTask);
  context.setProperty("Target VM Name", parseResourceId(target.machineId).name);
}

/** That of the machine, where an earlier attempt has made it. */
async function openTargetHost(
  restoring: Restoring,
  target: NewMachine,
): Promise<{ readonly host: RegisteredHost; readonly lifecycle: Lifecycle }> {
  const { inventory } = restoring.services;
  const known = await inventory.findMachine(target.machineId);
  const host = known === undefined ? await chooseHost(restoring, target) : await inventory.showHost(known.hostId);
  const { lifecycle } = await inventory.openHost(host.hostId, restoring.context.signal);
  if (lifecycle === undefined)
    throw restoreErrors.UserErrorRestoreNotSupported(`The host ${host.name} cannot run machines.`);
  return { host, lifecycle };
}

async function ensureMachine(
  restoring: Restoring,
  target: NewMachine,
  host: RegisteredHost,
  served: ServedPoint,
  folder: string,
): Promise<string> {
  const { services, context, store, point, disks, shape } = restoring;
  const { inventory, database } = services;
  // The job's id is the machine's: another attempt finds it again.
  const known = await inventory.findMachine(target.machineId);
  if (known !== undefined) {
    const resource = await findResource<object, { restoreJob?: string }>(database.kysely, target.machineId);
    if (resource?.hidden.restoreJob !== context.job.id)
      throw restoreErrors.UserErrorRestoreTargetExists(`There is a machine ${target.machineId} already.`);
    return known.machineId;
  }
  const { subscriptionId = "", resourceGroup = "", name } = parseResourceId(target.machineId);
  const { machine } = mustBeCaptured(point);
  const defaultBytes = 1024 ** 3;
  await disk.makeDirectory(folder, 0o700);
  const bootPaths = {
    kernel: join(folder, "kernel"),
    initrd: join(folder, "initrd"),
    variables: join(folder, "nvram"),
  };
  const boot = await writeBoot(store, point, bootPaths, context.signal);
  const definition: MachineDefinition = {
    name,
    id: context.job.id,
    memoryBytes: machine.memoryBytes ?? defaultBytes,
    processors: machine.processors ?? 1,
    network: target.subnetId === undefined ? "none" : "user",
    disks: disks.map(({ id }, index) => ({
      id,
      source: {
        kind: "point",
        address: served.address,
        exportName: id,
        overlayPath: join(folder, `disk-${index}.qcow2`),
      },
    })),
    ...boot,
  };
  await inventory.adopt(
    host.hostId,
    definition,
    {
      subscriptionId,
      resourceGroup,
      name,
      location: shape.location,
      tags: shape.tags,
      properties: {},
      hidden: { restoreJob: context.job.id },
      diskSizes: Object.fromEntries(disks.map(({ id, sizeBytes }) => [id, sizeBytes])),
    },
    context.signal,
  );
  return definition.id;
}

async function chooseHost({ services }: Restoring, { hostId }: NewMachine): Promise<RegisteredHost> {
  if (hostId !== undefined) return services.inventory.showHost(hostId);
  const able = (await services.inventory.listHosts()).filter(({ settings }) => settings.kind !== "images");
  const [only, ...others] = able;
  if (only !== undefined && others.length === 0) return only;
  throw restoreErrors.UserErrorInvalidRestoreRequest(
    only === undefined
      ? "No host here runs machines."
      : `Several hosts could run the machine: ${able.map(({ resourceId }) => resourceId).join(", ")}.`,
    { target: "holdfast.hostId", remedy: "Name one in properties.holdfast.hostId; ./holdfast host add adds one." },
  );
}

async function startUnlessRunning(lifecycle: Lifecycle, machineId: string, signal: AbortSignal): Promise<void> {
  try {
    await lifecycle.start(machineId, signal);
  } catch (error) {
    if (!isErrorCode(error, "MachineRunning")) throw error;
  }
}

/** A copy that goes on since before the service was started again is waited for. */
async function bringHome(lifecycle: Lifecycle, machineId: string, diskId: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await lifecycle.bringHome(machineId, diskId, signal);
      return;
    } catch (error) {
      const isRefusal = isErrorCode(error, "QemuRefused") || isErrorCode(error, "LibvirtRefused");
      const isUnderWay = isRefusal && /already in use|is busy|in use by block job|active block job/.test(String(error));
      if (!isUnderWay) throw error;
      await sleep(againMilliseconds, signal);
    }
  }
}
