export interface BackupTables {
  protected_items: ProtectedItemRow;
  jobs: JobRow;
  recovery_points: RecoveryPointRow;
  vault_care: VaultCareRow;
  owed_transfers: OwedTransferRow;
}

/** A machine that a vault protects, or keeps points of. */
export interface ProtectedItemRow {
  /** Lower-case id. */
  key: string;
  id: string;
  vault_key: string;
  /** GUID: the chain of its increments on the host. */
  item_id: string;
  /** Its name in the vault's store. */
  store_item: string;
  machine_key: string;
  machine_id: string;
  friendly_name: string;
  /** Lower-case name of its policy; null while protection is stopped. */
  policy_key: string | null;
  /** `IRPending`, `Protected`, … */
  state: string;
  /** JSON: which disks, or null for all. */
  disks: string | null;
  /** Due time of the last run that was started, or from when on the schedule holds. */
  last_run_at: number;
  last_backup_status: string;
  last_backup_at: number | null;
  /** JSON: why the last backup failed, or null. */
  last_error: string | null;
  point_count: number;
  oldest_point_at: number | null;
  newest_point_at: number | null;
  /** When the purge of a deleted item is due; null while it is not deleted. */
  purge_at: number | null;
  deleted_at: number | null;
  /** What governed at its deletion. */
  soft_delete_days: number | null;
  created_at: number;
  changed_at: number;
}

export interface JobRow {
  id: string;
  vault_key: string;
  /** Null for jobs of the vault itself. */
  item_key: string | null;
  item_name: string;
  container_name: string;
  /** What must not run twice at once: usually the machine. */
  exclusive_key: string | null;
  /** Which host it loads; null when none. */
  host_id: string | null;
  operation: string;
  status: string;
  started_at: number;
  ended_at: number | null;
  is_user_triggered: 0 | 1;
  is_cancellable: 0 | 1;
  correlation_id: string;
  actor: string;
  /** Nobody takes it up before. */
  run_after: number;
  attempt: number;
  /** JSON, each. */
  input: string;
  checkpoint: string | null;
  tasks: string;
  properties: string;
  sub_steps: string;
  warnings: string;
  errors: string;
  percent: number;
}

export interface RecoveryPointRow {
  /** Digits, unique in the service. */
  id: string;
  vault_key: string;
  item_key: string;
  job_id: string;
  /** Its name in the stores. */
  store_point: string;
  taken_at: number;
  is_in_snapshot_tier: 0 | 1;
  is_in_vault_tier: 0 | 1;
  /** `AppConsistent`, … */
  consistency: string;
  /** `scheduled` or `onDemand`. */
  origin: string;
  due_at: number;
  /** JSON: what it is worth to its policy. */
  marks: string | null;
  /** Of a point on demand. */
  expires_at: number | null;
  /** What retention said last. */
  rule: string;
  keep_until: number | null;
  /** JSON: disks, machine, remarks. */
  facts: string;
  /** JSON list of problems; null while it is whole. */
  problems: string | null;
  verified_at: number | null;
  is_soft_deleted: 0 | 1;
  /** JSON: what restoring its encrypted disks needs; null when none is encrypted. */
  keys: string | null;
  /** Until when files can be recovered from it; null when nobody does. */
  recovery_session_until: number | null;
}

/** When a vault was last looked after. */
export interface VaultCareRow {
  vault_key: string;
  /** `scrub`, `verify`, `collect`, … */
  care: string;
  last_at: number;
}

/** A point in the snapshot tier that the vault still has to get. */
export interface OwedTransferRow {
  point_id: string;
  item_key: string;
  /** Until when the copy in the vault cannot be deleted. */
  locked_until: number | null;
}
