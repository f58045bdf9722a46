// Rows that are in the journal and not yet in Parquet, as tables in memory. They belong to a
// generation: when one is sealed, the next begins, and the old is dropped once nobody reads it.

import { DuckDBDataChunk, type DuckDBConnection } from "@duckdb/node-api";
import { quoteName, type ColumnSchema } from "../../kql/index.ts";
import type { StoredRow } from "../records.ts";
import { physicalType, physicalValue } from "./physical.ts";

export interface Generation {
  readonly number: number;
  /** By `workspace/table`. */
  readonly tables: ReadonlyMap<string, RecentTable>;
  append(
    connection: DuckDBConnection,
    key: string,
    columns: readonly ColumnSchema[],
    rows: readonly StoredRow[],
  ): Promise<void>;
  drop(connection: DuckDBConnection): Promise<void>;
}

export interface RecentTable {
  /** As it stands in SQL. */
  readonly from: string;
  readonly columns: ReadonlySet<string>;
}

const chunkRows = 2048;

export async function beginGeneration(connection: DuckDBConnection, number: number): Promise<Generation> {
  const schema = `g${number}`;
  await connection.run(`CREATE SCHEMA ${schema}`);
  const tables = new Map<string, { readonly from: string; readonly columns: Set<string> }>();

  const prepare = async (key: string, columns: readonly ColumnSchema[]): Promise<void> => {
    const known = tables.get(key);
    if (known === undefined) {
      const from = `${schema}.${quoteName(key)}`;
      const list = columns.map(({ name, type }) => `${quoteName(name)} ${physicalType(type).sql}`).join(", ");
      await connection.run(`CREATE TABLE ${from} (${list})`);
      tables.set(key, { from, columns: new Set(columns.map(({ name }) => name)) });
      return;
    }
    for (const { name, type } of columns) {
      if (known.columns.has(name)) continue;
      await connection.run(`ALTER TABLE ${known.from} ADD COLUMN ${quoteName(name)} ${physicalType(type).sql}`);
      known.columns.add(name);
    }
  };

  return {
    number,
    tables,
    append: async (connection, key, columns, rows) => {
      await prepare(key, columns);
      const byName = new Map(columns.map((column) => [column.name, column]));
      const ordered = [...(tables.get(key)?.columns ?? [])].flatMap((name) => byName.get(name) ?? []);
      const appender = await connection.createAppender(key, schema);
      try {
        for (let at = 0; at < rows.length; at += chunkRows) {
          const part = rows.slice(at, at + chunkRows);
          const chunk = DuckDBDataChunk.create(
            ordered.map(({ type }) => physicalType(type).type),
            part.length,
          );
          chunk.setColumns(ordered.map(({ name, type }) => part.map((row) => physicalValue(type, row[name]))));
          appender.appendDataChunk(chunk);
        }
        appender.flushSync();
      } finally {
        appender.closeSync();
      }
    },
    drop: async (connection) => {
      await connection.run(`DROP SCHEMA ${schema} CASCADE`);
    },
  };
}
