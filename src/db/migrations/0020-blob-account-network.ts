import type { Migration } from "../migration.ts";

export const blobAccountNetwork: Migration = {
  name: "0020-blob-account-network",
  apply: async ({ trx, types: { text } }) => {
    await trx.schema
      .alterTable("blob_accounts")
      .addColumn("admitted", text, (column) => column.notNull().defaultTo('"all"'))
      .execute();
  },
};
