import type { Migration } from "../migration.ts";

export const deletionTime: Migration = {
  name: "0021-deletion-time",
  apply: async ({ createTable, types: { text, integer } }) => {
    await createTable("deletion_time")
      .addColumn("id", text, (column) => column.primaryKey())
      .addColumn("trusted_at", integer, (column) => column.notNull())
      .addColumn("watched_for", integer, (column) => column.notNull())
      .execute();
  },
};
