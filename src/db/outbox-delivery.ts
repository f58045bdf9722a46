// Hands the messages of one topic over. An attempt is claimed by moving `due_at` to when it counts as
// lost; a process that dies in the middle is thereby followed by another attempt.

import { HoldfastError } from "../lib/errors.ts";
import { randomBelow } from "../lib/random.ts";
import type { Database } from "./database.ts";
import { openDoorbell } from "./doorbell.ts";
import { outboxChannel } from "./outbox.ts";

export interface OutboxMessage {
  readonly id: string;
  readonly key: string;
  readonly body: unknown;
  /** 1 for the first. */
  readonly attempt: number;
}

export interface DeliveryTerms {
  readonly topic: string;
  /** Hands over; throws to have it tried again. May see a message twice: `id` is the same then. */
  deliver(message: OutboxMessage, signal: AbortSignal): Promise<void>;
  readonly concurrency: number;
  readonly maxAttempts: number;
  readonly firstDelayMilliseconds: number;
  readonly maxDelayMilliseconds: number;
  /** An attempt that takes longer is ended and counts as failed. */
  readonly attemptMilliseconds: number;
  /** Hears of failures of the database itself. */
  report(error: unknown): void;
}

const lookAgainMilliseconds = 1_000;

/** Works until `signal`; what was claimed is finished or given back first. */
export async function deliverOutbox(database: Database, terms: DeliveryTerms, signal: AbortSignal): Promise<void> {
  using doorbell = openDoorbell(database.notices, outboxChannel(terms.topic));
  const running = new Set<Promise<void>>();
  while (!signal.aborted) {
    try {
      for (const message of await claim(database, terms, terms.concurrency - running.size)) {
        const attempt = attemptDelivery(database, terms, message, signal)
          .catch(terms.report)
          .finally(() => {
            running.delete(attempt);
            doorbell.ring();
          });
        running.add(attempt);
      }
    } catch (error) {
      terms.report(error);
    }
    await doorbell.wait(lookAgainMilliseconds, signal);
  }
  await Promise.all(running);
}

async function claim(database: Database, terms: DeliveryTerms, room: number): Promise<OutboxMessage[]> {
  if (room <= 0) return [];
  const now = database.clock.now();
  const due = database.kysely
    .selectFrom("outbox")
    .select("id")
    .where("topic", "=", terms.topic)
    .where("state", "=", "waiting")
    .where("due_at", "<=", now)
    .orderBy("due_at")
    .orderBy("id")
    .limit(room);
  if ((await due.execute()).length === 0) return [];
  return database.transaction(async (trx) => {
    const chosen = await trx
      .selectFrom("outbox")
      .select(["id", "dedup_key", "body", "attempts"])
      .where("id", "in", due)
      .orderBy("due_at")
      .execute();
    if (chosen.length === 0) return [];
    await trx
      .updateTable("outbox")
      .set((row) => ({ attempts: row("attempts", "+", 1), due_at: now + 2 * terms.attemptMilliseconds }))
      .where(
        "id",
        "in",
        chosen.map(({ id }) => id),
      )
      .execute();
    return chosen.map((row) => ({
      id: row.id,
      key: row.dedup_key,
      body: JSON.parse(row.body) as unknown,
      attempt: row.attempts + 1,
    }));
  });
}

async function attemptDelivery(
  database: Database,
  terms: DeliveryTerms,
  message: OutboxMessage,
  signal: AbortSignal,
): Promise<void> {
  const giveBack = (): Promise<void> =>
    settle(database, message, { attempts: message.attempt - 1, due_at: database.clock.now() });
  // A claim may end just after the signal; nobody listens to a signal that is aborted already.
  if (signal.aborted) return giveBack();
  try {
    const late = AbortSignal.timeout(terms.attemptMilliseconds);
    await terms.deliver(message, AbortSignal.any([signal, late]));
  } catch (error) {
    // Stopped by us, not refused by the receiver: the attempt does not count.
    if (signal.aborted) return giveBack();
    return settle(database, message, failed(database.clock.now(), terms, message, error));
  }
  await settle(database, message, { state: "delivered", ended_at: database.clock.now(), last_error: null });
}

function failed(now: number, terms: DeliveryTerms, message: OutboxMessage, error: unknown): Outcome {
  const last_error = describe(error);
  if (message.attempt >= terms.maxAttempts) return { state: "dead", ended_at: now, last_error };
  const ceiling = Math.min(terms.maxDelayMilliseconds, terms.firstDelayMilliseconds * 2 ** (message.attempt - 1));
  // Whole milliseconds: the column takes no others.
  const half = Math.ceil(ceiling / 2);
  return { due_at: now + half + randomBelow(half), last_error };
}

interface Outcome {
  readonly state?: "delivered" | "dead";
  readonly attempts?: number;
  readonly due_at?: number;
  readonly ended_at?: number;
  readonly last_error?: string | null;
}

/** Only the latest attempt may say how it ended. */
async function settle(database: Database, message: OutboxMessage, outcome: Outcome): Promise<void> {
  await database.kysely
    .updateTable("outbox")
    .set(outcome)
    .where("id", "=", message.id)
    .where("state", "=", "waiting")
    .where("attempts", "=", message.attempt)
    .execute();
}

function describe(error: unknown): string {
  const text = error instanceof HoldfastError ? `${error.code}: ${error.message}` : String(error);
  return text.slice(0, 1_000);
}
