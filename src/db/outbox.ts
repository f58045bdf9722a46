// What is to happen outside the database because of what happened in it. A message is written in the
// transaction of its cause, so neither is there without the other; it is handed over at least once,
// and its key makes sure that it is written once.

import type { Transaction } from "kysely";
import { newGuid } from "../lib/random.ts";
import type { Database } from "./database.ts";
import type { Tables } from "./schema.ts";
import { scopeOf } from "./transaction.ts";

export interface NewMessage {
  readonly topic: string;
  /** Two messages with the same topic and key are one. */
  readonly key: string;
  readonly body: unknown;
  /** Not before; at once when absent. */
  readonly dueAt?: number;
}

/** Returns false when a message with that key is there already. */
export async function postMessage(trx: Transaction<Tables>, message: NewMessage): Promise<boolean> {
  const scope = scopeOf(trx);
  const now = scope.clock.now();
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto("outbox")
    .values({
      id: newGuid(),
      topic: message.topic,
      dedup_key: message.key,
      body: JSON.stringify(message.body),
      state: "waiting",
      attempts: 0,
      due_at: message.dueAt ?? now,
      last_error: null,
      created_at: now,
      ended_at: null,
    })
    .onConflict((conflict) => conflict.columns(["topic", "dedup_key"]).doNothing())
    .executeTakeFirstOrThrow();
  scope.tell(outboxChannel(message.topic));
  return numInsertedOrUpdatedRows === 1n;
}

export interface DeadMessage {
  readonly id: string;
  readonly topic: string;
  readonly key: string;
  readonly attempts: number;
  readonly lastError: string;
  readonly createdAt: number;
  readonly gaveUpAt: number;
}

/** What was given up, the newest first. */
export async function listDeadMessages(database: Database, topic: string, limit: number): Promise<DeadMessage[]> {
  const rows = await database.kysely
    .selectFrom("outbox")
    .select(["id", "topic", "dedup_key", "attempts", "last_error", "created_at", "ended_at"])
    .where("topic", "=", topic)
    .where("state", "=", "dead")
    .orderBy("ended_at", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    topic: row.topic,
    key: row.dedup_key,
    attempts: row.attempts,
    lastError: row.last_error ?? "",
    createdAt: row.created_at,
    gaveUpAt: row.ended_at ?? row.created_at,
  }));
}

/** Gives a dead message a new life; false when there is none with that id. */
export async function reviveMessage(trx: Transaction<Tables>, id: string): Promise<boolean> {
  const scope = scopeOf(trx);
  const revived = await trx
    .updateTable("outbox")
    .set({ state: "waiting", attempts: 0, due_at: scope.clock.now(), ended_at: null })
    .where("id", "=", id)
    .where("state", "=", "dead")
    .returning("topic")
    .executeTakeFirst();
  if (revived === undefined) return false;
  scope.tell(outboxChannel(revived.topic));
  return true;
}

/** Forgets what ended before `endedBefore`: from then on the same key counts as new. */
export async function purgeMessages(database: Database, endedBefore: number): Promise<number> {
  const { numDeletedRows } = await database.kysely
    .deleteFrom("outbox")
    .where("state", "in", ["delivered", "dead"])
    .where("ended_at", "<", endedBefore)
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

export function outboxChannel(topic: string): string {
  return `outbox/${topic}`;
}
