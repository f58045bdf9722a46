// A named subscriber gets every event once it is committed, in order, at least once, over restarts
// and in whichever process holds its lease. `apply` does its work in the transaction that moves the
// cursor, so its effects happen exactly once; `deliver` works outside, then the cursor moves.

import type { Transaction } from "kysely";
import type { Database } from "../db/database.ts";
import { openDoorbell, type Doorbell } from "../db/doorbell.ts";
import { assertLeaseHeld, withLease, type Lease } from "../db/leases.ts";
import type { Tables } from "../db/schema.ts";
import { isErrorCode } from "../lib/errors.ts";
import { sleep } from "../lib/time.ts";
import { eventErrors } from "./errors.ts";
import { eventsChannel, type StoredEvent } from "./event.ts";
import { newestPosition, readEvents, type EventPage } from "./read.ts";

export interface Subscriber {
  /** Names the cursor; never reuse one for something else. */
  readonly name: string;
  /** The data folder's node id: its next process can go on at once (`endLeasesOf`). */
  readonly holder: string;
  /** Where a new subscriber begins. */
  readonly from: "beginning" | "now";
  /** Chooses; all when absent. */
  readonly types?: readonly string[];
  readonly handle: Handler;
  /** Hears of every failure; the same events are tried again after a while, one at a time. */
  report(error: unknown, event: StoredEvent | undefined): void;
}

export type Handler =
  | { readonly apply: (trx: Transaction<Tables>, events: readonly StoredEvent[]) => Promise<void> }
  | { readonly deliver: (events: readonly StoredEvent[], signal: AbortSignal) => Promise<void> };

const pageSize = 200;
const leaseMilliseconds = 15_000;
/** Events wake us; this is for the ring that got lost. */
const lookAgainMilliseconds = 1_000;
const firstRetryMilliseconds = 50;
const maxRetryMilliseconds = 30_000;
const passedOver = 100;

/** Makes the subscriber known, so that events are kept for it from now on. */
export async function registerSubscriber(
  database: Database,
  { name, from }: Pick<Subscriber, "name" | "from">,
): Promise<void> {
  const known = await database.kysely
    .selectFrom("event_subscribers")
    .select("name")
    .where("name", "=", name)
    .executeTakeFirst();
  if (known !== undefined) return;
  const position = from === "now" ? await newestPosition(database) : 0;
  await database.kysely
    .insertInto("event_subscribers")
    .values({ name, position, updated_at: database.clock.now() })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .execute();
}

/** Forgets the subscriber and its cursor, so that it holds up retention no longer. */
export async function dropSubscriber(database: Database, name: string): Promise<void> {
  await database.kysely.deleteFrom("event_subscribers").where("name", "=", name).execute();
}

/** Works until `signal`. */
export async function runSubscriber(database: Database, subscriber: Subscriber, signal: AbortSignal): Promise<void> {
  using doorbell = openDoorbell(database.notices, eventsChannel);
  const terms = {
    name: `subscriber/${subscriber.name}`,
    milliseconds: leaseMilliseconds,
    holder: subscriber.holder,
  };
  while (!signal.aborted) {
    try {
      await withLease(
        database,
        terms,
        (lease, held) => follow({ database, subscriber, lease, doorbell, signal: held }),
        signal,
      );
    } catch (error) {
      if (!signal.aborted) subscriber.report(error, undefined);
    }
    await doorbell.wait(lookAgainMilliseconds, signal);
  }
}

interface Following {
  readonly database: Database;
  readonly subscriber: Subscriber;
  readonly lease: Lease;
  readonly doorbell: Doorbell;
  readonly signal: AbortSignal;
}

async function follow(following: Following): Promise<void> {
  const { database, subscriber, doorbell, signal } = following;
  let cursor: Cursor | undefined;
  let failures = 0;
  /** A page that failed is gone through one by one, to find out which event it was. */
  let suspectThrough = 0;
  while (!signal.aborted) {
    let page: EventPage | undefined;
    try {
      cursor ??= await readCursor(following);
      const limit = cursor.position < suspectThrough ? 1 : pageSize;
      page = await readEvents(database, cursor.position, limit, subscriber.types);
      if (page.position === cursor.position) {
        await doorbell.wait(lookAgainMilliseconds, signal);
        continue;
      }
      const isForOthers = page.events.length === 0 && page.position - cursor.stored < passedOver;
      if (!isForOthers) await consume(following, cursor.stored, page);
      cursor = { position: page.position, stored: isForOthers ? cursor.stored : page.position };
      failures = 0;
    } catch (error) {
      if (signal.aborted || isErrorCode(error, "LeaseLost")) return;
      subscriber.report(error, page?.events[0]);
      await pause(Math.min(maxRetryMilliseconds, firstRetryMilliseconds * 2 ** failures), signal);
      failures += 1;
      suspectThrough = Math.max(suspectThrough, page?.position ?? 0);
      cursor = undefined;
    }
  }
}

interface Cursor {
  /** How far we have read. */
  readonly position: number;
  /** What the database says. What others are told is passed over in memory: a write each would cost a commit. */
  readonly stored: number;
}

async function consume(
  { database, subscriber, lease, signal }: Following,
  stored: number,
  page: EventPage,
): Promise<void> {
  // Stopped while we read: a handler that waits for the signal would wait for ever.
  signal.throwIfAborted();
  const { handle } = subscriber;
  if ("deliver" in handle && page.events.length > 0) await handle.deliver(page.events, signal);
  await database.transaction(async (trx) => {
    await assertLeaseHeld(trx, lease);
    if ("apply" in handle && page.events.length > 0) await handle.apply(trx, page.events);
    const { numUpdatedRows } = await trx
      .updateTable("event_subscribers")
      .set({ position: page.position, updated_at: database.clock.now() })
      .where("name", "=", subscriber.name)
      .where("position", "=", stored)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) {
      throw eventErrors.CursorMoved(`The cursor of ${subscriber.name} is no longer at ${stored}.`);
    }
  });
}

async function readCursor({ database, subscriber }: Following): Promise<Cursor> {
  await registerSubscriber(database, subscriber);
  const { position } = await database.kysely
    .selectFrom("event_subscribers")
    .select("position")
    .where("name", "=", subscriber.name)
    .executeTakeFirstOrThrow();
  return { position, stored: position };
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, signal).catch(() => {});
}
