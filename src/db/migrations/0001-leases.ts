import type { Migration } from "../migration.ts";

export const leases: Migration = {
  name: "0001-leases",
  apply: async ({ createTable, types }) => {
    await createTable("leases")
      .addColumn("name", types.text, (column) => column.primaryKey())
      .addColumn("holder", types.text, (column) => column.notNull())
      .addColumn("fence", types.integer, (column) => column.notNull())
      .addColumn("acquired_at", types.integer, (column) => column.notNull())
      .addColumn("expires_at", types.integer, (column) => column.notNull())
      .execute();
  },
};
