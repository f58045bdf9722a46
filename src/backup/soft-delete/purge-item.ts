// The end of an item: its points leave every tier, then its row goes. Run again after a crash it goes on
// where it was, because the row goes last.

import type { Database } from "../../db/database.ts";
import { listPoints } from "../../store/index.ts";
import { listPointsOf } from "../points/point.ts";
import { deleteStored } from "../points/retain-item.ts";
import { openVaultStore } from "../points/tiers.ts";
import { removePoint } from "../points/record-point.ts";
import { ownDoer, tellOfItem } from "../protection/item-events.ts";
import type { ProtectedItem } from "../protection/item.ts";
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
    await database.transaction((trx) => removePoint(trx, point, by));
  }
  // The bytes of a vault that is gone go with its store.
  if (vault !== undefined && (await stores.find(vaultStore(vault.guid))) !== undefined) {
    await using opened = await openVaultStore(stores, vault);
    for (const store of opened.hot === undefined ? [opened.vault] : [opened.hot, opened.vault]) {
      const { points } = await listPoints(store, item.storeItem, signal);
      for (const { name } of points) await deleteStored(store, name, signal);
    }
  }
  await database.transaction((trx) => removeItem(trx, item, by));
}

async function removeItem(trx: Writer, item: ProtectedItem, by: Doer): Promise<void> {
  const { numDeletedRows } = await trx
    .deleteFrom("protected_items")
    .where("key", "=", item.key)
    .executeTakeFirstOrThrow();
  if (numDeletedRows > 0n) tellOfItem(trx, "item.purged", item, by);
}
