// What was stored is looked at again: scrub compares every object with its name, deep verification opens
// every byte that the points need. A point that cannot be restored is never shown as good; when a later
// backup has stored again what was lost, the next look says so.

import type { Database } from "../../db/database.ts";
import { parsePointName, scrub, verify, type Vault as Store } from "../../store/index.ts";
import { pointFromRow, type RecoveryPoint } from "../points/point.ts";
import { changePoint } from "../points/record-point.ts";
import { storeOfPoint } from "../points/tiers.ts";
import { ownDoer } from "../protection/item-events.ts";
import type { OpenVaults } from "../stores/stores.ts";
import type { Reader, Vault } from "../vaults/vaults.ts";

export interface VerificationResult {
  readonly checked: number;
  readonly broken: readonly string[];
  readonly healed: readonly string[];
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

/** Opens everything that the points need. */
export async function verifyPoints(
  database: Database,
  opened: OpenVaults,
  vault: VaultKey,
  { points, onPercent, signal }: VerificationTerms = {},
): Promise<VerificationResult> {
  const wanted = points ?? (await pointsOfVault(database.kysely, vault));
  const broken: string[] = [];
  const healed: string[] = [];
  const stores = storesOf(opened);
  for (const [index, store] of stores.entries()) {
    const here = wanted.filter((point) => storeOfPoint(opened, { ...point, problems: undefined }) === store);
    if (here.length === 0) continue;
    const names = here.map(({ storePoint }) => parsePointName(storePoint));
    const outcome = await verify(store, {
      points: names,
      onProgress: ({ blobs, totalBlobs }) => onPercent?.(percentOf(blobs, totalBlobs, index, stores.length)),
      ...(signal === undefined ? {} : { signal }),
    });
    const problems = new Map(outcome.broken.map(({ name, problems }) => [name, problems]));
    for (const point of here) {
      const found = problems.get(point.storePoint);
      await note(database, point, found);
      if (found !== undefined) broken.push(point.id);
      else if (point.problems !== undefined) healed.push(point.id);
    }
  }
  return { checked: wanted.length, broken, healed };
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
  if (damaged.length === 0) return { checked: 0, broken: [], healed: [], damaged };
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
  if (rows.length === 0) return { checked: 0, broken: [], healed: [] };
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
