// What a collection would do now. Planning reads only; docs/vault-format.md §10 says why the steps
// are safe. Clocks decide how patient we are, never whether something may go.

import { packStates } from "../index/blob-table.ts";
import type { PointName } from "../format/object-names.ts";
import { listPointNames } from "../points/points.ts";
import { prefixes } from "../format/object-names.ts";
import { serviceTime } from "../service-time.ts";
import { withFreshIndex, type Vault } from "../vault.ts";
import { findReferences } from "./references.ts";
import { condemnedPacks, doomedPacks, readCollectionRecords, type Condemned, type StoredRecord } from "./records.ts";

/** The numbers that a collection goes by, each with its reason. */
export interface CollectionLimits {
  /** How long a deleted point can be undone, and how long an unused pack stays: people need days to see a mistake. */
  readonly windowMilliseconds: number;
  /** A writer without a sign of life (one each 10 minutes) for so long is given up; it would only have to begin again. */
  readonly patienceMilliseconds: number;
  /** A pack of which less than this is needed is written again without the rest. */
  readonly repackBelow: number;
  /** So many small packs, or index objects, are merged into few. */
  readonly mergeFrom: number;
  /** More than this part of the vault at once is no normal day. */
  readonly abnormalFraction: number;
  /** Below this size the fraction says nothing. */
  readonly abnormalFromBytes: number;
}

const hour = 3_600_000;

export const defaultLimits: CollectionLimits = {
  windowMilliseconds: 14 * 24 * hour,
  patienceMilliseconds: 24 * hour,
  repackBelow: 0.5,
  mergeFrom: 16,
  abnormalFraction: 0.5,
  abnormalFromBytes: 1024 ** 3,
};

export interface CollectionPlan {
  readonly generation: number;
  /** Sessions to be finished for their writers, and those to be given up. */
  readonly finishSessions: readonly string[];
  readonly evictSessions: readonly string[];
  readonly purgePoints: readonly PointName[];
  readonly condemned: readonly Condemned[];
  readonly newlyCondemned: readonly string[];
  readonly rescued: readonly string[];
  readonly doom: readonly string[];
  readonly repack: readonly string[];
  readonly mergeIndexes: readonly string[];
  /** Packs that are lost and that nothing needs: the index may forget them. */
  readonly forgetPacks: readonly string[];
  readonly bytesInPacks: number;
  readonly bytesToDelete: number;
  readonly serviceNow: number;
  /** While there are any nothing is deleted. */
  readonly problems: readonly string[];
}

export async function planCollection(
  openVault: Vault,
  limits: CollectionLimits = defaultLimits,
  signal?: AbortSignal,
): Promise<CollectionPlan> {
  const vault = withFreshIndex(openVault);
  const serviceNow = await serviceTime(vault, signal);
  await vault.index.refresh(signal);
  const records = await readCollectionRecords(vault.store, vault.keys, signal);
  const purgePoints = await purgeable(vault, serviceNow - limits.windowMilliseconds, signal);
  const references = await findReferences(vault, signal, new Set(purgePoints));
  const parents = new Set(references.sessions.filter(({ isOpen }) => isOpen).flatMap((session) => session.parents));
  const purge = purgePoints.filter((name) => !parents.has(name));
  const pinned = purge.length < purgePoints.length;
  const { liveBytes, sessions, missing, problems } = pinned
    ? await findReferences(vault, signal, new Set(purge))
    : references;

  const before = condemnedPacks(records);
  const doomedBefore = doomedPacks(records);
  const generation = nextGeneration(records);
  const condemned: Condemned[] = [];
  const newlyCondemned: string[] = [];
  const rescued: string[] = [];
  const doom: string[] = [];
  const repack: string[] = [];
  const small: string[] = [];
  let bytesInPacks = 0;
  let bytesToDelete = 0;
  for (const [hash, size] of vault.index.present()) {
    bytesInPacks += size;
    const number = vault.index.packNumber(hash);
    const known = before.get(hash);
    if (doomedBefore.has(hash)) bytesToDelete += size;
    // A pack whose directory cannot be read may hold what is needed: verify and repair decide about it.
    if (doomedBefore.has(hash) || number === undefined) continue;
    const live = liveBytes.get(number) ?? 0;
    if (live > 0) {
      if (known !== undefined) rescued.push(hash);
      const isGood = vault.index.table.packState(number) !== packStates.readOnly;
      const dead = size - live - packOverhead;
      if (isGood && dead > size * (1 - limits.repackBelow)) repack.push(hash);
      else if (isGood && size < vault.config.packTarget / 4) small.push(hash);
    } else if (known === undefined) {
      newlyCondemned.push(hash);
      condemned.push({ hash, generation, at: serviceNow });
    } else if (known.generation < generation && serviceNow - known.at >= limits.windowMilliseconds) {
      doom.push(hash);
      bytesToDelete += size;
    } else condemned.push(known);
  }
  if (small.length >= limits.mergeFrom) repack.push(...small);
  const indexes: string[] = [];
  for await (const { name } of vault.store.list(prefixes.index, signal)) indexes.push(name);
  const forgetPacks = missing === 0 && problems.length === 0 ? [...vault.index.lost] : [];
  return {
    generation,
    finishSessions: sessions.filter(({ end }) => end !== undefined).map(({ id }) => id),
    evictSessions: sessions
      .filter(({ end, lastSeen }) => end === undefined && serviceNow - lastSeen > limits.patienceMilliseconds)
      .map(({ id }) => id),
    purgePoints: purge,
    condemned,
    newlyCondemned,
    rescued,
    doom,
    repack: problems.length > 0 ? [] : repack,
    mergeIndexes: indexes.length >= limits.mergeFrom || forgetPacks.length > 0 ? indexes : [],
    forgetPacks,
    bytesInPacks,
    bytesToDelete,
    serviceNow,
    problems,
  };
}

/** Header, tags and length of a pack's directory. */
const packOverhead = 80;

async function purgeable(vault: Vault, deletedBefore: number, signal?: AbortSignal): Promise<PointName[]> {
  const names = new Set(await listPointNames(vault, "deleted", undefined, signal));
  const old: PointName[] = [];
  for await (const { name, modifiedAt } of vault.store.list(prefixes.deleted, signal)) {
    const point = name.slice(prefixes.deleted.length) as PointName;
    if (names.has(point) && modifiedAt <= deletedBefore) old.push(point);
  }
  return old;
}

function nextGeneration(records: readonly StoredRecord[]): number {
  return records.reduce((highest, { generation }) => Math.max(highest, generation), 0) + 1;
}
