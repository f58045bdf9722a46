import type { Migration } from "../migration.ts";

export const arm: Migration = {
  name: "0003-arm",
  apply: async ({ createTable, types, trx }) => {
    await createTable("registrations")
      .addColumn("subscription_id", types.text, (column) => column.notNull())
      .addColumn("key", types.text, (column) => column.notNull())
      .addColumn("name", types.text, (column) => column.notNull())
      .addColumn("state", types.text, (column) => column.notNull())
      .addColumn("changed_at", types.integer, (column) => column.notNull())
      .addPrimaryKeyConstraint("registrations_key", ["subscription_id", "key"])
      .execute();

    await createTable("resources")
      .addColumn("key", types.text, (column) => column.primaryKey())
      .addColumn("id", types.text, (column) => column.notNull())
      .addColumn("subscription_key", types.text, (column) => column.notNull())
      .addColumn("group_key", types.text, (column) => column.notNull())
      .addColumn("type", types.text, (column) => column.notNull())
      .addColumn("type_key", types.text, (column) => column.notNull())
      .addColumn("name", types.text, (column) => column.notNull())
      .addColumn("parent_key", types.text, (column) => column.notNull())
      .addColumn("tracked", types.integer, (column) => column.notNull())
      .addColumn("location", types.text)
      .addColumn("envelope", types.text, (column) => column.notNull())
      .addColumn("properties", types.text, (column) => column.notNull())
      .addColumn("hidden", types.text, (column) => column.notNull())
      .addColumn("state", types.text, (column) => column.notNull())
      .addColumn("etag", types.text, (column) => column.notNull())
      .addColumn("created_at", types.integer, (column) => column.notNull())
      .addColumn("created_by", types.text, (column) => column.notNull())
      .addColumn("created_by_type", types.text, (column) => column.notNull())
      .addColumn("changed_at", types.integer, (column) => column.notNull())
      .addColumn("changed_by", types.text, (column) => column.notNull())
      .addColumn("changed_by_type", types.text, (column) => column.notNull())
      .execute();
    const index = (name: string, columns: string[]): Promise<void> =>
      trx.schema.createIndex(name).on("resources").columns(columns).execute();
    await index("resources_by_type", ["type_key", "subscription_key", "group_key", "key"]);
    await index("resources_by_subscription", ["subscription_key", "tracked", "key"]);
    await index("resources_by_group", ["subscription_key", "group_key", "key"]);
    await index("resources_by_parent", ["parent_key", "type_key", "key"]);

    await createTable("operations")
      .addColumn("operation_id", types.text, (column) => column.primaryKey())
      .addColumn("kind", types.text, (column) => column.notNull())
      .addColumn("subscription_key", types.text, (column) => column.notNull())
      .addColumn("resource_id", types.text, (column) => column.notNull())
      .addColumn("status", types.text, (column) => column.notNull())
      .addColumn("input", types.text, (column) => column.notNull())
      .addColumn("result", types.text)
      .addColumn("error", types.text)
      .addColumn("percent", types.integer, (column) => column.notNull())
      .addColumn("caller", types.text, (column) => column.notNull())
      .addColumn("correlation_id", types.text, (column) => column.notNull())
      .addColumn("cancel_requested", types.integer, (column) => column.notNull())
      .addColumn("started_at", types.integer, (column) => column.notNull())
      .addColumn("ended_at", types.integer)
      .execute();
    await trx.schema.createIndex("operations_by_status").on("operations").columns(["status", "started_at"]).execute();

    await createTable("activity")
      .addColumn("event_id", types.text, (column) => column.primaryKey())
      .addColumn("subscription_key", types.text, (column) => column.notNull())
      .addColumn("group_key", types.text, (column) => column.notNull())
      .addColumn("resource_key", types.text, (column) => column.notNull())
      .addColumn("provider_key", types.text, (column) => column.notNull())
      .addColumn("caller_key", types.text, (column) => column.notNull())
      .addColumn("status_key", types.text, (column) => column.notNull())
      .addColumn("correlation_id", types.text, (column) => column.notNull())
      .addColumn("at", types.integer, (column) => column.notNull())
      .addColumn("event", types.text, (column) => column.notNull())
      .execute();
    await trx.schema
      .createIndex("activity_by_time")
      .on("activity")
      .columns(["subscription_key", "at", "event_id"])
      .execute();
    await trx.schema.createIndex("activity_by_correlation").on("activity").columns(["correlation_id"]).execute();
  },
};
