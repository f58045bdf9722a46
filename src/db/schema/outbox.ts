export interface OutboxTables {
  outbox: OutboxRow;
}

interface OutboxRow {
  id: string;
  /** Who delivers it: `mail`, `webhook`. */
  topic: string;
  /** The same key is handed over once for each topic. */
  dedup_key: string;
  /** JSON. */
  body: string;
  state: OutboxState;
  attempts: number;
  /** When it is to be tried next; while an attempt runs, when that attempt counts as lost. */
  due_at: number;
  last_error: string | null;
  created_at: number;
  ended_at: number | null;
}

export type OutboxState = "waiting" | "delivered" | "dead";
