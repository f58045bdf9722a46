// Rows that are in the journal and not yet in Parquet, as tables in memory. They belong to a
// generation: when one is sealed, the next begins, and the old is dropped once nobody reads it.
// Filling a column costs as much without values as with them, and most records use few of their table's
// columns; so rows with the same columns share a table that has only those.

import { DuckDBDataChunk, type DuckDBConnection } from "@duckdb/node-api";
import { quoteName, type ColumnSchema } from "../../kql/index.ts";
import type { StoredRow } from "../records.ts";
import { physicalType, physicalValue } from "./physical.ts";

export interface Generation {
  readonly number: number;
  /** By `workspace/table`. */
  readonly tables: ReadonlyMap<string, readonly RecentTable[]>;
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

interface FilledTable extends RecentTable {
  readonly name: string;
  readonly ordered: readonly ColumnSchema[];
}

const chunkRows = 2048;
/** Beyond this many tables for one key, a query pays more for them than a record saves. */
const mostTables = 8;
/** A table fits when it has no more columns without a value than this. */
const mostUnused = 6;

export async function beginGeneration(connection: DuckDBConnection, number: number): Promise<Generation> {
  const schema = `g${number}`;
  await connection.run(`CREATE SCHEMA ${schema}`);
  const tables = new Map<string, FilledTable[]>();

  const create = async (key: string, ordered: readonly ColumnSchema[]): Promise<FilledTable> => {
    const known = tables.get(key) ?? [];
    const name = `${key}/${known.length}`;
    const from = `${schema}.${quoteName(name)}`;
    const list = ordered.map((column) => `${quoteName(column.name)} ${physicalType(column.type).sql}`).join(", ");
    await connection.run(`CREATE TABLE ${from} (${list})`);
    const table = { name, from, ordered, columns: new Set(ordered.map((column) => column.name)) };
    tables.set(key, [...known, table]);
    return table;
  };

  const tableFor = async (
    key: string,
    columns: readonly ColumnSchema[],
    rows: readonly StoredRow[],
  ): Promise<FilledTable> => {
    const used = new Set<string>();
    for (const row of rows) for (const name in row) used.add(name);
    const known = tables.get(key) ?? [];
    const holds = ({ columns: own }: FilledTable): boolean => used.isSubsetOf(own);
    const fitting = known.find((table) => holds(table) && table.columns.size <= used.size + mostUnused);
    if (fitting !== undefined) return fitting;
    if (known.length < mostTables)
      return create(
        key,
        columns.filter(({ name }) => used.has(name)),
      );
    return known.findLast(holds) ?? create(key, columns);
  };

  return {
    number,
    tables,
    append: async (connection, key, columns, rows) => {
      const { name, ordered } = await tableFor(key, columns, rows);
      const appender = await connection.createAppender(name, schema);
      try {
        for (let at = 0; at < rows.length; at += chunkRows) {
          const part = rows.slice(at, at + chunkRows);
          const chunk = DuckDBDataChunk.create(
            ordered.map(({ type }) => physicalType(type).type),
            part.length,
          );
          chunk.setColumns(ordered.map((column) => part.map((row) => physicalValue(column.type, row[column.name]))));
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
