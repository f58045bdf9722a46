export interface EventTables {
  events: EventRow;
  event_subscribers: EventSubscriberRow;
  event_retention: EventRetentionRow;
}

interface EventRow {
  /** Grows in the order in which readers see events; may have holes, never fills one later. */
  position: number;
  id: string;
  type: string;
  subject: string;
  /** JSON array: what else it is about. */
  subjects: string;
  /** JSON. */
  data: string;
  correlation_id: string;
  actor: string;
  occurred_at: number;
}

interface EventSubscriberRow {
  name: string;
  /** The last event that it is done with. */
  position: number;
  updated_at: number;
}

interface EventRetentionRow {
  id: number;
  /** Events up to this one are gone. */
  purged_through: number;
}
