// The store of alerts. Every change is one transaction: the row, its line in the alert's history and
// the event that whoever delivers notifications hears.

import type { Kysely, Transaction } from "kysely";
import type { Tables } from "../db/schema.ts";
import type { AlertChangeRow, AlertRow } from "../db/schema/monitor.ts";
import { scopeOf } from "../db/transaction.ts";
import { appendEvent } from "../events/append.ts";
import { newGuid } from "../lib/random.ts";
import { alertFromRow, type Alert, type AlertState } from "./alert.ts";
import { monitorErrors } from "./errors.ts";

export type Reader = Kysely<Tables>;
export type Writer = Transaction<Tables>;

export const alertFired = "alert.fired";
export const alertResolved = "alert.resolved";
export const alertStateChanged = "alert.stateChanged";

export interface AlertDraft extends Pick<
  Alert,
  "target" | "rule" | "ruleId" | "service" | "severity" | "description" | "originId" | "context" | "actions" | "isMuted"
> {
  /** While an alert with this key is open, no other is made. */
  readonly openKey: string | undefined;
  readonly correlationId: string;
}

const ownName = "monitor";

/** Undefined when an open alert has the key already. */
export async function fireAlert(trx: Writer, draft: AlertDraft): Promise<Alert | undefined> {
  const now = scopeOf(trx).clock.now();
  const row: AlertRow = {
    id: newGuid(),
    subscription_key: (/^\/subscriptions\/([^/]+)/i.exec(draft.target)?.[1] ?? "").toLowerCase(),
    target: draft.target,
    target_key: draft.target.toLowerCase(),
    rule: draft.rule,
    rule_id: draft.ruleId ?? null,
    service: draft.service,
    signal_type: "Log",
    severity: draft.severity,
    condition: "Fired",
    state: "New",
    description: draft.description,
    origin_id: draft.originId,
    open_key: draft.openKey ?? null,
    context: JSON.stringify(draft.context),
    actions: JSON.stringify(draft.actions),
    is_muted: draft.isMuted ? 1 : 0,
    fired_at: now,
    resolved_at: null,
    changed_at: now,
    changed_by: "System",
  };
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto("alerts")
    .values(row)
    .onConflict((conflict) => conflict.column("open_key").doNothing())
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 0n) return undefined;
  await note(trx, row.id, { event: "AlertCreated", old: null, new: "Fired", by: "System", comments: null });
  return tell(trx, alertFired, row, { actor: ownName, correlationId: draft.correlationId });
}

export async function resolveAlert(trx: Writer, openKey: string, correlationId: string): Promise<Alert | undefined> {
  const now = scopeOf(trx).clock.now();
  const row = await trx
    .updateTable("alerts")
    .set({ condition: "Resolved", resolved_at: now, changed_at: now, changed_by: "System", open_key: null })
    .where("open_key", "=", openKey)
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) return undefined;
  await note(trx, row.id, {
    event: "MonitorConditionChange",
    old: "Fired",
    new: "Resolved",
    by: "System",
    comments: null,
  });
  return tell(trx, alertResolved, row, { actor: ownName, correlationId });
}

/** Of a rule that is gone, or that asks anew. */
export async function resolveAlertsOf(trx: Writer, ruleKey: string): Promise<void> {
  const open = await trx
    .selectFrom("alerts")
    .select("open_key")
    // "}" is the character after "|".
    .where("open_key", ">", `${ruleKey}|`)
    .where("open_key", "<", `${ruleKey}}`)
    .execute();
  const correlationId = newGuid();
  for (const { open_key: key } of open) if (key !== null) await resolveAlert(trx, key, correlationId);
}

export async function changeAlertState(
  trx: Writer,
  id: string,
  state: AlertState,
  by: { readonly name: string; readonly actor: string; readonly correlationId: string },
  comments: string | undefined,
): Promise<Alert> {
  const before = await getAlert(trx, id);
  if (before.state === state) return before;
  const row = await trx
    .updateTable("alerts")
    .set({ state, changed_at: scopeOf(trx).clock.now(), changed_by: by.name })
    .where("id", "=", before.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await note(trx, id, { event: "StateChange", old: before.state, new: state, by: by.name, comments: comments ?? null });
  return tell(trx, alertStateChanged, row, { actor: by.actor, correlationId: by.correlationId });
}

export async function getAlert(reader: Reader, id: string): Promise<Alert> {
  const row = await reader.selectFrom("alerts").selectAll().where("id", "=", id.toLowerCase()).executeTakeFirst();
  if (row !== undefined) return alertFromRow(row);
  throw monitorErrors.AlertNotFound(`There is no alert '${id.slice(0, 100)}'.`, { target: id });
}

export interface AlertQuery {
  readonly subscriptionId: string;
  readonly from: number;
  readonly to: number;
}

/** The newest first. */
export async function listAlerts(reader: Reader, { subscriptionId, from, to }: AlertQuery): Promise<Alert[]> {
  const rows = await reader
    .selectFrom("alerts")
    .selectAll()
    .where("subscription_key", "=", subscriptionId.toLowerCase())
    .where("fired_at", ">=", from)
    .where("fired_at", "<", to)
    .orderBy("fired_at", "desc")
    .orderBy("id")
    .limit(mostListed)
    .execute();
  return rows.map(alertFromRow);
}

/** What one answer looks through at most. */
const mostListed = 10_000;

export async function historyOf(reader: Reader, id: string): Promise<AlertChangeRow[]> {
  return reader.selectFrom("alert_changes").selectAll().where("alert_id", "=", id).orderBy("number").execute();
}

/** Azure shows alerts for thirty days. What is still open stays. */
export async function dropOldAlerts(trx: Writer, before: number): Promise<void> {
  const old = trx.selectFrom("alerts").select("id").where("changed_at", "<", before).where("open_key", "is", null);
  await trx.deleteFrom("alert_changes").where("alert_id", "in", old).execute();
  await trx.deleteFrom("alerts").where("changed_at", "<", before).where("open_key", "is", null).execute();
}

interface Note {
  readonly event: string;
  readonly old: string | null;
  readonly new: string | null;
  readonly by: string;
  readonly comments: string | null;
}

async function note(trx: Writer, id: string, change: Note): Promise<void> {
  const { last } = await trx
    .selectFrom("alert_changes")
    .select(({ fn }) => fn.max("number").as("last"))
    .where("alert_id", "=", id)
    .executeTakeFirstOrThrow();
  await trx
    .insertInto("alert_changes")
    .values({
      alert_id: id,
      number: (last ?? 0) + 1,
      event: change.event,
      old_value: change.old,
      new_value: change.new,
      at: scopeOf(trx).clock.now(),
      by: change.by,
      comments: change.comments,
    })
    .execute();
}

function tell(trx: Writer, type: string, row: AlertRow, by: { actor: string; correlationId: string }): Alert {
  const alert = alertFromRow(row);
  appendEvent(trx, { type, subject: `alerts/${row.id}`, subjects: [row.target_key], data: alert, ...by });
  return alert;
}
