// The end of an item: its points leave every tier, then its row goes. Run again after a crash it goes on
// where it was, because the row goes last.

import type { Database } from "../../db/database.ts";
import { listPointNames } from "../../store/points/points.ts";
import { deleteStored } from "../points/delete-stored.ts";
import { listPointsOf, type RecoveryPoint } from "../points/point.ts";
import { openVaultStore } from "../points/tiers.ts";
import { removePoint } from "../points/record-point.ts";
import { ownDoer, tellOfItem } from "../protection/item-events.ts";
import { findItem, type ProtectedItem } from "../protection/item.ts";
import { vaultStore } from "../stores/store-name.ts";
import type { Stores } from "../stores/stores.ts";
import type { Doer } from "../vaults/policies.ts";
import type { Vault, Writer } from "../vaults/vaults.ts";

export async function purgeItem(
  { database, stores }: { readonly database: Database; readonly stores: Stores },
  vault: Vault | undefined,
  item: ProtectedItem,
  by: Doer = ownDoer(item.itemId),
  signal?: AbortSignal,
): Promise<void> {
  for (const point of await listPointsOf(database.kysely, item.key)) {
    signal?.throwIfAborted();
    // Somebody may take the deletion back in its last moment.
    if (!(await database.transaction((trx) => removeOfDeleted(trx, point, by)))) return;
  }
  // The bytes of a vault that is gone go with its store.
  if (vault !== undefined && (await stores.find(vaultStore(vault.guid))) !== undefined) {
    await using opened = await openVaultStore(stores, vault);
    for (const store of opened.hot === undefined ? [opened.vault] : [opened.hot, opened.vault]) {
      for (const name of await listPointNames(store, "points", item.storeItem, signal)) {
        await deleteStored(store, name, signal);
      }
    }
  }
  await database.transaction((trx) => removeItem(trx, item, by));
}

async function removeOfDeleted(trx: Writer, point: RecoveryPoint, by: Doer): Promise<boolean> {
  if ((await findItem(trx, point.itemKey))?.deletion === undefined) return false;
  await removePoint(trx, point, by);
  return true;
}

async function removeItem(trx: Writer, item: ProtectedItem, by: Doer): Promise<void> {
  const { numDeletedRows } = await trx
    .deleteFrom("protected_items")
    .where("key", "=", item.key)
    .where("deleted_at", "is not", null)
    .executeTakeFirstOrThrow();
  if (numDeletedRows > 0n) tellOfItem(trx, "item.purged", item, by);
}
