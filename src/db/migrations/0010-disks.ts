import type { Migration } from "../migration.ts";

export const disks: Migration = {
  name: "0010-disks",
  apply: async ({ createTable, trx, types: { text, integer, bytes } }) => {
    await createTable("backup_stores")
      .addColumn("name", text, (column) => column.primaryKey())
      .addColumn("location", text, (column) => column.notNull())
      .addColumn("hot", text)
      .addColumn("credential", bytes)
      .addColumn("key", text, (column) => column.notNull())
      .addColumn("created_at", integer, (column) => column.notNull())
      .execute();
    await createTable("disk_images")
      .addColumn("image_id", text, (column) => column.primaryKey())
      .addColumn("owner", text, (column) => column.notNull())
      .addColumn("size", integer, (column) => column.notNull())
      .addColumn("is_ready", integer, (column) => column.notNull())
      .addColumn("created_at", integer, (column) => column.notNull())
      .execute();
    await trx.schema.createIndex("disk_images_owner").on("disk_images").column("owner").execute();
    await createTable("disk_grants")
      .addColumn("grant_id", text, (column) => column.primaryKey())
      .addColumn("owner", text, (column) => column.notNull())
      .addColumn("source", text, (column) => column.notNull())
      .addColumn("access", text, (column) => column.notNull())
      .addColumn("expires_at", integer, (column) => column.notNull())
      .addColumn("created_at", integer, (column) => column.notNull())
      .execute();
    await trx.schema.createIndex("disk_grants_owner").on("disk_grants").column("owner").execute();
  },
};
