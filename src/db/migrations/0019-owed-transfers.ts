import type { Migration } from "../migration.ts";

export const owedTransfers: Migration = {
  name: "0019-owed-transfers",
  apply: async ({ trx, createTable, types: { text, integer } }) => {
    await createTable("owed_transfers")
      .addColumn("point_id", text, (column) => column.primaryKey())
      .addColumn("item_key", text, (column) => column.notNull())
      .addColumn("locked_until", integer)
      .execute();
    await trx.schema.createIndex("owed_transfers_item").on("owed_transfers").columns(["item_key"]).execute();
    // A page of a vault's items is read in order.
    await trx.schema.createIndex("protected_items_page").on("protected_items").columns(["vault_key", "key"]).execute();
    await trx.schema.dropIndex("protected_items_vault").execute();
    // Until now nobody sent again what had failed.
    await trx
      .insertInto("owed_transfers")
      .columns(["point_id", "item_key"])
      .expression((eb) =>
        eb
          .selectFrom("recovery_points")
          .innerJoin("jobs", "jobs.id", "recovery_points.job_id")
          .select(["recovery_points.id", "recovery_points.item_key"])
          .where("is_in_snapshot_tier", "=", 1)
          .where("is_in_vault_tier", "=", 0)
          .where("jobs.status", "=", "Failed"),
      )
      .execute();
  },
};
