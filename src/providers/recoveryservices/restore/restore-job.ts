// The Restore job: reads the point, writes its disks where they are wanted, and makes of them what was
// asked for. An attempt after a crash finds what the one before it made by the job's id.

import * as z from "zod";
import type { JobContext, RegisterJobHandler } from "../../../backup/jobs/handler.ts";
import { getPoint, type RecoveryPoint } from "../../../backup/points/point.ts";
import { mustBeWhole, openVaultStore, readFromTiers } from "../../../backup/points/tiers.ts";
import { getItem, type ProtectedItem } from "../../../backup/protection/item.ts";
import { machineAttachment } from "../../../backup/run/point-content.ts";
import {
  createMachineTask,
  restoreInput,
  transferFromVaultTask,
  type RestoreInput,
} from "../../../backup/restore/restore-input.ts";
import type { RestorableDisk } from "../../../backup/restore/choose-disks.ts";
import { writeBoot } from "../../../backup/restore/boot-files.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import { restoreFailure, writeDisks } from "../../../backup/restore/write-disks.ts";
import { restoredDiskName } from "../../../backup/restore/restored-names.ts";
import { findVault } from "../../../backup/vaults/vaults.ts";
import { isoTime } from "../../../lib/clock.ts";
import { disk } from "../../../lib/files.ts";
import { faultPoint } from "../../../lib/faults.ts";
import { parsePointName, readAttachment, type Point, type Vault as Store } from "../../../store/index.ts";
import { join } from "node:path";
import { restoreInstantly } from "./restore-instant.ts";
import { bringKeysOfDisksBack } from "./restore-keys.ts";
import { makeMachine } from "./restore-machine.ts";
import { managedDisks } from "./restore-managed-disk.ts";
import { replaceDisks } from "./restore-replace.ts";
import { writeStaging, writeVhds } from "./restore-staging.ts";
import type { RestoreServices } from "./restore-services.ts";

/** What every part of a restore works with. */
export interface Restoring {
  readonly services: RestoreServices;
  readonly context: JobContext;
  readonly input: RestoreInput;
  readonly item: ProtectedItem;
  readonly row: RecoveryPoint;
  readonly store: Store;
  readonly point: Point;
  readonly disks: readonly RestorableDisk[];
  /** The machine as the wire showed it when the point was made. */
  readonly shape: MachineShape;
}

export interface MachineShape {
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly raw: unknown;
}

/** Where a managed disk was restored to, in order of LUN. */
export interface RestoredDisk {
  readonly lun: number;
  readonly id: string;
  readonly imagePath: string;
}

export function registerRestoreJobs(services: RestoreServices, register: RegisterJobHandler): void {
  register("Restore", { run: (context) => restore(services, context) });
}

async function restore(services: RestoreServices, context: JobContext): Promise<void> {
  const { job, signal } = context;
  const { kysely } = services.database;
  const input = restoreInput.parse(job.input);
  const vault = await findVault(kysely, job.vaultKey);
  if (vault === undefined) throw restoreErrors.UserErrorRecoveryPointNotFound("The vault is not there any more.");
  const item = await getItem(kysely, input.itemKey);
  const row = await getPoint(kysely, item.key, input.pointId);
  await using opened = await openVaultStore(services.stores, vault);
  mustBeWhole(row);
  try {
    const { store, point } = await readFromTiers(opened, row, signal);
    const disks = input.disks.flatMap((id) => row.facts.disks.find((each) => each.id === id) ?? []);
    const shape = shapeOf(await readAttachment(store, point, machineAttachment, signal), vault.location);
    context.setProperty("Recovery point time ", isoTime(row.takenAt));
    await carryOut({ services, context, input, item, row, store, point, disks, shape });
  } catch (error) {
    signal.throwIfAborted();
    throw restoreFailure(error, { name: parsePointName(row.storePoint) });
  }
}

const makesDisksOnly: ReadonlySet<RestoreInput["target"]["kind"]> = new Set(["blobs", "managedDisks", "folder"]);

