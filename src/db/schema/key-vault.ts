export interface KeyVaultTables {
  key_vaults: KeyVaultRow;
  key_vault_names: VaultNameRow;
  key_vault_versions: VaultVersionRow;
}

export interface KeyVaultRow {
  /** Lower case; unique over all, deleted vaults included. */
  name: string;
  /** The scope that access is decided at: the id of the resource. */
  scope: string;
  tenant_id: string;
  /** Access policies, retention and the like, as JSON. */
  settings: string;
  /** What the resource was when it was deleted, as JSON; null while it is there. */
  deleted: string | null;
  deleted_at: number | null;
  purge_at: number | null;
}

/** A key or a secret: all versions under one name. */
export interface VaultNameRow {
  vault: string;
  kind: string;
  /** Lower case. */
  name_key: string;
  name: string;
  current_version: string;
  /** A key's rotation policy as JSON. */
  policy: string | null;
  deleted_at: number | null;
  purge_at: number | null;
}

export interface VaultVersionRow {
  vault: string;
  kind: string;
  name_key: string;
  version: string;
  /** What may be shown: type, public part, attributes, tags. */
  shown: string;
  /** Private key or secret value, sealed. */
  sealed: Uint8Array;
  created_at: number;
  changed_at: number;
  /** In the order of their making. */
  ordinal: number;
}
