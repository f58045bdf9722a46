import type { Migration } from "../migration.ts";

export const inventory: Migration = {
  name: "0008-inventory",
  apply: async ({ createTable, trx, types: { text, integer } }) => {
    await createTable("hosts")
      .addColumn("host_id", text, (column) => column.primaryKey())
      .addColumn("key", text, (column) => column.notNull().unique())
      .addColumn("kind", text, (column) => column.notNull())
      .addColumn("settings", text, (column) => column.notNull())
      .addColumn("looked_at", integer)
      .addColumn("look_started_at", integer, (column) => column.notNull())
      .addColumn("problem", text)
      .addColumn("created_at", integer, (column) => column.notNull())
      .execute();
    await createTable("machines")
      .addColumn("key", text, (column) => column.primaryKey())
      .addColumn("host_id", text, (column) => column.notNull())
      .addColumn("machine_id", text, (column) => column.notNull())
      .addColumn("vm_id", text, (column) => column.notNull().unique())
      .addColumn("present", integer, (column) => column.notNull())
      .addColumn("last_seen_at", integer, (column) => column.notNull())
      .addColumn("registered_at", integer, (column) => column.notNull())
      .addColumn("machine", text, (column) => column.notNull())
      .addColumn("guest", text)
      .execute();
    await trx.schema
      .createIndex("machines_identity")
      .unique()
      .on("machines")
      .columns(["host_id", "machine_id"])
      .execute();
  },
};
