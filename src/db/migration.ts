// What a migration is written with. It names its columns by meaning, so that both dialects store
// and sort alike: text by bytes, numbers whole.

import { sql, type CreateTableBuilder, type RawBuilder, type Transaction } from "kysely";
import type { DatabaseDialect } from "./transaction.ts";

export interface Migration {
  /** `NNNN-noun`; recorded in the database. */
  readonly name: string;
  readonly apply: (tools: MigrationTools) => Promise<void>;
}

export interface MigrationTools {
  /** The tables of that moment, not of today: queries are not typed. */
  readonly trx: Transaction<Record<string, Record<string, unknown>>>;
  readonly dialect: DatabaseDialect;
  /** A table that refuses values of the wrong type on both dialects. */
  createTable(name: string): CreateTableBuilder<string>;
  readonly types: {
    /** Ids, names and JSON; sorted by code point. */
    readonly text: RawBuilder<unknown>;
    /** Counts, milliseconds since the epoch, and flags as 0 or 1. */
    readonly integer: RawBuilder<unknown>;
    readonly bytes: RawBuilder<unknown>;
  };
}

const types = {
  sqlite: { text: sql`text`, integer: sql`integer`, bytes: sql`blob` },
  postgres: { text: sql`text collate "C"`, integer: sql`bigint`, bytes: sql`bytea` },
};

export function migrationTools(
  trx: Transaction<Record<string, Record<string, unknown>>>,
  dialect: DatabaseDialect,
): MigrationTools {
  return {
    trx,
    dialect,
    createTable: (name) => {
      const table = trx.schema.createTable(name);
      return dialect === "sqlite" ? table.modifyEnd(sql`strict`) : table;
    },
    types: types[dialect],
  };
}
