// All tables as of one moment, while others go on writing.

import { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { sql } from "kysely";
import type { Database } from "../database.ts";

export interface Snapshot {
  /** In the order in which they were made, so that what refers comes after what it refers to. */
  tables(): Promise<readonly TableShape[]>;
  /** Values in the order of the table's columns. */
  rows(table: TableShape): AsyncIterable<readonly unknown[]>;
}

export interface TableShape {
  readonly name: string;
  readonly columns: readonly string[];
}

const pageSize = 500;

export async function withSnapshot<T>(database: Database, work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  const { file } = database.place;
  return file === undefined ? withPostgresSnapshot(database, work) : withSqliteSnapshot(file, work);
}

async function withSqliteSnapshot<T>(file: string, work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  const connection = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  try {
    // WAL: the first read pins the moment for all that follow.
    connection.exec("begin");
    return await work({
      tables: async () => {
        const named = connection
          .prepare(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by rowid",
          )
          .all();
        return named.map(({ name }) => ({
          name: String(name),
          columns: connection
            .prepare("select name from pragma_table_info(?) order by cid")
            .all(String(name))
            .map((column) => String(column["name"])),
        }));
      },
      rows: async function* ({ name, columns }) {
        const statement = connection.prepare(`select ${columns.map(quote).join(", ")} from ${quote(name)}`);
        statement.setReturnArrays(true);
        let count = 0;
        for (const row of statement.iterate()) {
          yield Object.values(row);
          count += 1;
          if (count % pageSize === 0) await nextTurn();
        }
      },
    });
  } finally {
    connection.close();
  }
}

async function withPostgresSnapshot<T>(database: Database, work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  const transaction = database.kysely.transaction().setIsolationLevel("repeatable read").setAccessMode("read only");
  return transaction.execute((trx) =>
    work({
      tables: async () => {
        const { rows } = await sql<TableShape>`
          select relname as name, array_agg(attname::text order by attnum) as columns
          from pg_class join pg_attribute on attrelid = pg_class.oid
          where relkind = 'r' and relnamespace = current_schema()::regnamespace and attnum > 0 and not attisdropped
          group by pg_class.oid, relname
          order by pg_class.oid
        `.execute(trx);
        return rows;
      },
      rows: async function* ({ name, columns }) {
        const chosen = sql.join(columns.map((column) => sql.id(column)));
        await sql`declare backup_rows no scroll cursor for select ${chosen} from ${sql.id(name)}`.execute(trx);
        for (;;) {
          const { rows } = await sql<Record<string, unknown>>`fetch ${sql.lit(pageSize)} from backup_rows`.execute(trx);
          for (const row of rows) yield columns.map((column) => row[column]);
          if (rows.length < pageSize) break;
        }
        await sql`close backup_rows`.execute(trx);
      },
    }),
  );
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
