// What is due without anybody asking: purges and their reminders, retention, the collection of what no
// point needs, scrub and deep verification. One process of all does it, under a lease. What has its hour
// does not wait for what may read a whole vault: each has rounds of its own.

import type { Database } from "../../db/database.ts";
import { clockWatch, deletionTime } from "../../db/deletion-time.ts";
import { withLease } from "../../db/leases.ts";
import { sleep } from "../../lib/time.ts";
import { collect, defaultLimits } from "../../store/index.ts";
import { openStatuses } from "../jobs/job.ts";
import { openJobsOf } from "../jobs/read-jobs.ts";
import { retainItem } from "../points/retain-item.ts";
import { sweepPoints } from "../points/sweep.ts";
import { openVaultStore } from "../points/tiers.ts";
import { ownDoer, tellOfItem } from "../protection/item-events.ts";
import { itemFromRow, listItems } from "../protection/item.ts";
import { owedTransfers, resendOwed } from "../run/transfer.ts";
import { purgeItem } from "../soft-delete/purge-item.ts";
import { vaultStore } from "../stores/store-name.ts";
import type { OpenVaults, Stores } from "../stores/stores.ts";
import { findVault, listVaults, type Vault, type Writer } from "../vaults/vaults.ts";
import { scrubVault, verifyPoints } from "../verification/verify-vault.ts";

export interface CaretakerParts {
  readonly database: Database;
  readonly stores: Stores;
  readonly holder: string;
  readonly report: (error: unknown) => void;
  /** A clock that a test moves is believed. */
  readonly watchesClock?: boolean;
}

const roundMilliseconds = 2000;
const clockMilliseconds = 60_000;
const leaseMilliseconds = 30_000;
const dayMilliseconds = 86_400_000;
const transferEveryDays = 1 / 24;
/** Azure reminds on day 12 of 14. */
const reminderMilliseconds = 2 * dayMilliseconds;

type Round = (parts: CaretakerParts, signal?: AbortSignal) => Promise<void>;

/** Works until `signal`. */
export async function runCaretaker(parts: CaretakerParts, signal: AbortSignal): Promise<void> {
  await Promise.all([
    keepCaring(parts, "backup-care", promptRound, signal),
    keepCaring(parts, "backup-upkeep", upkeepRound, signal),
    ...(parts.watchesClock === true
      ? [keepCaring(parts, "backup-clock", clockWatch(parts.database, parts.report), signal, clockMilliseconds)]
      : []),
  ]);
}

async function keepCaring(
  parts: CaretakerParts,
  name: string,
  round: Round,
  signal: AbortSignal,
  pause = roundMilliseconds,
): Promise<void> {
  const terms = { name, milliseconds: leaseMilliseconds, holder: parts.holder };
  while (!signal.aborted) {
    try {
      await withLease(parts.database, terms, (_lease, held) => round(parts, held), signal);
    } catch (error) {
      if (!signal.aborted) parts.report(error);
    }
    await sleep(pause, signal).catch(() => {});
  }
}

/** One round of each: what is due now is done, the rest is left alone. */
export const careRound: Round = async (parts, signal) => {
  await promptRound(parts, signal);
  await upkeepRound(parts, signal);
};

const promptRound: Round = async (parts, signal) => {
  await purgeDue(parts, signal);
  await remindOfPurges(parts.database);
  await careForVaults(parts, promptCares, signal);
};

const upkeepRound: Round = (parts, signal) => careForVaults(parts, upkeepCares, signal);

async function careForVaults(parts: CaretakerParts, cares: CaresOf, signal: AbortSignal | undefined): Promise<void> {
  for (const { key } of await listVaults(parts.database.kysely)) {
    signal?.throwIfAborted();
    // As it is set now: those before it may have taken hours.
    const vault = await findVault(parts.database.kysely, key);
    if (vault === undefined || (await parts.stores.find(vaultStore(vault.guid))) === undefined) continue;
    try {
      await careForVault(parts, vault, cares(parts, vault, signal));
    } catch (error) {
      signal?.throwIfAborted();
      // One vault that cannot be reached must not keep the others waiting.
      parts.report(error);
    }
  }
}

/** Its name, how many days lie between two, and what is done. */
type Care = readonly [string, number, (opened: OpenVaults) => Promise<unknown>];
type CaresOf = (parts: CaretakerParts, vault: Vault, signal: AbortSignal | undefined) => readonly Care[];

const promptCares: CaresOf = (parts, vault, signal) => [
  ["transfer", transferEveryDays, (opened) => transferOwed(parts, opened, vault, signal)],
];

/** One after the other: what is looked at does not go away meanwhile. */
const upkeepCares: CaresOf = (parts, vault, signal) => {
  const { scrubEveryDays, deepVerifyEveryDays } = vault.settings.verification;
  return [
    ["retention", 1, (opened) => retainVault(parts, opened, vault, signal)],
    ["collect", 1, (opened) => collectVault(opened, vault, signal)],
    ["scrub", scrubEveryDays, (opened) => scrubVault(parts.database, opened, vault, { signal })],
    ["verify", deepVerifyEveryDays, (opened) => verifyPoints(parts.database, opened, vault, { signal })],
  ];
};

