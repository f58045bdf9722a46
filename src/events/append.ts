// Readers follow a cursor, so an event must never become visible behind one that was visible before.
// SQLite has one writer; on PostgreSQL writers take their numbers under a lock that they keep until
// their commit is visible. So that nobody waits longer than a commit takes, events are kept in the
// transaction's scope and written as its last step.

import { sql, type Transaction } from "kysely";
import type { Tables } from "../db/schema.ts";
import { scopeOf, type TransactionScope } from "../db/transaction.ts";
import { newGuid } from "../lib/random.ts";
import { eventErrors } from "./errors.ts";
import { eventsChannel, type NewEvent } from "./event.ts";

/** Bounds what a page of events takes in memory. */
const maxDataLength = 256 * 1024;

type UnnumberedRow = Omit<Tables["events"], "position">;

const pending = new WeakMap<Transaction<Tables>, UnnumberedRow[]>();

/** Commits with `trx`; within it, it is not yet to be read. Returns the event's id. */
export function appendEvent(trx: Transaction<Tables>, event: NewEvent): string {
  const scope = scopeOf(trx);
  const row = toRow(event, scope.clock.now());
  const rows = pending.get(trx);
  if (rows !== undefined) rows.push(row);
  else {
    pending.set(trx, [row]);
    scope.beforeCommit(() => write(trx, scope));
  }
  return row.id;
}

async function write(trx: Transaction<Tables>, scope: TransactionScope): Promise<void> {
  const rows = pending.get(trx) ?? [];
  pending.delete(trx);
  const positions = await takePositions(trx, scope, rows.length);
  const numbered = rows.map((row, index) => ({ ...row, position: positions[index] ?? Number.NaN }));
  // SQLite allows 32,766 parameters in a statement.
  for (let start = 0; start < numbered.length; start += 1_000) {
    await trx
      .insertInto("events")
      .values(numbered.slice(start, start + 1_000))
      .execute();
  }
  scope.tell(eventsChannel);
}

/** Any number that no other advisory lock in the same PostgreSQL database uses. */
const eventOrderLock = 4_827_190_332;

async function takePositions(trx: Transaction<Tables>, scope: TransactionScope, count: number): Promise<number[]> {
  if (scope.dialect === "sqlite") {
    const { last } = await trx
      .selectFrom("events")
      .select(({ fn }) => fn.coalesce(fn.max("position"), sql<number>`0`).as("last"))
      .executeTakeFirstOrThrow();
    return Array.from({ length: count }, (_, index) => last + 1 + index);
  }
  await sql`select pg_advisory_xact_lock(${eventOrderLock})`.execute(trx);
  const { rows } = await sql<{ position: number }>`
    select nextval('event_position') as position from generate_series(1, ${count})
  `.execute(trx);
  return rows.map(({ position }) => position);
}

function toRow(event: NewEvent, now: number): UnnumberedRow {
  const data = JSON.stringify(event.data ?? null);
  if (data.length > maxDataLength) {
    throw eventErrors.EventTooLarge(
      `The event ${event.type} of ${event.subject} holds ${data.length} characters of data; the most is ${maxDataLength}.`,
    );
  }
  return {
    id: newGuid(),
    type: event.type,
    subject: event.subject,
    subjects: JSON.stringify(event.subjects ?? []),
    data,
    correlation_id: event.correlationId,
    actor: event.actor,
    occurred_at: now,
  };
}
