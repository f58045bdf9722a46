// A new item's row: nothing is known of its backups yet.

import type { ProtectedItemRow } from "../../db/schema/backup.ts";
import { itemIdOf } from "./names.ts";
import type { ProtectionState } from "./item.ts";

export interface ItemDraft {
  readonly vault: { readonly id: string; readonly key: string };
  /** The machine's resource id. */
  readonly machineId: string;
  readonly friendlyName: string;
  /** GUID: the chain of its increments. */
  readonly itemId: string;
  readonly storeItem: string;
  /** Lower-case name. */
  readonly policyKey: string | null;
  readonly state: ProtectionState;
  /** JSON, or null for all. */
  readonly disks: string | null;
  readonly lastRunAt: number;
  readonly lastBackupStatus: string;
  readonly createdAt: number;
}

export function newItemRow(draft: ItemDraft): ProtectedItemRow {
  const id = itemIdOf(draft.vault.id, draft.machineId);
  return {
    key: id.toLowerCase(),
    id,
    vault_key: draft.vault.key,
    item_id: draft.itemId,
    store_item: draft.storeItem,
    machine_key: draft.machineId.toLowerCase(),
    machine_id: draft.machineId,
    friendly_name: draft.friendlyName,
    policy_key: draft.policyKey,
    state: draft.state,
    disks: draft.disks,
    last_run_at: draft.lastRunAt,
    last_backup_status: draft.lastBackupStatus,
    last_backup_at: null,
    last_error: null,
    point_count: 0,
    oldest_point_at: null,
    newest_point_at: null,
    purge_at: null,
    deleted_at: null,
    soft_delete_days: null,
    created_at: draft.createdAt,
    changed_at: draft.createdAt,
  };
}
