// A long operation is a row: it outlives the request, the process and the machine that began it.

import type { OperationRow } from "../../db/schema/arm.ts";
import { isoTime, unsetTime, type Clock } from "../../lib/clock.ts";
import { HoldfastError } from "../../lib/errors.ts";
import { newGuid } from "../../lib/random.ts";
import { renderError, type WireError } from "../error-body.ts";
import { armErrors } from "../errors.ts";
import type { Caller } from "../request.ts";
import type { Reader, Writer } from "../resources/resource-store.ts";

export type OperationStatus = "InProgress" | "Succeeded" | "Failed" | "Canceled";

export interface Operation<Input = unknown> {
  readonly id: string;
  readonly kind: string;
  readonly subscriptionId: string;
  readonly resourceId: string;
  readonly status: OperationStatus;
  readonly input: Input;
  readonly result: unknown;
  readonly error: WireError | undefined;
  readonly percent: number;
  readonly caller: Caller;
  readonly correlationId: string;
  readonly cancelRequested: boolean;
  readonly startedAt: number;
  readonly endedAt: number | undefined;
}

export interface OperationDraft {
  readonly kind: string;
  readonly subscriptionId: string;
  readonly resourceId: string;
  readonly input: object;
  readonly caller: Caller;
  readonly correlationId: string;
}

/** Writes the row in the caller's transaction; the runner takes it up once that is committed. */
export async function startOperation(trx: Writer, clock: Clock, draft: OperationDraft): Promise<string> {
  const operationId = newGuid();
  await trx
    .insertInto("operations")
    .values({
      operation_id: operationId,
      kind: draft.kind,
      subscription_key: draft.subscriptionId.toLowerCase(),
      resource_id: draft.resourceId,
      status: "InProgress",
      input: JSON.stringify(draft.input),
      result: null,
      error: null,
      percent: 0,
      caller: JSON.stringify(draft.caller),
      correlation_id: draft.correlationId,
      cancel_requested: 0,
      started_at: clock.now(),
      ended_at: null,
    })
    .execute();
  return operationId;
}

export async function getOperation(reader: Reader, operationId: string): Promise<Operation> {
  const row = await reader
    .selectFrom("operations")
    .selectAll()
    .where("operation_id", "=", operationId.toLowerCase())
    .executeTakeFirst();
  if (row === undefined) {
    throw armErrors.OperationNotFound(
      `The operation '${operationId}' was not found. It may have been removed 7 days after its end.`,
    );
  }
  return operationFromRow(row);
}

export function operationFromRow(row: OperationRow): Operation {
  return {
    id: row.operation_id,
    kind: row.kind,
    subscriptionId: row.subscription_key,
    resourceId: row.resource_id,
    status: row.status as OperationStatus,
    input: JSON.parse(row.input),
    result: row.result === null ? undefined : JSON.parse(row.result),
    error: row.error === null ? undefined : (JSON.parse(row.error) as WireError),
    percent: row.percent,
    caller: JSON.parse(row.caller) as Caller,
    correlationId: row.correlation_id,
    cancelRequested: row.cancel_requested === 1,
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
  };
}

export type Outcome =
  | { readonly status: "Succeeded"; readonly result?: unknown }
  | { readonly status: "Failed" | "Canceled"; readonly error: unknown };

/** Ends the operation. The first end stands: a second one changes nothing and answers false. */
export async function endOperation(trx: Writer, clock: Clock, operationId: string, outcome: Outcome): Promise<boolean> {
  const result = outcome.status === "Succeeded" && outcome.result !== undefined ? JSON.stringify(outcome.result) : null;
  const changed = await trx
    .updateTable("operations")
    .set({
      status: outcome.status,
      result,
      error: outcome.status === "Succeeded" ? null : JSON.stringify(renderError(asHoldfastError(outcome.error)).error),
      percent: outcome.status === "Succeeded" ? 100 : undefined,
      ended_at: clock.now(),
    })
    .where("operation_id", "=", operationId)
    .where("status", "=", "InProgress")
    .executeTakeFirst();
  return Number(changed.numUpdatedRows) > 0;
}

export function asHoldfastError(error: unknown): HoldfastError {
  return error instanceof HoldfastError
    ? error
    : armErrors.InternalServerError("The operation failed inside the service; its log has the details.", {
        cause: error,
      });
}

/** What the Azure-AsyncOperation URL answers. */
export function renderOperation(operation: Operation, id: string): Record<string, unknown> {
  return {
    id,
    name: operation.id,
    status: operation.status,
    startTime: isoTime(operation.startedAt),
    endTime: operation.endedAt === undefined ? unsetTime : isoTime(operation.endedAt),
    percentComplete: operation.percent,
    ...(operation.error === undefined ? {} : { error: operation.error }),
    ...(operation.status === "Succeeded" && operation.result !== undefined ? { properties: operation.result } : {}),
  };
}
