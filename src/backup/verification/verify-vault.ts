// What was stored is looked at again: scrub compares every object with its name, deep verification opens
// every byte that the points need, in each tier that they are in. What one tier has lost is brought back
// from the other. A point that cannot be restored is never shown as good; when a later backup has stored
// again what was lost, the next look says so.

import type { Database } from "../../db/database.ts";
import { parsePointName, repair, scrub, verify, type Vault as Store } from "../../store/index.ts";
import { pointFromRow, type RecoveryPoint } from "../points/point.ts";
import { changePoint } from "../points/record-point.ts";
import { ownDoer } from "../protection/item-events.ts";
import type { OpenVaults } from "../stores/stores.ts";
import type { Reader, Vault } from "../vaults/vaults.ts";

export interface VerificationResult {
  readonly checked: number;
  readonly broken: readonly string[];
  readonly healed: readonly string[];
  /** Whole in the snapshot tier, and damaged in the vault tier until a later backup is transferred there. */
  readonly waiting: readonly string[];
}

export interface ScrubResult extends VerificationResult {
  /** What is wrong with which object, in the words of the store. */
  readonly damaged: readonly string[];
}

export interface VerificationTerms {
  /** All of the vault's when absent. */
  readonly points?: readonly RecoveryPoint[] | undefined;
  /** Of the whole, 0 to 100. */
  readonly onPercent?: ((percent: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

type VaultKey = Pick<Vault, "key">;

const nothingChecked: VerificationResult = { checked: 0, broken: [], healed: [], waiting: [] };

/** Opens everything that the points need. */
export async function verifyPoints(
  database: Database,
  opened: OpenVaults,
  vault: VaultKey,
  { points, onPercent, signal }: VerificationTerms = {},
): Promise<VerificationResult> {
  const wanted = points ?? (await pointsOfVault(database.kysely, vault));
  const { hot } = opened;
  const tiers = hot === undefined ? 1 : 2;
  const onTier = (tier: number) => (percent: number) => onPercent?.((percent + 100 * tier) / tiers);
  // What the snapshot tier has lost is read from the vault tier: its problems are those of both.
  const inHot = hot === undefined ? [] : wanted.filter(({ isInSnapshotTier }) => isInSnapshotTier);
  const inVault = hot === undefined ? wanted : wanted.filter((point) => point.isInVaultTier || !point.isInSnapshotTier);
  const lostInHot =
    hot === undefined ? noProblems : await problemsIn(hot, opened.vault, inHot, { onPercent: onTier(0), signal });
  const lostInVault = await problemsIn(opened.vault, hot, inVault, { onPercent: onTier(tiers - 1), signal });
  const outcome = { checked: wanted.length, broken: [] as string[], healed: [] as string[], waiting: [] as string[] };
  for (const point of wanted) {
    const isHot = hot !== undefined && point.isInSnapshotTier;
    const found = (isHot ? lostInHot : lostInVault).get(point.storePoint);
    await note(database, point, found);
    if (found !== undefined) outcome.broken.push(point.id);
    else if (point.problems !== undefined) outcome.healed.push(point.id);
    if (isHot && found === undefined && lostInVault.has(point.storePoint)) outcome.waiting.push(point.id);
  }
  return outcome;
}

type Problems = ReadonlyMap<string, readonly string[]>;
const noProblems: Problems = new Map();

/** By the points' names in the store; of what could not be brought back from the other tier. */
async function problemsIn(
  store: Store,
  other: Store | undefined,
  points: readonly RecoveryPoint[],
  { onPercent, signal }: { readonly onPercent: (percent: number) => void; readonly signal: AbortSignal | undefined },
): Promise<Problems> {
  if (points.length === 0) return noProblems;
  const look = (names: readonly string[]) =>
    verify(store, {
      points: names.map(parsePointName),
      onProgress: ({ blobs, totalBlobs }) => onPercent(percentOf(blobs, totalBlobs, 0, 1)),
      ...(signal === undefined ? {} : { signal }),
    });
  const first = await look(points.map(({ storePoint }) => storePoint));
  let { broken } = first;
  if (other !== undefined && (broken.length > 0 || first.badPacks.length > 0)) {
    const { repaired } = await repair(store, other.store, signal);
    if (repaired.length > 0 && broken.length > 0) broken = (await look(broken.map(({ name }) => name))).broken;
  }
  return new Map(broken.map(({ name, problems }) => [name, problems]));
}

/** Needs no key and reads each object once; what it finds is looked into by a deep verification. */
export async function scrubVault(
  database: Database,
  opened: OpenVaults,
  vault: VaultKey,
  terms: VerificationTerms = {},
): Promise<ScrubResult> {
  const { onPercent, signal } = terms;
  const damaged: string[] = [];
  const stores = storesOf(opened);
  for (const [index, { store }] of stores.entries()) {
    const findings = await scrub(store, {
      onProgress: ({ bytes, totalBytes }) => onPercent?.(percentOf(bytes, totalBytes, index, stores.length)),
      ...(signal === undefined ? {} : { signal }),
    });
    damaged.push(...findings.flatMap(({ problem, message }) => (problem === "foreign" ? [] : [message])));
  }
  if (damaged.length === 0) return { ...nothingChecked, damaged };
  return { ...(await verifyPoints(database, opened, vault, terms)), damaged };
}

/** After a backup: it may have stored again what these points had lost. */
export async function recheckBroken(
  database: Database,
  opened: OpenVaults,
  vault: VaultKey,
  signal?: AbortSignal,
): Promise<VerificationResult> {
  const rows = await database.kysely
    .selectFrom("recovery_points")
    .selectAll()
    .where("vault_key", "=", vault.key)
    .where("problems", "is not", null)
    .execute();
  if (rows.length === 0) return nothingChecked;
  return verifyPoints(database, opened, vault, { points: rows.map(pointFromRow), signal });
}

/** Of the store at `index` so much is done; each store counts the same. */
const percentOf = (done: number, total: number, index: number, stores: number): number =>
  (100 * (index + (total === 0 ? 1 : done / total))) / stores;

function storesOf(opened: OpenVaults): readonly Store[] {
  return opened.hot === undefined ? [opened.vault] : [opened.hot, opened.vault];
}

async function pointsOfVault(reader: Reader, vault: VaultKey): Promise<RecoveryPoint[]> {
  const rows = await reader
    .selectFrom("recovery_points")
    .selectAll()
    .where("vault_key", "=", vault.key)
    .orderBy("taken_at")
    .execute();
  return rows.map(pointFromRow);
}

const mostProblems = 20;

async function note(database: Database, point: RecoveryPoint, problems: readonly string[] | undefined): Promise<void> {
  const verified_at = database.clock.now();
  const text = problems === undefined ? null : JSON.stringify(problems.slice(0, mostProblems));
  const change = { verified_at, problems: text };
  const by = ownDoer(point.jobId);
  if (problems !== undefined && point.problems === undefined) {
    await database.transaction((trx) => changePoint(trx, point.id, change, "point.broken", by));
  } else if (problems === undefined && point.problems !== undefined) {
    await database.transaction((trx) => changePoint(trx, point.id, change, "point.healed", by));
  } else {
    await database.kysely.updateTable("recovery_points").set(change).where("id", "=", point.id).execute();
  }
}
