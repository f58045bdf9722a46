export interface ArmTables {
  registrations: RegistrationRow;
  resources: ResourceRow;
  operations: OperationRow;
  activity: ActivityRow;
}

/** State of a provider or of a feature in a subscription; no row = the default. */
interface RegistrationRow {
  subscription_id: string;
  /** Lower case: `microsoft.compute`, `microsoft.compute/previewfeature`. */
  key: string;
  /** As it was written first. */
  name: string;
  state: string;
  changed_at: number;
}

export interface ResourceRow {
  /** The id in lower case. */
  key: string;
  id: string;
  /** Lower case; "" for what is in no subscription. */
  subscription_key: string;
  /** Lower case; "" for what is in no group. */
  group_key: string;
  type: string;
  /** Lower case. */
  type_key: string;
  name: string;
  /** Lower-case id of what it stands in or on. */
  parent_key: string;
  /** 1 when `az resource list` shows it. */
  tracked: number;
  location: string | null;
  /** The parts of the wire's JSON that every resource may have: tags, sku, kind, identity, plan, zones, managedBy. */
  envelope: string;
  properties: string;
  /** What the service must remember and never shows. */
  hidden: string;
  state: string;
  etag: string;
  created_at: number;
  created_by: string;
  created_by_type: string;
  changed_at: number;
  changed_by: string;
  changed_by_type: string;
}

export interface OperationRow {
  operation_id: string;
  /** Which handler carries it out: `resourceGroup.delete`. */
  kind: string;
  subscription_key: string;
  /** Id of the resource that it is about. */
  resource_id: string;
  status: string;
  input: string;
  /** What the result request answers, as JSON; null = no content. */
  result: string | null;
  error: string | null;
  percent: number;
  caller: string;
  correlation_id: string;
  cancel_requested: number;
  started_at: number;
  ended_at: number | null;
}

export interface ActivityRow {
  event_id: string;
  subscription_key: string;
  group_key: string;
  resource_key: string;
  provider_key: string;
  caller_key: string;
  status_key: string;
  correlation_id: string;
  at: number;
  /** The event in Azure's shape. */
  event: string;
}
