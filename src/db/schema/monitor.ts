export interface MonitorTables {
  alerts: AlertRow;
  alert_changes: AlertChangeRow;
  rule_runs: RuleRunRow;
  monitor_marks: MonitorMarkRow;
}

export interface AlertRow {
  id: string;
  subscription_key: string;
  /** Id of the resource that it is about. */
  target: string;
  target_key: string;
  /** Name of the rule, or of the built-in alert. */
  rule: string;
  /** Null for built-in alerts: they have no rule. */
  rule_id: string | null;
  /** `Azure Backup`, `Log Alerts V2`. */
  service: string;
  signal_type: string;
  /** `Sev0` to `Sev4`. */
  severity: string;
  /** `Fired` or `Resolved`. */
  condition: string;
  /** `New`, `Acknowledged` or `Closed`: what people say of it. */
  state: string;
  description: string;
  origin_id: string;
  open_key: string | null;
  /** JSON: what is known of the cause, in the shape of the common alert schema. */
  context: string;
  /** JSON: what its rule asks to be done. */
  actions: string;
  /** 1 when its rule asks for silence now. */
  is_muted: number;
  fired_at: number;
  resolved_at: number | null;
  changed_at: number;
  changed_by: string;
}

export interface AlertChangeRow {
  alert_id: string;
  number: number;
  event: string;
  old_value: string | null;
  new_value: string | null;
  at: number;
  by: string;
  comments: string | null;
}

export interface RuleRunRow {
  /** Lower-case id of the rule. */
  rule_key: string;
  /** The end of the next window. */
  next_at: number;
  frequency: number;
  /** JSON: what one evaluation tells the next. */
  state: string;
  last_error: string | null;
}

/** When something periodic was last done. */
interface MonitorMarkRow {
  name: string;
  at: number;
}
