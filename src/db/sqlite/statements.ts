// One SQLite connection and its prepared statements. A point read costs a map look-up and a step,
// because preparing is what takes the time.

import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { CompiledQuery, QueryResult } from "kysely";

interface Prepared {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
}

export interface StatementConnection {
  execute<R>(query: CompiledQuery): QueryResult<R>;
  iterate<R>(query: CompiledQuery): IterableIterator<R>;
  readonly inTransaction: boolean;
  close(): void;
}

/** Statements whose text varies (lists of different lengths) must not grow the cache for ever. */
const cachedStatements = 400;

/** Rows come without a prototype. Copying a thousand of them would cost as much as reading them. */
const plain = (row: object): object => Object.setPrototypeOf(row, Object.prototype) as object;

export function statementConnection(database: DatabaseSync): StatementConnection {
  const cache = new Map<string, Prepared>();

  function prepare(sql: string): Prepared {
    const known = cache.get(sql);
    if (known !== undefined) {
      cache.delete(sql);
      cache.set(sql, known);
      return known;
    }
    const statement = database.prepare(sql);
    const prepared = { statement, returnsRows: statement.columns().length > 0 };
    cache.set(sql, prepared);
    if (cache.size > cachedStatements) {
      const oldest = cache.keys().next();
      if (oldest.done !== true) cache.delete(oldest.value);
    }
    return prepared;
  }

  return {
    execute: <R>(query: CompiledQuery): QueryResult<R> => {
      const { statement, returnsRows } = prepare(query.sql);
      const parameters = query.parameters.map(toSqlite);
      if (returnsRows) return { rows: statement.all(...parameters).map(plain) as R[] };
      const { changes, lastInsertRowid } = statement.run(...parameters);
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    },
    *iterate<R>(query: CompiledQuery): IterableIterator<R> {
      for (const row of database.prepare(query.sql).iterate(...query.parameters.map(toSqlite))) yield { ...row } as R;
    },
    get inTransaction() {
      return database.isTransaction;
    },
    close: () => {
      cache.clear();
      database.close();
    },
  };
}

/** node:sqlite binds every number as a real; whole numbers must stay whole, as on PostgreSQL. */
function toSqlite(value: unknown): SQLInputValue {
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  return value as SQLInputValue;
}
