export interface VaultTables {
  vaults: VaultRow;
  policies: PolicyRow;
}

/** A Recovery Services vault. What every resource has stands in `resources`. */
export interface VaultRow {
  /** Lower-case id of the resource. */
  key: string;
  id: string;
  /** By which its store is named. */
  guid: string;
  location: string;
  /** JSON, without secrets. */
  settings: string;
  /** Credential of the place where its bytes are, sealed. */
  place_secret: Uint8Array | null;
  /** The guard's consent to one critical deletion, as JSON. */
  unlock: string | null;
  created_at: number;
}

export interface PolicyRow {
  /** Lower-case id of the vault. */
  vault_key: string;
  name_key: string;
  name: string;
  /** `AzureIaasVM`, … */
  management: string;
  policy: string;
  etag: string;
  changed_at: number;
}
