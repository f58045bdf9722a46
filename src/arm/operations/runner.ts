// Carries out long operations: takes rows that nobody works on, under a lease each, and ends them.
// A process that dies leaves its lease to run out; the next holder runs the handler again, so
// handlers are written to be run twice.

import type { Database } from "../../db/database.ts";
import { assertLeaseHeld, leaseErrors, withLease } from "../../db/leases.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { lookWhenWoken } from "../../lib/look-again.ts";
import type { Writer } from "../resources/resource-store.ts";
import { asHoldfastError, endOperation, operationFromRow, type Operation, type Outcome } from "./operation.ts";

export interface OperationWork {
  readonly operation: Operation;
  /** Part of every transaction that a handler makes: no work is committed under a lost lease. */
  readonly assertHeld: (trx: Writer) => Promise<void>;
  /** Aborted when the service ends or the lease is lost: hand the work back by throwing. */
  readonly signal: AbortSignal;
}

/** Returns what the operation's result request answers; throws to fail it. */
export type OperationHandler = (work: OperationWork) => Promise<unknown>;

export interface OperationRunner extends AsyncDisposable {
  register(kind: string, handler: OperationHandler, options?: HandlerOptions): void;
  /** Begins to take work up; fails when rows wait for a kind that nobody registered. */
  start(): Promise<void>;
  /** There may be something to do: called after a transaction that started an operation. */
  wake(): void;
}

export interface HandlerOptions {
  /** It mostly waits for other operations, so it takes no place: those it waits for need them. */
  readonly waitsForOthers?: boolean;
}

export interface RunnerOptions {
  readonly database: Database;
  /** For people to read in the leases. */
  readonly holder: string;
  readonly atOnce: number;
  readonly report: (error: unknown, operation: Operation | undefined) => void;
  /** Runs in the transaction that ends an operation (activity log, events). */
  readonly onEnd?: (trx: Writer, operation: Operation, outcome: Outcome) => Promise<void>;
}

const leaseMilliseconds = 15_000;
const lookAgainMilliseconds = 1000;
/** Rows read in one look; more than ever wait at once. */
const mostWaiting = 1000;

export function createOperationRunner(options: RunnerOptions): OperationRunner {
  const { database } = options;
  const handlers = new Map<string, { readonly handle: OperationHandler; readonly takesPlace: boolean }>();
  const running = new Map<string, { readonly done: Promise<void>; readonly takesPlace: boolean }>();
  const ending = new AbortController();
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    const waiting = await database.kysely
      .selectFrom("operations")
      .selectAll()
      .where("status", "=", "InProgress")
      .orderBy("started_at")
      .limit(mostWaiting)
      .execute();
    for (const row of waiting) {
      if (ending.signal.aborted) return;
      const takesPlace = handlers.get(row.kind)?.takesPlace ?? true;
      const places = [...running.values()].filter((one) => one.takesPlace).length;
      if (running.has(row.operation_id) || (takesPlace && places >= options.atOnce)) continue;
      const operation = operationFromRow(row);
      const done = runOne(operation).finally(() => {
        running.delete(operation.id);
        watcher.wake();
      });
      running.set(operation.id, { done, takesPlace });
    }
  };

  const watcher = lookWhenWoken(look, (error) => options.report(error, undefined), ending.signal);

  const runOne = async (operation: Operation): Promise<void> => {
    const terms = { name: `operation/${operation.id}`, holder: options.holder, milliseconds: leaseMilliseconds };
    try {
      await withLease(
        database,
        terms,
        async (lease, signal) => {
          const handler = handlers.get(operation.kind);
          if (handler === undefined) throw new Error(`no handler for operations of kind ${operation.kind}`);
          const assertHeld = (trx: Writer): Promise<void> => assertLeaseHeld(trx, lease);
          const outcome = await outcomeOf(() => handler.handle({ operation, assertHeld, signal }));
          if (outcome.status !== "Succeeded") {
            // Neither the service's end nor a lost lease is the operation's failure: somebody goes on with it.
            if (signal.aborted || isErrorCode(outcome.error, leaseLostCode)) return;
            if (asHoldfastError(outcome.error).status >= 500) options.report(outcome.error, operation);
          }
          await database.transaction(async (trx) => {
            await assertHeld(trx);
            if (await endOperation(trx, database.clock, operation.id, outcome))
              await options.onEnd?.(trx, operation, outcome);
          });
        },
        ending.signal,
      );
    } catch (error) {
      if (!ending.signal.aborted) options.report(error, operation);
    }
  };

  return {
    register: (kind, handle, { waitsForOthers = false } = {}) => {
      handlers.set(kind, { handle, takesPlace: !waitsForOthers });
    },
    start: async () => {
      const kinds = await database.kysely
        .selectFrom("operations")
        .select("kind")
        .distinct()
        .where("status", "=", "InProgress")
        .execute();
      const orphan = kinds.find(({ kind }) => !handlers.has(kind));
      if (orphan !== undefined)
        throw new Error(`operations of kind ${orphan.kind} wait, but this version does not know them`);
      timer = setInterval(watcher.wake, lookAgainMilliseconds);
      watcher.wake();
    },
    wake: watcher.wake,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      ending.abort(new Error("the service is ending"));
      await watcher.settled();
      await Promise.allSettled([...running.values()].map(({ done }) => done));
    },
  };
}

const leaseLostCode = leaseErrors.LeaseLost("").code;

async function outcomeOf(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { status: "Succeeded", result: await work() };
  } catch (error) {
    return { status: "Failed", error };
  }
}
