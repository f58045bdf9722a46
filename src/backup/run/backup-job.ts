// Carries out a Backup job: the machine into the vault, or into the snapshot tier and from there into the
// vault. Run again after a crash it finds by the job's id what the attempt before has made.

import type { Database } from "../../db/database.ts";
import type { Inventory, InventoryMachine, OpenMachine } from "../../inventory/inventory.ts";
import { faultPoint } from "../../lib/faults.ts";
import { captureMachine, mustBeCaptured, type Captured, type ConsistencyAgent } from "../capture/index.ts";
import type { JobContext, JobEnd, JobHandler } from "../jobs/handler.ts";
import { JobFailure } from "../jobs/job-error.ts";
import type { Job } from "../jobs/job.ts";
import type { MachinePolicy, Policy } from "../policy/policy.ts";
import type { CaptureDiskKeys } from "../keys/disk-keys.ts";
import { needsEnhancedPolicy } from "../keys/selective-disks.ts";
import { insertPoint } from "../points/record-point.ts";
import { rowOfPoint } from "../points/point-row.ts";
import { retainItem } from "../points/retain-item.ts";
import { ensureVaultStore, openVaultStore } from "../points/tiers.ts";
import { changeItem } from "../protection/change-item.ts";
import { ownDoer } from "../protection/item-events.ts";
import { findItem, type ProtectedItem } from "../protection/item.ts";
import { goesToVault } from "../retention/vault-transfer.ts";
import { planRetention } from "../retention/retention.ts";
import type { OpenVaults, Stores } from "../stores/stores.ts";
import { findPolicy } from "../vaults/policies.ts";
import { keepVaultDocument, type DescribeVault } from "../vaults/vault-document.ts";
import { findVault, type Vault, type Writer } from "../vaults/vaults.ts";
import { recheckBroken } from "../verification/verify-vault.ts";
import { newestPoint } from "../../store/points/points.ts";
import type { Point, Vault as Store } from "../../store/index.ts";
import { oweTransfer, owedTransfers, resendOwed, transferPoint } from "./transfer.ts";
import { backupInput, takeSnapshotTask, transferTask, type BackupInput } from "./backup-input.ts";
import { backupFailure, backupWarnings, remarkWarning } from "./failures.ts";
import { describePoint, detailsOf, mustHaveDetails, pointAttachments, type PointSubject } from "./point-content.ts";

export interface BackupParts {
  readonly database: Database;
  readonly inventory: Pick<Inventory, "open">;
  readonly stores: Stores;
  /** A machine as the wire shows it: what a restore rebuilds it from. */
  readonly describeMachine: (machine: InventoryMachine) => Promise<Readonly<Record<string, unknown>>>;
  readonly captureDiskKeys: CaptureDiskKeys;
  readonly describeVault: DescribeVault;
  readonly consistencyAgent?: ConsistencyAgent;
  readonly report: (error: unknown) => void;
}

export function backupHandler(parts: BackupParts): JobHandler {
  return {
    run: async (context) => {
      try {
        await backUp(parts, context);
      } catch (error) {
        context.signal.throwIfAborted();
        throw backupFailure(error);
      }
    },
    settle: noteAtItem,
  };
}

interface Subject extends PointSubject {
  readonly opened: OpenVaults;
  readonly open: OpenMachine;
}

async function backUp(parts: BackupParts, context: JobContext): Promise<void> {
  const { database, inventory, stores } = parts;
  const { job, signal } = context;
  const input = backupInput.parse(job.input);
  const { vault, item, policy } = await readSubject(database, job);
  context.setProperty("Policy Name", policy.name);
  await ensureVaultStore(stores, vault, signal);
  await using opened = await openVaultStore(stores, vault);
  const first = opened.hot ?? opened.vault;
  let point = await pointOfJob(first, item, job.id, signal);
  if (point === undefined) {
    await context.startTask(takeSnapshotTask);
    const open = await inventory.open(item.machineId, signal);
    const shape = await parts.describeMachine(open.machine);
    const keys = await parts.captureDiskKeys(vault, shape);
    if (needsEnhancedPolicy(policy.policy, item.disks, keys !== undefined)) {
      throw new JobFailure(
        "UserErrorEncryptedVmNotSupportedWithDiskEx",
        `The disks of '${job.itemName}' are encrypted; with the standard policy '${policy.name}' none of them can be left out.`,
      );
    }
    const captured = await capture(
      parts,
      context,
      { jobId: job.id, vault, item, policy, machine: open.machine, input, shape, keys, opened, open },
      first,
    );
    point = captured.point;
    noteCapture(context, captured);
  } else {
    // Made by an attempt that did not come to tell so.
    for (const warning of backupWarnings(mustBeCaptured(point))) context.warn(warning);
  }
  faultPoint("backup.after-capture");
  const subject = { vault, item, policy: policy.policy, opened, input };
  await recordPoint(parts, context, subject, point);
  await moveToVault(parts, context, subject, point);
  context.setProperty("Recovery Point", detailsOf(point)?.id ?? "");
  try {
    await retainItem(database, opened, item.key, signal);
    await recheckBroken(database, opened, vault, signal);
    await keepVaultDocument(parts.describeVault, opened.vault, vault, signal);
  } catch (error) {
    // The point stands; the daily round tries again.
    signal.throwIfAborted();
    parts.report(error);
  }
}

