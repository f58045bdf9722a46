import type { Migration } from "../migration.ts";

export const outbox: Migration = {
  name: "0004-outbox",
  apply: async ({ createTable, trx, types }) => {
    await createTable("outbox")
      .addColumn("id", types.text, (column) => column.primaryKey())
      .addColumn("topic", types.text, (column) => column.notNull())
      .addColumn("dedup_key", types.text, (column) => column.notNull())
      .addColumn("body", types.text, (column) => column.notNull())
      .addColumn("state", types.text, (column) => column.notNull())
      .addColumn("attempts", types.integer, (column) => column.notNull())
      .addColumn("due_at", types.integer, (column) => column.notNull())
      .addColumn("last_error", types.text)
      .addColumn("created_at", types.integer, (column) => column.notNull())
      .addColumn("ended_at", types.integer)
      .addUniqueConstraint("outbox_key", ["topic", "dedup_key"])
      .execute();
    await trx.schema.createIndex("outbox_due").on("outbox").columns(["topic", "state", "due_at"]).execute();
  },
};
