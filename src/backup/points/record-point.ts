// Points come and go in the control data: their rows, the counts at their item, and the events.

import type { RecoveryPointRow } from "../../db/schema/backup.ts";
import { appendEvent } from "../../events/append.ts";
import type { ProtectedItem } from "../protection/item.ts";
import type { Doer } from "../vaults/policies.ts";
import type { Writer } from "../vaults/vaults.ts";
import { pointFromRow, type RecoveryPoint } from "./point.ts";

export type PointEventType =
  | "point.created"
  /** It is in another tier than before. */
  | "point.moved"
  | "point.deleted"
  | "point.broken"
  | "point.healed";

/** False when the point is known already: the attempt before came this far. */
export async function insertPoint(trx: Writer, row: RecoveryPointRow, by: Doer): Promise<boolean> {
  const known = await trx.selectFrom("recovery_points").select("id").where("id", "=", row.id).executeTakeFirst();
  if (known !== undefined) return false;
  await trx.insertInto("recovery_points").values(row).execute();
  await countPoints(trx, row.item_key);
  tellOfPoint(trx, "point.created", pointFromRow(row), by);
  return true;
}

export async function changePoint(
  trx: Writer,
  id: string,
  change: Partial<RecoveryPointRow>,
  event: PointEventType,
  by: Doer,
): Promise<void> {
  const row = await trx
    .updateTable("recovery_points")
    .set(change)
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirst();
  if (row !== undefined) tellOfPoint(trx, event, pointFromRow(row), by);
}

/** From here on nobody restores it; its bytes go afterwards. */
export async function removePoint(trx: Writer, point: RecoveryPoint, by: Doer): Promise<void> {
  await trx.deleteFrom("recovery_points").where("id", "=", point.id).execute();
  await trx.deleteFrom("owed_transfers").where("point_id", "=", point.id).execute();
  await countPoints(trx, point.itemKey);
  tellOfPoint(trx, "point.deleted", point, by);
}

/** What the item's row says of its points. */
async function countPoints(trx: Writer, itemKey: ProtectedItem["key"]): Promise<void> {
  const { count, oldest, newest } = await trx
    .selectFrom("recovery_points")
    .select(({ fn }) => [
      fn.countAll<number>().as("count"),
      fn.min<number | null>("taken_at").as("oldest"),
      fn.max<number | null>("taken_at").as("newest"),
    ])
    .where("item_key", "=", itemKey)
    .executeTakeFirstOrThrow();
  await trx
    .updateTable("protected_items")
    .set({ point_count: Number(count), oldest_point_at: oldest, newest_point_at: newest })
    .where("key", "=", itemKey)
    .execute();
}

function tellOfPoint(trx: Writer, type: PointEventType, point: RecoveryPoint, by: Doer): void {
  const { keys: _keys, ...data } = point;
  const subject = `${point.itemKey}/recoverypoints/${point.id}`;
  appendEvent(trx, { type, subject, subjects: [point.vaultKey, point.itemKey], data, ...by });
}
