import type { Migration } from "../migration.ts";

export const keyVault: Migration = {
  name: "0007-key-vault",
  apply: async ({ createTable, types: { text, integer, bytes } }) => {
    await createTable("key_vaults")
      .addColumn("name", text, (column) => column.primaryKey())
      .addColumn("scope", text, (column) => column.notNull())
      .addColumn("tenant_id", text, (column) => column.notNull())
      .addColumn("settings", text, (column) => column.notNull())
      .addColumn("deleted", text)
      .addColumn("deleted_at", integer)
      .addColumn("purge_at", integer)
      .execute();
    await createTable("key_vault_names")
      .addColumn("vault", text, (column) => column.notNull())
      .addColumn("kind", text, (column) => column.notNull())
      .addColumn("name_key", text, (column) => column.notNull())
      .addColumn("name", text, (column) => column.notNull())
      .addColumn("current_version", text, (column) => column.notNull())
      .addColumn("policy", text)
      .addColumn("deleted_at", integer)
      .addColumn("purge_at", integer)
      .addPrimaryKeyConstraint("key_vault_names_key", ["vault", "kind", "name_key"])
      .execute();
    await createTable("key_vault_versions")
      .addColumn("vault", text, (column) => column.notNull())
      .addColumn("kind", text, (column) => column.notNull())
      .addColumn("name_key", text, (column) => column.notNull())
      .addColumn("version", text, (column) => column.notNull())
      .addColumn("shown", text, (column) => column.notNull())
      .addColumn("sealed", bytes, (column) => column.notNull())
      .addColumn("created_at", integer, (column) => column.notNull())
      .addColumn("changed_at", integer, (column) => column.notNull())
      .addColumn("ordinal", integer, (column) => column.notNull())
      .addPrimaryKeyConstraint("key_vault_versions_key", ["vault", "kind", "name_key", "version"])
      .execute();
  },
};