async function careForVault(parts: CaretakerParts, vault: Vault, cares: readonly Care[]): Promise<void> {
  const { database } = parts;
  const done = await lastCares(database, vault);
  for (const [care, everyDays, work] of cares) {
    const now = database.clock.now();
    // A vault begins with nothing to look after.
    const last = done.get(care) ?? vault.createdAt;
    // A clock that was set back waits for no time to return.
    if (last > now) {
      await noteCare(database, vault, care, now);
      continue;
    }
    if (everyDays === 0 || now - last < everyDays * dayMilliseconds) continue;
    // Noted first: what fails each time must not be begun again each round.
    await noteCare(database, vault, care, now);
    await using opened = await openVaultStore(parts.stores, vault);
    await work(opened);
  }
}

/** What a backup could not send; the one that runs now sends its own. */
async function transferOwed(
  { database, report }: CaretakerParts,
  opened: OpenVaults,
  vault: Vault,
  signal: AbortSignal | undefined,
): Promise<void> {
  const open = await openBackups(database, vault);
  const owed = (await owedTransfers(database, vault)).filter(({ itemKey }) => !open.has(itemKey));
  await resendOwed(database, opened, owed, report, signal === undefined ? {} : { signal });
}

async function openBackups(database: Database, vault: Vault): Promise<ReadonlySet<string | null>> {
  const rows = await database.kysely
    .selectFrom("jobs")
    .select("item_key")
    .where("vault_key", "=", vault.key)
    .where("operation", "=", "Backup")
    .where("status", "in", openStatuses)
    .execute();
  return new Set(rows.map(({ item_key }) => item_key));
}

async function retainVault(
  { database }: CaretakerParts,
  opened: OpenVaults,
  vault: Vault,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const { key } of await listItems(database.kysely, vault)) await retainItem(database, opened, key, signal);
  await sweepPoints(database, opened, vault, signal);
}

async function collectVault(opened: OpenVaults, vault: Vault, signal: AbortSignal | undefined): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  const isSoft = vault.settings.softDelete.state !== "Disabled";
  const windowMilliseconds = isSoft ? defaultLimits.windowMilliseconds : dayMilliseconds;
  await collect(opened.vault, { ...options, limits: { ...defaultLimits, windowMilliseconds } });
  // The vault has what leaves the snapshot tier.
  if (opened.hot !== undefined)
    await collect(opened.hot, { ...options, limits: { ...defaultLimits, windowMilliseconds: dayMilliseconds } });
}

async function purgeDue(parts: CaretakerParts, signal: AbortSignal | undefined): Promise<void> {
  const { database } = parts;
  const rows = await database.kysely
    .selectFrom("protected_items")
    .selectAll()
    .where("purge_at", "<=", await deletionTime(database.kysely, database.clock))
    .execute();
  for (const item of rows.map(itemFromRow)) {
    // The job of the deletion itself does it, where nothing is kept.
    if ((await openJobsOf(database.kysely, item.key)).length > 0) continue;
    const vault = await findVault(database.kysely, item.vaultKey);
    try {
      await purgeItem(parts, vault, item, ownDoer(item.itemId), signal);
    } catch (error) {
      signal?.throwIfAborted();
      parts.report(error);
    }
  }
}

async function remindOfPurges(database: Database): Promise<void> {
  const now = database.clock.now();
  const rows = await database.kysely
    .selectFrom("protected_items")
    .selectAll()
    .where("purge_at", "<=", now + reminderMilliseconds)
    .where("purge_at", ">", now)
    .execute();
  for (const item of rows.map(itemFromRow)) {
    // A further deletion of the same item reminds again.
    const care = `purge-reminder/${item.itemId}/${item.deletion?.at ?? 0}`;
    await database.transaction(async (trx) => {
      if (!(await noteOnce(trx, item.vaultKey, care, now))) return;
      tellOfItem(trx, "item.purge-upcoming", item, ownDoer(item.itemId));
    });
  }
}

async function noteOnce(trx: Writer, vaultKey: string, care: string, now: number): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto("vault_care")
    .values({ vault_key: vaultKey, care, last_at: now })
    .onConflict((conflict) => conflict.columns(["vault_key", "care"]).doNothing())
    .executeTakeFirstOrThrow();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

async function lastCares(database: Database, vault: Vault): Promise<ReadonlyMap<string, number>> {
  const rows = await database.kysely
    .selectFrom("vault_care")
    .select(["care", "last_at"])
    .where("vault_key", "=", vault.key)
    .execute();
  return new Map(rows.map(({ care, last_at }) => [care, last_at]));
}

async function noteCare(database: Database, vault: Vault, care: string, now: number): Promise<void> {
  await database.kysely
    .insertInto("vault_care")
    .values({ vault_key: vault.key, care, last_at: now })
    .onConflict((conflict) => conflict.columns(["vault_key", "care"]).doUpdateSet({ last_at: now }))
    .execute();
}
