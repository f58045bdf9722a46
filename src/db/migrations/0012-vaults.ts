import type { Migration } from "../migration.ts";

export const vaults: Migration = {
  name: "0012-vaults",
  apply: async ({ createTable, types: { text, integer, bytes } }) => {
    await createTable("vaults")
      .addColumn("key", text, (column) => column.primaryKey())
      .addColumn("id", text, (column) => column.notNull())
      .addColumn("guid", text, (column) => column.notNull().unique())
      .addColumn("location", text, (column) => column.notNull())
      .addColumn("settings", text, (column) => column.notNull())
      .addColumn("place_secret", bytes)
      .addColumn("unlock", text)
      .addColumn("created_at", integer, (column) => column.notNull())
      .execute();
    await createTable("policies")
      .addColumn("vault_key", text, (column) => column.notNull())
      .addColumn("name_key", text, (column) => column.notNull())
      .addColumn("name", text, (column) => column.notNull())
      .addColumn("management", text, (column) => column.notNull())
      .addColumn("policy", text, (column) => column.notNull())
      .addColumn("etag", text, (column) => column.notNull())
      .addColumn("changed_at", integer, (column) => column.notNull())
      .addPrimaryKeyConstraint("policies_key", ["vault_key", "name_key"])
      .execute();
  },
};
