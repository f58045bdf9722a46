// Carrying out a collection plan. Every step may be interrupted: the next run goes on from what the
// records say.

import { isErrorCode } from "../../lib/errors.ts";
import { faultPoint } from "../../lib/faults.ts";
import { storeErrors } from "../errors.ts";
import { packName, prefixes, quarantineName, type PointName } from "../format/object-names.ts";
import { finishCommitted } from "../session/finish-committed.ts";
import { decideEnd, readSessions, removeSession } from "../session/session-records.ts";
import { withFreshIndex, type Vault } from "../vault.ts";
import { defaultLimits, planCollection, type CollectionLimits, type CollectionPlan } from "./collection-plan.ts";
import { mergeIndexes } from "./merge-indexes.ts";
import { findReferences } from "./references.ts";
import { readCollectionRecords, writeCollectionRecord, type StoredRecord } from "./records.ts";
import { repackPacks } from "./repack.ts";

export interface CollectOptions {
  readonly limits?: CollectionLimits;
  /** Go on although an abnormal part of the vault would be deleted. */
  readonly allowAbnormal?: boolean;
  readonly signal?: AbortSignal;
}

export interface CollectionOutcome {
  readonly plan: CollectionPlan;
  readonly deletedPacks: readonly string[];
  /** Doomed packs that turned out to be needed. */
  readonly releasedPacks: readonly string[];
  readonly deletedBytes: number;
  /** Sessions that have to end before doomed packs can go. */
  readonly waitingFor: readonly string[];
}

/** Plans and carries out. */
export async function collect(vault: Vault, options: CollectOptions = {}): Promise<CollectionOutcome> {
  return executeCollection(
    vault,
    await planCollection(vault, options.limits ?? defaultLimits, options.signal),
    options,
  );
}

export async function executeCollection(
  vault: Vault,
  plan: CollectionPlan,
  options: CollectOptions = {},
): Promise<CollectionOutcome> {
  const { signal } = options;
  refuseAbnormal(plan, options.limits ?? defaultLimits, options.allowAbnormal === true);
  await vault.learnEpochs(signal);
  await endSessions(vault, plan, signal);
  const nothing = { plan, deletedPacks: [], releasedPacks: [], deletedBytes: 0, waitingFor: [] };
  if (plan.problems.length > 0) return nothing;
  await purge(vault, plan.purgePoints, signal);
  const repacked = plan.repack.length === 0 ? [] : await repackPacks(vault, plan.repack, signal);
  try {
    await condemn(vault, plan, repacked, signal);
    if (plan.doom.length > 0) {
      await writeCollectionRecord(
        vault.store,
        vault.keys,
        plan.generation,
        "doomed",
        { packs: [...plan.doom] },
        signal,
      );
      faultPoint("store.after-doom");
    }
  } catch (cause) {
    if (!isErrorCode(cause, "ObjectExists")) throw cause;
    throw storeErrors.CollectionBusy(
      `Another collection of ${vault.store.location} has taken generation ${plan.generation}.`,
      { cause },
    );
  }
  const outcome = await deleteDoomed(vault, signal);
  if (plan.mergeIndexes.length > 0) await mergeIndexes(vault, plan.mergeIndexes, new Set(plan.forgetPacks), signal);
  await vault.index.refresh(signal);
  return { plan, ...outcome };
}

function refuseAbnormal(plan: CollectionPlan, limits: CollectionLimits, isMeant: boolean): void {
  if (isMeant || plan.bytesInPacks < limits.abnormalFromBytes) return;
  if (plan.bytesToDelete <= plan.bytesInPacks * limits.abnormalFraction) return;
  throw storeErrors.AbnormalDeletion(
    `The collection would delete ${plan.bytesToDelete} of ${plan.bytesInPacks} bytes, more than ${limits.abnormalFraction * 100} % of the vault.`,
  );
}

async function endSessions(vault: Vault, plan: CollectionPlan, signal?: AbortSignal): Promise<void> {
  for (const id of plan.evictSessions) {
    await decideEnd(vault.store, vault.keys, id, { v: 1, outcome: "evicted" }, signal);
  }
  const ended = new Set([...plan.finishSessions, ...plan.evictSessions]);
  for (const session of await readSessions(vault.store, vault.keys, signal)) {
    if (!ended.has(session.id) || session.end === undefined) continue;
    if (session.end.outcome === "committed") await finishCommitted(vault, session, signal);
    else await removeSession(vault.store, session.id, signal);
  }
}

