// A protected item: a machine in a vault, with what is known of its backups.

import type { ProtectedItemRow } from "../../db/schema/backup.ts";
import type { DiskChoice } from "../capture/index.ts";
import type { JobError } from "../jobs/job-error.ts";
import type { Reader, Vault } from "../vaults/vaults.ts";
import { protectionErrors } from "./errors.ts";

export const protectionStates = [
  /** Protected, and waiting for its first backup. */
  "IRPending",
  "Protected",
  "ProtectionStopped",
  /** No backups; points go by the policy. */
  "BackupsSuspended",
] as const;
export type ProtectionState = (typeof protectionStates)[number];

export interface ProtectedItem {
  readonly key: string;
  readonly id: string;
  readonly vaultKey: string;
  /** GUID: the chain of its increments. */
  readonly itemId: string;
  /** Its name in the vault's store. */
  readonly storeItem: string;
  readonly machineKey: string;
  readonly machineId: string;
  readonly friendlyName: string;
  readonly containerName: string;
  /** Lower-case name; undefined while protection is stopped. */
  readonly policyKey: string | undefined;
  readonly state: ProtectionState;
  readonly disks: DiskChoice | undefined;
  readonly lastRunAt: number;
  /** Empty before the first backup. */
  readonly lastBackupStatus: string;
  readonly lastBackupAt: number | undefined;
  readonly lastError: JobError | undefined;
  readonly points: { readonly count: number; readonly oldest: number | undefined; readonly newest: number | undefined };
  readonly deletion: Deletion | undefined;
  readonly createdAt: number;
}

/** Of an item that is soft-deleted. */
export interface Deletion {
  readonly at: number;
  readonly purgeAt: number;
  readonly days: number;
}

export async function findItem(reader: Reader, key: string): Promise<ProtectedItem | undefined> {
  const row = await reader
    .selectFrom("protected_items")
    .selectAll()
    .where("key", "=", key.toLowerCase())
    .executeTakeFirst();
  return row && itemFromRow(row);
}

export async function getItem(reader: Reader, key: string): Promise<ProtectedItem> {
  const item = await findItem(reader, key);
  if (item !== undefined) return item;
  throw protectionErrors.BMSUserErrorProtectedItemNotFound(
    `The vault does not protect '${key.split("/").at(-1)?.slice(0, 200) ?? ""}'.`,
    { target: key },
  );
}

/** In whichever vault it is. */
export async function findItemOfMachine(reader: Reader, machineId: string): Promise<ProtectedItem | undefined> {
  const row = await reader
    .selectFrom("protected_items")
    .selectAll()
    .where("machine_key", "=", machineId.toLowerCase())
    .executeTakeFirst();
  return row && itemFromRow(row);
}

/** In order of their keys. */
export async function listItems(
  reader: Reader,
  vault: Pick<Vault, "key">,
  filter: { readonly policy?: string; readonly name?: string } = {},
  page: { readonly after?: string; readonly limit?: number } = {},
): Promise<ProtectedItem[]> {
  let select = reader.selectFrom("protected_items").selectAll().where("vault_key", "=", vault.key);
  if (filter.policy !== undefined) select = select.where("policy_key", "=", filter.policy.toLowerCase());
  if (page.after !== undefined) select = select.where("key", ">", page.after);
  if (page.limit !== undefined) select = select.limit(page.limit);
  const items = (await select.orderBy("key").execute()).map(itemFromRow);
  const name = filter.name?.toLowerCase();
  return name === undefined ? items : items.filter(({ friendlyName }) => friendlyName.toLowerCase() === name);
}

/** After it stands what the names of item and container share. */
const itemMark = "/VM;";

export function itemFromRow(row: ProtectedItemRow): ProtectedItem {
  return {
    key: row.key,
    id: row.id,
    vaultKey: row.vault_key,
    itemId: row.item_id,
    storeItem: row.store_item,
    machineKey: row.machine_key,
    machineId: row.machine_id,
    friendlyName: row.friendly_name,
    containerName: row.id.slice(row.id.lastIndexOf(itemMark) + itemMark.length),
    policyKey: row.policy_key ?? undefined,
    state: row.state as ProtectionState,
    disks: row.disks === null ? undefined : (JSON.parse(row.disks) as DiskChoice),
    lastRunAt: row.last_run_at,
    lastBackupStatus: row.last_backup_status,
    lastBackupAt: row.last_backup_at ?? undefined,
    lastError: row.last_error === null ? undefined : (JSON.parse(row.last_error) as JobError),
    points: {
      count: row.point_count,
      oldest: row.oldest_point_at ?? undefined,
      newest: row.newest_point_at ?? undefined,
    },
    deletion:
      row.deleted_at === null || row.purge_at === null
        ? undefined
        : { at: row.deleted_at, purgeAt: row.purge_at, days: row.soft_delete_days ?? 0 },
    createdAt: row.created_at,
  };
}
