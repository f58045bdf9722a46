// What belongs to one attempt of one transaction: its clock, what has to run last inside it, what
// has to run once it is durable. Found by the transaction that a caller hands down.

import { AsyncLocalStorage } from "node:async_hooks";
import { sql, type Transaction } from "kysely";
import type { Clock } from "../lib/clock.ts";
import { databaseErrors } from "./errors.ts";
import { noticeChannel } from "./notices.ts";
import type { Tables } from "./schema.ts";

export type DatabaseDialect = "sqlite" | "postgres";

export interface TransactionScope {
  readonly dialect: DatabaseDialect;
  readonly clock: Clock;
  /** Runs as the last thing inside the transaction; a failure rolls everything back. */
  beforeCommit(step: () => Promise<void>): void;
  /** Runs when the transaction is durable; never when it is rolled back or tried again. */
  afterCommit(step: () => void): void;
  /** Wakes whoever listens on the channel, here and in other processes, once it is durable. */
  tell(channel: string): void;
}

const scopes = new WeakMap<object, TransactionScope>();
const current = new AsyncLocalStorage<{ open: boolean }>();

export function scopeOf(trx: Transaction<Tables>): TransactionScope {
  const scope = scopes.get(trx);
  if (scope === undefined) throw databaseErrors.TransactionForeign("This transaction was not opened by a Database.");
  return scope;
}

/** Throws when the caller stands inside a transaction: waiting for another one would never end. */
export function refuseInsideTransaction(what: string): void {
  if (current.getStore()?.open === true) {
    throw databaseErrors.TransactionNested(`A transaction is open here. ${what} would wait for its end.`);
  }
}

/** Runs `work` and its last steps in `trx`; returns with the steps that wait for the commit. */
export async function runScoped<T>(
  trx: Transaction<Tables>,
  dialect: DatabaseDialect,
  clock: Clock,
  ring: (channel: string) => void,
  work: (trx: Transaction<Tables>) => Promise<T>,
): Promise<{ result: T; afterCommit: readonly (() => void)[] }> {
  const last: (() => Promise<void>)[] = [];
  const afterCommit: (() => void)[] = [];
  const channels = new Set<string>();
  scopes.set(trx, {
    dialect,
    clock,
    beforeCommit: (step) => last.push(step),
    afterCommit: (step) => afterCommit.push(step),
    tell: (channel) => channels.add(channel),
  });
  const mark = { open: true };
  try {
    const result = await current.run(mark, async () => {
      const value = await work(trx);
      for (const step of last) await step();
      for (const channel of channels) {
        if (dialect === "postgres") await sql`select pg_notify(${noticeChannel}, ${channel})`.execute(trx);
        afterCommit.push(() => ring(channel));
      }
      return value;
    });
    return { result, afterCommit };
  } finally {
    mark.open = false;
  }
}
