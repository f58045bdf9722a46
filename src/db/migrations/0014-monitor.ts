import type { Migration } from "../migration.ts";

export const monitor: Migration = {
  name: "0014-monitor",
  apply: async ({ trx, createTable, types: { text, integer } }) => {
    await createTable("alerts")
      .addColumn("id", text, (column) => column.primaryKey())
      .addColumn("subscription_key", text, (column) => column.notNull())
      .addColumn("target", text, (column) => column.notNull())
      .addColumn("target_key", text, (column) => column.notNull())
      .addColumn("rule", text, (column) => column.notNull())
      .addColumn("rule_id", text)
      .addColumn("service", text, (column) => column.notNull())
      .addColumn("signal_type", text, (column) => column.notNull())
      .addColumn("severity", text, (column) => column.notNull())
      .addColumn("condition", text, (column) => column.notNull())
      .addColumn("state", text, (column) => column.notNull())
      .addColumn("description", text, (column) => column.notNull())
      .addColumn("origin_id", text, (column) => column.notNull())
      // What fires again while this is open belongs to the same alert; null once it is resolved.
      .addColumn("open_key", text, (column) => column.unique())
      .addColumn("context", text, (column) => column.notNull())
      .addColumn("actions", text, (column) => column.notNull())
      .addColumn("is_muted", integer, (column) => column.notNull())
      .addColumn("fired_at", integer, (column) => column.notNull())
      .addColumn("resolved_at", integer)
      .addColumn("changed_at", integer, (column) => column.notNull())
      .addColumn("changed_by", text, (column) => column.notNull())
      .execute();
    await trx.schema
      .createIndex("alerts_subscription")
      .on("alerts")
      .columns(["subscription_key", "fired_at", "id"])
      .execute();
    await createTable("alert_changes")
      .addColumn("alert_id", text, (column) => column.notNull())
      .addColumn("number", integer, (column) => column.notNull())
      .addColumn("event", text, (column) => column.notNull())
      .addColumn("old_value", text)
      .addColumn("new_value", text)
      .addColumn("at", integer, (column) => column.notNull())
      .addColumn("by", text, (column) => column.notNull())
      .addColumn("comments", text)
      .addPrimaryKeyConstraint("alert_changes_key", ["alert_id", "number"])
      .execute();
    await createTable("rule_runs")
      .addColumn("rule_key", text, (column) => column.primaryKey())
      .addColumn("next_at", integer, (column) => column.notNull())
      .addColumn("frequency", integer, (column) => column.notNull())
      .addColumn("state", text, (column) => column.notNull())
      .addColumn("last_error", text)
      .execute();
    await trx.schema.createIndex("rule_runs_next").on("rule_runs").columns(["next_at"]).execute();
    await createTable("monitor_marks")
      .addColumn("name", text, (column) => column.primaryKey())
      .addColumn("at", integer, (column) => column.notNull())
      .execute();
  },
};
