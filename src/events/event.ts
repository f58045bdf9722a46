// What happened, in the order in which it became true. Events are facts: written in the transaction
// of the change that they tell of, never changed, dropped only by retention.

import type { Selectable } from "kysely";
import type { Tables } from "../db/schema.ts";

export interface NewEvent {
  /** `noun.verb`, as `job.started`. */
  readonly type: string;
  /** The id of what it happened to. */
  readonly subject: string;
  /** What else it is about: the vault of the job, the machine of the point. */
  readonly subjects?: readonly string[];
  readonly data: unknown;
  readonly correlationId: string;
  /** Who did it: a principal's id, or the name of one of our own parts. */
  readonly actor: string;
}

export interface StoredEvent extends NewEvent {
  /** The cursor of whoever has seen it. Grows; may leave numbers out. */
  readonly position: number;
  readonly id: string;
  readonly subjects: readonly string[];
  readonly occurredAt: number;
}

export function eventFromRow(row: Selectable<Tables["events"]>): StoredEvent {
  return {
    position: row.position,
    id: row.id,
    type: row.type,
    subject: row.subject,
    subjects: JSON.parse(row.subjects) as string[],
    data: JSON.parse(row.data) as unknown,
    correlationId: row.correlation_id,
    actor: row.actor,
    occurredAt: row.occurred_at,
  };
}

/** Rings when there are new events. */
export const eventsChannel = "events";