async function readSubject(
  database: Database,
  job: Job,
): Promise<{ vault: Vault; item: ProtectedItem; policy: { name: string; policy: MachinePolicy } }> {
  const item = job.itemKey === undefined ? undefined : await findItem(database.kysely, job.itemKey);
  const vault = await findVault(database.kysely, job.vaultKey);
  if (item === undefined || vault === undefined || item.deletion !== undefined) {
    throw new JobFailure("UserErrorBcmDatasourceNotPresent", `'${job.itemName}' is not protected any more.`);
  }
  const policy = item.policyKey === undefined ? undefined : await findPolicy(database.kysely, vault, item.policyKey);
  if (policy === undefined || policy.policy.management !== "AzureIaasVM") {
    throw new JobFailure("UserErrorBcmDatasourceNotPresent", `The protection of '${job.itemName}' was stopped.`);
  }
  return { vault, item, policy: { name: policy.name, policy: policy.policy } };
}

async function capture(
  { consistencyAgent }: BackupParts,
  context: JobContext,
  subject: Subject,
  store: Store,
): Promise<Captured> {
  const { vault, item, policy, input, open, opened } = subject;
  const isDirect = opened.hot === undefined;
  const lockedUntil = isDirect ? lockOf(vault, policy.policy, input, store.clock.now()) : undefined;
  return captureMachine(
    {
      host: open.host,
      machineId: open.machineId,
      vault: store,
      item: item.storeItem,
      chain: item.itemId,
      consistency: policy.policy.onlyCrashConsistent ? "crash" : "application",
      ...(item.disks === undefined ? {} : { disks: item.disks }),
      attachments: pointAttachments(subject),
      details: describePoint(subject),
      ...(lockedUntil === undefined ? {} : { lockedUntil }),
      ...(consistencyAgent === undefined ? {} : { consistencyAgent }),
      onSnapshot: async ({ cutMilliseconds, disks }) => {
        context.subStep(
          `The snapshot of ${disks.length} disks stands; the cut took ${Math.round(cutMilliseconds)} ms.`,
        );
        if (!isDirect) return;
        await context.setCancellable(false);
        await context.finishTask(takeSnapshotTask);
        await context.startTask(transferTask);
        faultPoint("backup.transfer-begun");
      },
      onProgress: ({ bytesDone, bytesTotal }) =>
        context.progress(bytesTotal === 0 ? 100 : (bytesDone / bytesTotal) * 100),
    },
    context.signal,
  );
}

/** In a vault whose immutability is locked the store itself refuses to let the point go early. */
function lockOf(vault: Vault, policy: Policy, input: BackupInput, time: number): number | undefined {
  if (vault.settings.immutability !== "Locked") return undefined;
  const origin =
    input.kind === "onDemand"
      ? ({ kind: "onDemand", expiresAt: input.expiresAt } as const)
      : ({ kind: "scheduled", dueAt: input.dueAt, marks: undefined } as const);
  return planRetention(policy, [{ id: "", time, origin }], time).verdicts[0]?.keepUntil;
}

function noteCapture(context: JobContext, captured: Captured): void {
  const { facts } = captured;
  for (const warning of backupWarnings(facts)) context.warn(warning);
  for (const remark of captured.remarks.slice(facts.remarks.length)) context.warn(remarkWarning(remark));
  const names = (disks: readonly { name: string; lun: number }[]): string =>
    disks.map(({ name, lun }) => `${name} (LUN ${lun})`).join(", ");
  context.setProperty("Backup Size", `${Math.ceil(captured.bytesStored / 1024 ** 2)} MB`);
  context.setProperty("Backed-up disk(s)", names(facts.disks));
  if (facts.excluded.length > 0) context.setProperty("Excluded disk(s)", names(facts.excluded));
  context.setProperty("Consistency", facts.consistency.level);
}