async function carryOut(restoring: Restoring): Promise<void> {
  const { context, input } = restoring;
  const { target } = input;
  await context.startTask(transferFromVaultTask);
  if (makesDisksOnly.has(target.kind)) await bringKeysOfDisksBack(restoring);
  switch (target.kind) {
    case "blobs": {
      const sources = await writeVhds(restoring);
      await transferred(context);
      await writeStaging(restoring, sources);
      return;
    }
    case "folder":
      await writeFolder(restoring, target);
      await transferred(context);
      return;
    case "managedDisks": {
      const disks = await managedDisks(restoring, target.resourceGroupId);
      await transferred(context);
      context.setProperty("Target resource group", target.resourceGroupId.split("/").at(-1) ?? "");
      await writeStaging(
        restoring,
        disks.map(({ lun, id }) => ({ lun, source: { kind: "managed", id } })),
      );
      return;
    }
    case "newMachine": {
      if (target.isInstant) return restoreInstantly(restoring, target);
      const disks = await managedDisks(restoring, target.resourceGroupId);
      await transferred(context);
      await writeStaging(
        restoring,
        disks.map(({ lun, id }) => ({ lun, source: { kind: "managed", id } })),
      );
      await context.startTask(createMachineTask);
      await makeMachine(restoring, target, disks);
      await context.finishTask(createMachineTask);
      return;
    }
    case "replace":
      return replaceDisks(restoring, target.machineId);
  }
}

/** From here on the job cannot be cancelled: what it made is there. */
async function transferred(context: JobContext): Promise<void> {
  await context.setCancellable(false);
  await context.finishTask(transferFromVaultTask);
  faultPoint("restore.after-transfer");
}

async function writeFolder(
  { context, item, store, point, disks }: Restoring,
  { path, format }: Extract<RestoreInput["target"], { kind: "folder" }>,
): Promise<void> {
  const { job, signal } = context;
  const before = folderProgress.safeParse(job.checkpoint).data;
  const finished = new Set(before?.finished);
  const suffix = format === "raw" ? "raw" : format;
  const files = disks.map((each) => ({
    disk: each.id,
    path: join(path, `${restoredDiskName(item.friendlyName, each, job)}.${suffix}`),
    format,
  }));
  await writeDisks(
    store,
    point,
    {
      files,
      finished,
      begun: new Set(before?.begun),
      onBegin: () => note(context, files, finished),
      onFinished: async (file) => {
        finished.add(file.path);
        await note(context, files, finished);
      },
      onProgress: ({ bytesDone, bytesTotal }) =>
        context.progress(bytesTotal === 0 ? 100 : (bytesDone / bytesTotal) * 100),
    },
    signal,
  );
  const config = join(path, `config-${item.friendlyName}-${job.id}.json`);
  await disk.writeDurably(config, await readAttachment(store, point, machineAttachment, signal));
  const bootPaths = {
    kernel: join(path, `kernel-${job.id}`),
    initrd: join(path, `initrd-${job.id}`),
    variables: join(path, `nvram-${job.id}`),
  };
  const { kernel } = await writeBoot(store, point, bootPaths, signal);
  if (kernel !== undefined) context.setProperty("Kernel command line", kernel.commandLine);
  context.setProperty("Job Type", "Recover disks");
  context.setProperty("Target folder", path);
  context.setProperty("Restored file(s)", files.map((file) => file.path).join(", "));
}

/** What the next attempt finds. */
const folderProgress = z.object({ begun: z.array(z.string()), finished: z.array(z.string()) });

function note(
  context: JobContext,
  files: readonly { readonly path: string }[],
  finished: ReadonlySet<string>,
): Promise<void> {
  const progress: z.output<typeof folderProgress> = { begun: files.map(({ path }) => path), finished: [...finished] };
  return context.checkpoint(progress);
}

function shapeOf(content: Buffer, fallback: string): MachineShape {
  const raw = JSON.parse(content.toString("utf8")) as { location?: string; tags?: Record<string, string> };
  return { location: raw.location ?? fallback, tags: raw.tags ?? {}, raw };
}
