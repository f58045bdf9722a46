import type { Migration, MigrationTools } from "../migration.ts";

export const blobs: Migration = {
  name: "0006-blobs",
  apply: async (tools) => {
    await createAccounts(tools);
    await createBlobs(tools);
    await createContents(tools);
  },
};

async function createAccounts({ createTable, types: { text, integer, bytes } }: MigrationTools): Promise<void> {
  await createTable("blob_accounts")
    .addColumn("name", text, (column) => column.primaryKey())
    .addColumn("scope", text, (column) => column.notNull())
    .addColumn("keys", bytes, (column) => column.notNull())
    .addColumn("allows_shared_key", integer, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .execute();
  await createTable("blob_containers")
    .addColumn("account", text, (column) => column.notNull())
    .addColumn("name", text, (column) => column.notNull())
    .addColumn("etag", text, (column) => column.notNull())
    .addColumn("metadata", text, (column) => column.notNull())
    .addColumn("policies", text, (column) => column.notNull())
    .addColumn("lease", text, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .addColumn("changed_at", integer, (column) => column.notNull())
    .addPrimaryKeyConstraint("blob_containers_key", ["account", "name"])
    .execute();
}

async function createBlobs({ createTable, trx, types: { text, integer } }: MigrationTools): Promise<void> {
  await createTable("blobs")
    .addColumn("account", text, (column) => column.notNull())
    .addColumn("container", text, (column) => column.notNull())
    .addColumn("name", text, (column) => column.notNull())
    .addColumn("snapshot", text, (column) => column.notNull())
    .addColumn("kind", text, (column) => column.notNull())
    .addColumn("content_id", text, (column) => column.notNull())
    .addColumn("size", integer, (column) => column.notNull())
    .addColumn("etag", text, (column) => column.notNull())
    .addColumn("settings", text, (column) => column.notNull())
    .addColumn("metadata", text, (column) => column.notNull())
    .addColumn("lease", text, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .addColumn("changed_at", integer, (column) => column.notNull())
    .addPrimaryKeyConstraint("blobs_key", ["account", "container", "name", "snapshot"])
    .execute();
  await trx.schema.createIndex("blobs_content").on("blobs").column("content_id").execute();
}

async function createContents({ createTable, trx, types: { text, integer } }: MigrationTools): Promise<void> {
  await createTable("blob_parts")
    .addColumn("content_id", text, (column) => column.notNull())
    .addColumn("ordinal", integer, (column) => column.notNull())
    .addColumn("block_id", text, (column) => column.notNull())
    .addColumn("file", text, (column) => column.notNull())
    .addColumn("length", integer, (column) => column.notNull())
    .addPrimaryKeyConstraint("blob_parts_key", ["content_id", "ordinal"])
    .execute();
  await trx.schema.createIndex("blob_parts_file").on("blob_parts").column("file").execute();
  await createTable("blob_uncommitted")
    .addColumn("account", text, (column) => column.notNull())
    .addColumn("container", text, (column) => column.notNull())
    .addColumn("name", text, (column) => column.notNull())
    .addColumn("block_id", text, (column) => column.notNull())
    .addColumn("file", text, (column) => column.notNull())
    .addColumn("length", integer, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .addPrimaryKeyConstraint("blob_uncommitted_key", ["account", "container", "name", "block_id"])
    .execute();
  await trx.schema.createIndex("blob_uncommitted_file").on("blob_uncommitted").column("file").execute();
  await createTable("blob_page_ranges")
    .addColumn("content_id", text, (column) => column.notNull())
    .addColumn("range_start", integer, (column) => column.notNull())
    .addColumn("range_end", integer, (column) => column.notNull())
    .addPrimaryKeyConstraint("blob_page_ranges_key", ["content_id", "range_start"])
    .execute();
}
