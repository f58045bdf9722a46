import type { Migration } from "../migration.ts";

export const backup: Migration = {
  name: "0009-backup",
  apply: async ({ trx, createTable, types: { text, integer } }) => {
    await createTable("protected_items")
      .addColumn("key", text, (column) => column.primaryKey())
      .addColumn("id", text, (column) => column.notNull())
      .addColumn("vault_key", text, (column) => column.notNull())
      .addColumn("item_id", text, (column) => column.notNull().unique())
      .addColumn("store_item", text, (column) => column.notNull())
      // A machine is in one vault only.
      .addColumn("machine_key", text, (column) => column.notNull().unique())
      .addColumn("machine_id", text, (column) => column.notNull())
      .addColumn("friendly_name", text, (column) => column.notNull())
      .addColumn("policy_key", text)
      .addColumn("state", text, (column) => column.notNull())
      .addColumn("disks", text)
      .addColumn("last_run_at", integer, (column) => column.notNull())
      .addColumn("last_backup_status", text, (column) => column.notNull())
      .addColumn("last_backup_at", integer)
      .addColumn("last_error", text)
      .addColumn("point_count", integer, (column) => column.notNull())
      .addColumn("oldest_point_at", integer)
      .addColumn("newest_point_at", integer)
      .addColumn("purge_at", integer)
      .addColumn("deleted_at", integer)
      .addColumn("soft_delete_days", integer)
      .addColumn("created_at", integer, (column) => column.notNull())
      .addColumn("changed_at", integer, (column) => column.notNull())
      .execute();
    await trx.schema
      .createIndex("protected_items_vault")
      .on("protected_items")
      .columns(["vault_key", "policy_key"])
      .execute();
    await createTable("jobs")
      .addColumn("id", text, (column) => column.primaryKey())
      .addColumn("vault_key", text, (column) => column.notNull())
      .addColumn("item_key", text)
      .addColumn("item_name", text, (column) => column.notNull())
      .addColumn("container_name", text, (column) => column.notNull())
      .addColumn("exclusive_key", text)
      .addColumn("host_id", text)
      .addColumn("operation", text, (column) => column.notNull())
      .addColumn("status", text, (column) => column.notNull())
      .addColumn("started_at", integer, (column) => column.notNull())
      .addColumn("ended_at", integer)
      .addColumn("is_user_triggered", integer, (column) => column.notNull())
      .addColumn("is_cancellable", integer, (column) => column.notNull())
      .addColumn("correlation_id", text, (column) => column.notNull())
      .addColumn("actor", text, (column) => column.notNull())
      .addColumn("run_after", integer, (column) => column.notNull())
      .addColumn("attempt", integer, (column) => column.notNull())
      .addColumn("input", text, (column) => column.notNull())
      .addColumn("checkpoint", text)
      .addColumn("tasks", text, (column) => column.notNull())
      .addColumn("properties", text, (column) => column.notNull())
      .addColumn("sub_steps", text, (column) => column.notNull())
      .addColumn("warnings", text, (column) => column.notNull())
      .addColumn("errors", text, (column) => column.notNull())
      .addColumn("percent", integer, (column) => column.notNull())
      .execute();
    await trx.schema.createIndex("jobs_vault").on("jobs").columns(["vault_key", "started_at", "id"]).execute();
    await trx.schema.createIndex("jobs_status").on("jobs").columns(["status"]).execute();
    await trx.schema.createIndex("jobs_item").on("jobs").columns(["item_key", "status"]).execute();
    await createTable("recovery_points")
      .addColumn("id", text, (column) => column.primaryKey())
      .addColumn("vault_key", text, (column) => column.notNull())
      .addColumn("item_key", text, (column) => column.notNull())
      .addColumn("job_id", text, (column) => column.notNull())
      .addColumn("store_point", text, (column) => column.notNull())
      .addColumn("taken_at", integer, (column) => column.notNull())
      .addColumn("is_in_snapshot_tier", integer, (column) => column.notNull())
      .addColumn("is_in_vault_tier", integer, (column) => column.notNull())
      .addColumn("consistency", text, (column) => column.notNull())
      .addColumn("origin", text, (column) => column.notNull())
      .addColumn("due_at", integer, (column) => column.notNull())
      .addColumn("marks", text)
      .addColumn("expires_at", integer)
      .addColumn("rule", text, (column) => column.notNull())
      .addColumn("keep_until", integer)
      .addColumn("facts", text, (column) => column.notNull())
      .addColumn("problems", text)
      .addColumn("verified_at", integer)
      .addColumn("is_soft_deleted", integer, (column) => column.notNull())
      .addColumn("keys", text)
      .addColumn("recovery_session_until", integer)
      .execute();
    await trx.schema
      .createIndex("recovery_points_item")
      .on("recovery_points")
      .columns(["item_key", "taken_at", "id"])
      .execute();
    await trx.schema.createIndex("recovery_points_vault").on("recovery_points").columns(["vault_key"]).execute();
    await createTable("vault_care")
      .addColumn("vault_key", text, (column) => column.notNull())
      .addColumn("care", text, (column) => column.notNull())
      .addColumn("last_at", integer, (column) => column.notNull())
      .addPrimaryKeyConstraint("vault_care_key", ["vault_key", "care"])
      .execute();
  },
};
