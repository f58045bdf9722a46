import { sql } from "kysely";
import type { Migration } from "../migration.ts";

export const events: Migration = {
  name: "0005-events",
  apply: async ({ createTable, trx, dialect, types }) => {
    await createTable("events")
      .addColumn("position", types.integer, (column) => column.primaryKey())
      .addColumn("id", types.text, (column) => column.notNull().unique())
      .addColumn("type", types.text, (column) => column.notNull())
      .addColumn("subject", types.text, (column) => column.notNull())
      .addColumn("subjects", types.text, (column) => column.notNull())
      .addColumn("data", types.text, (column) => column.notNull())
      .addColumn("correlation_id", types.text, (column) => column.notNull())
      .addColumn("actor", types.text, (column) => column.notNull())
      .addColumn("occurred_at", types.integer, (column) => column.notNull())
      .execute();
    // SQLite's only writer counts by itself; PostgreSQL's many cannot.
    if (dialect === "postgres") await sql`create sequence event_position`.execute(trx);
    await createTable("event_subscribers")
      .addColumn("name", types.text, (column) => column.primaryKey())
      .addColumn("position", types.integer, (column) => column.notNull())
      .addColumn("updated_at", types.integer, (column) => column.notNull())
      .execute();
    await createTable("event_retention")
      .addColumn("id", types.integer, (column) => column.primaryKey())
      .addColumn("purged_through", types.integer, (column) => column.notNull())
      .execute();
    await trx.insertInto("event_retention").values({ id: 1, purged_through: 0 }).execute();
  },
};
