// One write to an item's row: the row changes, and the event tells it, in one transaction.

import { scopeOf } from "../../db/transaction.ts";
import type { ProtectedItemRow } from "../../db/schema/backup.ts";
import type { Doer } from "../vaults/policies.ts";
import type { Writer } from "../vaults/vaults.ts";
import { tellOfItem, type ItemEventType } from "./item-events.ts";
import { itemFromRow, type ProtectedItem } from "./item.ts";

export async function changeItem(
  trx: Writer,
  item: Pick<ProtectedItem, "key" | "policyKey">,
  change: Partial<ProtectedItemRow>,
  event: ItemEventType,
  by: Doer,
): Promise<ProtectedItem> {
  const row = await trx
    .updateTable("protected_items")
    .set({ ...change, changed_at: scopeOf(trx).clock.now() })
    .where("key", "=", item.key)
    .returningAll()
    .executeTakeFirstOrThrow();
  const changed = itemFromRow(row);
  tellOfItem(trx, event, changed, by, item.policyKey);
  return changed;
}