/** A writer that builds on a deleted point named it in its `.open` while it was still listed. */
async function purge(vault: Vault, points: readonly PointName[], signal?: AbortSignal): Promise<void> {
  if (points.length === 0) return;
  const sessions = await readSessions(vault.store, vault.keys, signal);
  const parents = new Set(sessions.filter(({ isOpen }) => isOpen).flatMap((session) => session.parents));
  for (const name of points) {
    if (!parents.has(name)) await vault.store.delete(prefixes.deleted + name, signal);
  }
}

async function condemn(
  vault: Vault,
  plan: CollectionPlan,
  repacked: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const older = (await readCollectionRecords(vault.store, vault.keys, signal)).filter(
    ({ step }) => step === "condemned",
  );
  const condemned = [
    ...plan.condemned,
    ...repacked.map((hash) => ({ hash, generation: plan.generation, at: plan.serviceNow })),
  ];
  if (condemned.length === 0 && older.length === 0 && plan.doom.length === 0) return;
  await writeCollectionRecord(vault.store, vault.keys, plan.generation, "condemned", { condemned }, signal);
  faultPoint("store.after-condemn");
  for (const { name } of older) await vault.store.delete(name, signal);
}

/** Doomed packs go when every session that may not have seen the doom has ended, after another look. */
async function deleteDoomed(
  vault: Vault,
  signal?: AbortSignal,
): Promise<Pick<CollectionOutcome, "deletedPacks" | "releasedPacks" | "deletedBytes" | "waitingFor">> {
  const deletedPacks: string[] = [];
  const releasedPacks: string[] = [];
  const waitingFor = new Set<string>();
  let deletedBytes = 0;
  const records = await readCollectionRecords(vault.store, vault.keys, signal);
  const ready: StoredRecord[] = [];
  for (const doom of records.filter(({ step }) => step === "doomed")) {
    const barrier = await barrierOf(vault, doom, records, signal);
    const open = new Set((await readSessions(vault.store, vault.keys, signal)).map(({ id }) => id));
    const awaited = barrier.filter((id) => open.has(id));
    awaited.forEach((id) => waitingFor.add(id));
    if (awaited.length === 0) ready.push(doom);
  }
  if (ready.length > 0) {
    const view = withFreshIndex(vault);
    await view.index.refresh(signal);
    const references = await findReferences(view, signal);
    for (const doom of references.problems.length > 0 ? [] : ready) {
      for (const hash of doom.packs ?? []) {
        const number = view.index.packNumber(hash);
        const size = view.index.presentSize(hash);
        if (size === undefined) continue; // an interrupted run deleted it
        if (number === undefined || (references.liveBytes.get(number) ?? 0) > 0) {
          releasedPacks.push(hash);
          continue;
        }
        await vault.store.delete(packName(hash), signal);
        faultPoint("store.after-delete");
        await vault.store.delete(quarantineName(hash), signal);
        deletedPacks.push(hash);
        deletedBytes += size;
      }
      // Packs, then what the index says of them, then the record: nobody takes them for usable or
      // for lost in between.
      await forgetDeleted(vault, doom, new Set(releasedPacks), signal);
      await vault.store.delete(doom.name, signal);
      await vault.store.delete(barrierName(doom), signal);
    }
  }
  return { deletedPacks, releasedPacks, deletedBytes, waitingFor: [...waitingFor] };
}

async function forgetDeleted(
  vault: Vault,
  doom: StoredRecord,
  released: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<void> {
  const deleted = new Set((doom.packs ?? []).filter((hash) => !released.has(hash)));
  if (deleted.size === 0) return;
  const names: string[] = [];
  for await (const { name } of vault.store.list(prefixes.index, signal)) names.push(name);
  await mergeIndexes(vault, names, deleted, signal);
}

const barrierName = (doom: StoredRecord): string => doom.name.replace(/doomed$/, "barrier");

/** The sessions that were open after the doom was durable; written down once, so later ones need not be awaited. */
async function barrierOf(
  vault: Vault,
  doom: StoredRecord,
  records: readonly StoredRecord[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const known = records.find(({ step, generation }) => step === "barrier" && generation === doom.generation);
  if (known !== undefined) return known.sessions ?? [];
  const open = await readSessions(vault.store, vault.keys, signal);
  const sessions = open.filter(({ isOpen }) => isOpen).map(({ id }) => id);
  try {
    await writeCollectionRecord(vault.store, vault.keys, doom.generation, "barrier", { sessions }, signal);
  } catch (error) {
    if (!isErrorCode(error, "ObjectExists")) throw error; // whoever wrote it saw at least what it must
  }
  return sessions;
}
