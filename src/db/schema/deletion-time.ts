export interface DeletionTimeTables {
  deletion_time: DeletionTimeRow;
}

interface DeletionTimeRow {
  id: "clock";
  /** The last time of the clock's that was believed. */
  trusted_at: number;
  /** Milliseconds for which a clock that is far ahead of that has been watched. */
  watched_for: number;
}
