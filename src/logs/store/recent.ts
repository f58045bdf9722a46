// Rows that are in the journal and not yet in Parquet, as tables in memory. They belong to a
// generation: when one is sealed, the next begins, and the old is dropped once nobody reads it.
// Filling a column costs as much without values as with them, and most records use few of their table's
// columns; so rows with the same columns share a table that has only those.

import type { DuckDBConnection, DuckDBPreparedStatement } from "@duckdb/node-api";
import { quoteName, type ColumnSchema } from "../../kql/index.ts";
import { absentValue, physicalType } from "../rows/physical.ts";
import { joinColumn, readPart, splitText, type JoinedColumn, type RowBlock } from "../rows/row-block.ts";

export interface Generation {
  readonly number: number;
  /** By `workspace/table`. */
  readonly tables: ReadonlyMap<string, readonly RecentTable[]>;
  /** The blocks are of the same workspace and table. */
  append(key: string, columns: readonly ColumnSchema[], blocks: readonly RowBlock[]): Promise<void>;
  drop(connection: DuckDBConnection): Promise<void>;
}

export interface RecentTable {
  /** As it stands in SQL. */
  readonly from: string;
  readonly columns: ReadonlySet<string>;
}

interface FilledTable extends RecentTable {
  /** By the columns that have values: preparing costs more than running. */
  readonly inserts: Map<string, DuckDBPreparedStatement>;
}

/** Beyond this many tables for one key, a query pays more for them than a record saves. */
const mostTables = 8;
/** A table fits when it has no more columns without a value than this. */
const mostUnused = 6;
const mostStatements = 16;

export async function beginGeneration(connection: DuckDBConnection, number: number): Promise<Generation> {
  const schema = `g${number}`;
  await connection.run(`CREATE SCHEMA ${schema}`);
  const tables = new Map<string, FilledTable[]>();

  const create = async (key: string, columns: readonly ColumnSchema[]): Promise<FilledTable> => {
    const known = tables.get(key) ?? [];
    const from = `${schema}.${quoteName(`${key}/${known.length}`)}`;
    const list = columns.map(
      ({ name, type }) => `${quoteName(name)} ${physicalType(type)} DEFAULT ${absentValue(type)}`,
    );
    await connection.run(`CREATE TABLE ${from} (${list.join(", ")})`);
    const table = { from, columns: new Set(columns.map(({ name }) => name)), inserts: new Map() };
    tables.set(key, [...known, table]);
    return table;
  };

  const tableFor = async (
    key: string,
    columns: readonly ColumnSchema[],
    used: ReadonlySet<string>,
  ): Promise<FilledTable> => {
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

  const insertInto = async (table: FilledTable, texts: readonly JoinedColumn[]): Promise<DuckDBPreparedStatement> => {
    const shape = texts
      .map(({ name, isEscaped, hasNullStrings }) => `${name}${isEscaped ? "!" : ""}${hasNullStrings ? "?" : ""}`)
      .join();
    const prepared = table.inserts.get(shape);
    if (prepared !== undefined) return prepared;
    if (table.inserts.size >= mostStatements) forgetStatements(table);
    const statement = await connection.prepare(insertText(table, texts));
    table.inserts.set(shape, statement);
    return statement;
  };

  return {
    number,
    tables,
    append: async (key, columns, blocks) => {
      const used = new Set(blocks.flatMap((block) => block.columns.map(({ name }) => name)));
      const table = await tableFor(key, columns, used);
      const texts = columns
        .filter(({ name }) => used.has(name))
        .map(({ name, type }) => joinColumn(name, type, blocks));
      const insert = await insertInto(table, texts);
      for (const [index, { text }] of texts.entries()) insert.bindVarchar(index + 1, text);
      await insert.run();
      insert.clearBindings();
    },
    drop: async (dropping) => {
      for (const filled of tables.values()) for (const table of filled) forgetStatements(table);
      await dropping.run(`DROP SCHEMA ${schema} CASCADE`);
    },
  };
}

function forgetStatements({ inserts }: FilledTable): void {
  for (const statement of inserts.values()) statement.destroySync();
  inserts.clear();
}

function insertText({ from }: FilledTable, texts: readonly JoinedColumn[]): string {
  const names = texts.map(({ name }) => quoteName(name));
  const parts = texts.map((_, index) => `${splitText(`$${index + 1}`)} AS p${index}`);
  const values = texts.map((column, index) => readPart(`p${index}`, column));
  return `INSERT INTO ${from} (${names.join(", ")}) SELECT ${values.join(", ")} FROM (SELECT ${parts.join(", ")})`;
}
