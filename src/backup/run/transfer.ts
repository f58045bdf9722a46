// From the snapshot tier to the vault. What a point owes the vault is written down together with the
// point and struck out together with its arrival, so what failed is sent again: by the next backup of
// the same item, and by the caretaker.

import type { Database } from "../../db/database.ts";
import { copyPoint, parsePointName } from "../../store/index.ts";
import { changePoint } from "../points/record-point.ts";
import { ownDoer } from "../protection/item-events.ts";
import type { OpenVaults } from "../stores/stores.ts";
import type { Doer } from "../vaults/policies.ts";
import type { Vault, Writer } from "../vaults/vaults.ts";

export interface OwedTransfer {
  readonly pointId: string;
  readonly itemKey: string;
  readonly storePoint: string;
  readonly lockedUntil: number | undefined;
}

export async function oweTransfer(
  trx: Writer,
  { pointId, itemKey, lockedUntil }: Omit<OwedTransfer, "storePoint">,
): Promise<void> {
  await trx
    .insertInto("owed_transfers")
    .values({ point_id: pointId, item_key: itemKey, locked_until: lockedUntil ?? null })
    .onConflict((conflict) => conflict.column("point_id").doNothing())
    .execute();
}

/** Of an item, or of all items of a vault that are not deleted; oldest first. */
export async function owedTransfers(
  database: Database,
  of: { readonly itemKey: string } | Pick<Vault, "key">,
): Promise<OwedTransfer[]> {
  const select = database.kysely
    .selectFrom("owed_transfers")
    .innerJoin("recovery_points", "recovery_points.id", "owed_transfers.point_id")
    .innerJoin("protected_items", "protected_items.key", "owed_transfers.item_key")
    .select(["point_id", "owed_transfers.item_key", "store_point", "locked_until"])
    .where("protected_items.deleted_at", "is", null)
    .orderBy("recovery_points.taken_at");
  const rows = await (
    "itemKey" in of
      ? select.where("owed_transfers.item_key", "=", of.itemKey)
      : select.where("recovery_points.vault_key", "=", of.key)
  ).execute();
  return rows.map(({ point_id, item_key, store_point, locked_until }) => ({
    pointId: point_id,
    itemKey: item_key,
    storePoint: store_point,
    lockedUntil: locked_until ?? undefined,
  }));
}

export interface TransferTerms {
  readonly by: Doer;
  /** Fails when whoever transfers may do so no more. */
  readonly assertHeld?: (trx: Writer) => Promise<void>;
  readonly onPercent?: (percent: number) => void;
  readonly signal?: AbortSignal;
}

export async function transferPoint(
  database: Database,
  opened: OpenVaults,
  { pointId, storePoint, lockedUntil }: OwedTransfer,
  { by, assertHeld, onPercent, signal }: TransferTerms,
): Promise<void> {
  if (opened.hot === undefined) return;
  await copyPoint(opened.hot, opened.vault, parsePointName(storePoint), {
    ...(lockedUntil === undefined ? {} : { lockedUntil }),
    ...(signal === undefined ? {} : { signal }),
    onProgress: ({ bytes, totalBytes }) => onPercent?.(totalBytes === 0 ? 100 : (bytes / totalBytes) * 100),
  });
  await database.transaction(async (trx) => {
    await assertHeld?.(trx);
    await trx.deleteFrom("owed_transfers").where("point_id", "=", pointId).execute();
    await changePoint(trx, pointId, { is_in_vault_tier: 1 }, "point.moved", by);
  });
}

/** One that cannot be sent does not keep the others back; it is told of and stays owed. */
export async function resendOwed(
  database: Database,
  opened: OpenVaults,
  owed: readonly OwedTransfer[],
  report: (error: unknown, owed: OwedTransfer) => void,
  terms: Omit<TransferTerms, "by"> = {},
): Promise<number> {
  let sent = 0;
  for (const transfer of owed) {
    terms.signal?.throwIfAborted();
    try {
      await transferPoint(database, opened, transfer, { ...terms, by: ownDoer(transfer.pointId) });
      sent += 1;
    } catch (error) {
      terms.signal?.throwIfAborted();
      report(error, transfer);
    }
  }
  return sent;
}
