// Who may work on a thing, until when. Every new holder gets a higher fence number, so that a holder
// who slept through the end of its lease is told apart from the present one. Work done under a lease
// is committed only in a transaction that calls `assertLeaseHeld`.

import type { Kysely, Transaction } from "kysely";
import { monotonicMilliseconds } from "../lib/clock.ts";
import { defineErrors, isErrorCode } from "../lib/errors.ts";
import { newGuid } from "../lib/random.ts";
import { sleep, withDeadline } from "../lib/time.ts";
import type { Database } from "./database.ts";
import type { Tables } from "./schema.ts";
import { scopeOf } from "./transaction.ts";

export const leaseErrors = defineErrors({
  LeaseLost: { status: 409, remedy: "Stop this work; whoever holds the lease now goes on with it." },
});

export interface Lease {
  readonly name: string;
  readonly holder: string;
  readonly fence: number;
}

/** Undefined while somebody else holds it. `holder` is for people to read. */
export async function acquireLease(
  database: Database,
  name: string,
  holder: string,
  milliseconds: number,
): Promise<Lease | undefined> {
  const now = database.clock.now();
  // Most who ask in vain ask again and again: they shall cost no transaction.
  if (isTaken(await findLease(database.kysely, name), now)) return undefined;
  return database.transaction(async (trx) => {
    const found = await findLease(trx, name);
    if (isTaken(found, now)) return undefined;
    const fence = (found?.fence ?? 0) + 1;
    const row = { holder, fence, acquired_at: now, expires_at: now + milliseconds };
    await trx
      .insertInto("leases")
      .values({ name, ...row })
      .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
      .execute();
    return { name, holder, fence };
  });
}

interface LeaseState {
  readonly fence: number;
  readonly expires_at: number;
}

function findLease(reader: Kysely<Tables>, name: string): Promise<LeaseState | undefined> {
  return reader.selectFrom("leases").select(["fence", "expires_at"]).where("name", "=", name).executeTakeFirst();
}

function isTaken(lease: LeaseState | undefined, now: number): boolean {
  return lease !== undefined && lease.expires_at > now;
}

/** Moves the end. An expired lease that nobody took since may be renewed: a clock can jump. */
export async function renewLease(database: Database, lease: Lease, milliseconds: number): Promise<void> {
  const { numUpdatedRows } = await database.kysely
    .updateTable("leases")
    .set({ expires_at: database.clock.now() + milliseconds })
    .where("name", "=", lease.name)
    .where("fence", "=", lease.fence)
    .where("expires_at", ">", 0)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) throw lost(lease);
}

/** Lets the next one in at once; does nothing when the lease was lost before. */
export async function releaseLease(database: Database, lease: Lease): Promise<void> {
  await database.kysely
    .updateTable("leases")
    .set({ expires_at: 0 })
    .where("name", "=", lease.name)
    .where("fence", "=", lease.fence)
    .execute();
}

/**
 * Makes `trx` fail unless the lease is held until its very end: the row is locked against a
 * take-over, and the time is looked at once more before the commit.
 */
export async function assertLeaseHeld(trx: Transaction<Tables>, lease: Lease): Promise<void> {
  const { dialect, clock, beforeCommit } = scopeOf(trx);
  const row = trx.selectFrom("leases").select(["fence", "expires_at"]).where("name", "=", lease.name);
  const found = await (dialect === "postgres" ? row.forShare() : row).executeTakeFirst();
  const assertInTime = (): void => {
    if (found === undefined || found.fence !== lease.fence || found.expires_at <= clock.now()) throw lost(lease);
  };
  assertInTime();
  beforeCommit(async () => assertInTime());
}

/**
 * Ends the leases that were taken under this holder's name. Only for a process that has just taken a data
 * folder for itself (`holdDataFolder`): what its predecessor on that folder held, nobody works on.
 */
export async function endLeasesOf(database: Database, holder: string): Promise<void> {
  await database.kysely
    .updateTable("leases")
    .set({ expires_at: 0 })
    // The name itself, or the name and a space: "!" is the character after the space.
    .where("holder", ">=", holder)
    .where("holder", "<", `${holder}!`)
    .execute();
}

export interface LeaseTerms {
  readonly name: string;
  readonly milliseconds: number;
  /** For people to read, beside a number that makes it unique. */
  readonly holder: string;
}

/**
 * Does `work` under a lease that is renewed in time; its signal is aborted when the lease is lost.
 * Returns undefined without having worked while somebody else holds the lease.
 */
export async function withLease<T>(
  database: Database,
  terms: LeaseTerms,
  work: (lease: Lease, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<{ readonly result: T } | undefined> {
  const lease = await acquireLease(database, terms.name, `${terms.holder} ${newGuid()}`, terms.milliseconds);
  if (lease === undefined) return undefined;
  const ended = new AbortController();
  const stolen = new AbortController();
  const renewing = keepRenewed(database, lease, terms.milliseconds, ended.signal).catch((error: unknown) => {
    stolen.abort(error);
  });
  try {
    return { result: await work(lease, AbortSignal.any([signal, stolen.signal])) };
  } finally {
    ended.abort();
    await renewing;
    // A lease that cannot be given back runs out by itself; how the work ended is what counts.
    await inTime(terms.milliseconds, lease, () => releaseLease(database, lease)).catch(() => {});
  }
}

/** Milliseconds that a database may take under load, however short a lease is. */
const quickestAnswer = 500;

/** Throws when the lease is lost, or could not be renewed for as long as it lasts. */
async function keepRenewed(database: Database, lease: Lease, milliseconds: number, ended: AbortSignal): Promise<void> {
  let renewedAt = monotonicMilliseconds();
  let pause = milliseconds / 3;
  while (await sleptThrough(pause, ended)) {
    const askedAt = monotonicMilliseconds();
    try {
      // A database that does not answer must not keep the end of the lease from whoever works under it.
      await inTime(milliseconds, lease, () => renewLease(database, lease, milliseconds));
      renewedAt = askedAt;
      pause = milliseconds / 3;
    } catch (error) {
      if (isErrorCode(error, "LeaseLost") || askedAt - renewedAt > milliseconds) throw error;
      pause = milliseconds / 30;
    }
  }
}

function inTime(milliseconds: number, lease: Lease, ask: () => Promise<void>): Promise<void> {
  return withDeadline(Math.max(milliseconds, quickestAnswer), ask, () => lost(lease));
}

async function sleptThrough(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return sleep(milliseconds, signal).then(
    () => true,
    () => false,
  );
}

function lost(lease: Lease): Error {
  return leaseErrors.LeaseLost(`The lease ${lease.name} (number ${lease.fence}) of ${lease.holder} is lost or over.`);
}