/** The point that an earlier attempt of the same job has committed. */
async function pointOfJob(
  store: Store,
  item: ProtectedItem,
  jobId: string,
  signal: AbortSignal,
): Promise<Point | undefined> {
  const newest = await newestPoint(store, item.storeItem, signal);
  return newest !== undefined && detailsOf(newest)?.job === jobId ? newest : undefined;
}

interface Recording {
  readonly vault: Vault;
  readonly item: ProtectedItem;
  readonly policy: Policy;
  readonly opened: OpenVaults;
  readonly input: BackupInput;
}

async function recordPoint(
  { database }: BackupParts,
  context: JobContext,
  { vault, item, policy, opened, input }: Recording,
  point: Point,
): Promise<void> {
  const row = rowOfPoint(point, mustHaveDetails(point), {
    vaultKey: item.vaultKey,
    itemKey: item.key,
    isInSnapshotTier: opened.hot !== undefined,
    isInVaultTier: opened.hot === undefined,
  });
  await database.transaction(async (trx) => {
    await context.assertHeld(trx);
    const isNew = await insertPoint(trx, row, ownDoer(context.job.correlationId));
    if (!isNew || opened.hot === undefined) return;
    if (input.kind === "scheduled" && !goesToVault(policy, input.dueAt, await lastDueInVault(trx, item))) return;
    const lockedUntil = lockOf(vault, policy, input, point.time);
    await oweTransfer(trx, { pointId: row.id, itemKey: item.key, lockedUntil });
  });
  faultPoint("backup.point-recorded");
}

async function moveToVault(
  parts: BackupParts,
  context: JobContext,
  { item, opened }: Recording,
  point: Point,
): Promise<void> {
  if (opened.hot === undefined) {
    // A further attempt finds the point made and its tasks as they were.
    await context.finishTask(takeSnapshotTask);
    await context.finishTask(transferTask);
    return;
  }
  await context.setCancellable(false);
  await context.finishTask(takeSnapshotTask);
  await context.startTask(transferTask);
  const owed = await owedTransfers(parts.database, { itemKey: item.key });
  const own = owed.find(({ storePoint }) => storePoint === point.name);
  const terms = { assertHeld: context.assertHeld, signal: context.signal };
  const before = owed.filter((other) => other !== own);
  const sent = await resendOwed(parts.database, opened, before, parts.report, terms);
  if (sent > 0) context.subStep(`${sent} earlier recovery points, whose transfer had failed, are in the vault now.`);
  if (own !== undefined) {
    faultPoint("backup.before-transfer");
    const by = ownDoer(context.job.correlationId);
    await transferPoint(parts.database, opened, own, { ...terms, by, onPercent: context.progress });
    faultPoint("backup.transferred");
  } else if (!(await isInVault(parts.database, point))) {
    context.subStep("The point stays in the snapshot tier: another one of this day goes to the vault.");
  }
  await context.finishTask(transferTask);
}

/** An attempt before may have sent it. */
async function isInVault(database: Database, point: Point): Promise<boolean> {
  const row = await database.kysely
    .selectFrom("recovery_points")
    .select("is_in_vault_tier")
    .where("id", "=", detailsOf(point)?.id ?? "")
    .executeTakeFirst();
  return row?.is_in_vault_tier === 1;
}

async function lastDueInVault(trx: Writer, item: ProtectedItem): Promise<number | undefined> {
  const row = await trx
    .selectFrom("recovery_points")
    .select(({ fn }) => fn.max<number | null>("due_at").as("last"))
    .where("item_key", "=", item.key)
    .where("is_in_vault_tier", "=", 1)
    .executeTakeFirst();
  return row?.last ?? undefined;
}

/** How the last backup ended, as the item shows it. */
async function noteAtItem(trx: Parameters<NonNullable<JobHandler["settle"]>>[0], job: Job, end: JobEnd): Promise<void> {
  const item = job.itemKey === undefined ? undefined : await findItem(trx, job.itemKey);
  if (item === undefined) return;
  const isGood = end.status.startsWith("Completed");
  await changeItem(
    trx,
    item,
    {
      last_backup_status: end.status,
      last_backup_at: job.startedAt,
      last_error: end.errors[0] === undefined ? null : JSON.stringify(end.errors[0]),
      ...(isGood && item.state === "IRPending" ? { state: "Protected" } : {}),
    },
    "item.backed-up",
    ownDoer(job.correlationId),
  );
}
