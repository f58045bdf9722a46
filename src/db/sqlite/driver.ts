// Two connections to one file. Reads outside a transaction use the read connection (WAL: they never
// wait and see only what is committed); everything else takes its turn on the write connection.

import { DatabaseSync } from "node:sqlite";
import {
  CompiledQuery,
  RawNode,
  SelectQueryNode,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
} from "kysely";
import { databaseErrors } from "../errors.ts";
import { refuseInsideTransaction } from "../transaction.ts";
import { statementConnection, type StatementConnection } from "./statements.ts";
import { writerQueue, type WriterQueue } from "./writer-queue.ts";

const busyTimeoutMilliseconds = 5_000;
const patienceMilliseconds = 30_000;

export function sqliteDriver(file: string): Driver {
  const queue = writerQueue(patienceMilliseconds);
  let writer: StatementConnection | undefined;
  let reader: StatementConnection | undefined;

  function parts(): Parts {
    if (writer === undefined || reader === undefined) {
      throw databaseErrors.DatabaseClosed(`The database ${file} is closed.`);
    }
    return { file, queue, writer, reader };
  }

  return {
    init: async () => {
      writer = statementConnection(openWriter(file));
      reader = statementConnection(openReader(file));
    },
    acquireConnection: async () => new RoutedConnection(parts()),
    beginTransaction: (connection) => routed(connection).begin(),
    commitTransaction: (connection) => routed(connection).commit(),
    rollbackTransaction: (connection) => routed(connection).rollback(),
    releaseConnection: async (connection) => routed(connection).release(),
    destroy: async () => {
      await queue.idle();
      reader?.close();
      writer?.close();
      reader = undefined;
      writer = undefined;
    },
  };
}

interface Parts {
  readonly file: string;
  readonly queue: WriterQueue;
  readonly writer: StatementConnection;
  readonly reader: StatementConnection;
}

/** What kysely holds for one query or for one transaction. */
class RoutedConnection implements DatabaseConnection {
  readonly #parts: Parts;
  #leave: (() => void) | undefined;
  #released = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { queue, reader, writer } = this.#parts;
    if (this.#released) {
      throw databaseErrors.TransactionEnded(`A query came after its transaction had ended: ${query.sql.slice(0, 200)}`);
    }
    if (this.#leave !== undefined) return writer.execute(query);
    if (onlyReads(query)) return reader.execute(query);
    refuseInsideTransaction("A write beside it");
    const leave = await queue.enter();
    try {
      return writer.execute(query);
    } finally {
      leave();
    }
  }

  /** An open cursor pins its connection to one moment, so each stream has a connection of its own. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    if (this.#leave !== undefined) {
      for (const row of this.#parts.writer.iterate<R>(query)) yield { rows: [row] };
      return;
    }
    const own = statementConnection(openReader(this.#parts.file));
    try {
      for (const row of own.iterate<R>(query)) yield { rows: [row] };
    } finally {
      own.close();
    }
  }

  async begin(): Promise<void> {
    const leave = await this.#parts.queue.enter();
    try {
      this.#parts.writer.execute(CompiledQuery.raw("begin immediate"));
      this.#leave = leave;
    } catch (error) {
      leave();
      throw error;
    }
  }

  async commit(): Promise<void> {
    this.#parts.writer.execute(CompiledQuery.raw("commit"));
    this.#endTurn();
  }

  async rollback(): Promise<void> {
    // A full disk makes SQLite roll back by itself.
    if (this.#parts.writer.inTransaction) this.#parts.writer.execute(CompiledQuery.raw("rollback"));
    this.#endTurn();
  }

  release(): void {
    this.#released = true;
    this.#endTurn();
  }

  #endTurn(): void {
    this.#leave?.();
    this.#leave = undefined;
  }
}

function routed(connection: DatabaseConnection): RoutedConnection {
  if (connection instanceof RoutedConnection) return connection;
  throw new TypeError("a connection of another driver");
}

function onlyReads({ query, sql }: CompiledQuery): boolean {
  if (SelectQueryNode.is(query)) return true;
  return RawNode.is(query) && /^\s*select\s/i.test(sql);
}

function openWriter(file: string): DatabaseSync {
  const database = new DatabaseSync(file, {
    enableForeignKeyConstraints: true,
    enableDoubleQuotedStringLiterals: false,
    timeout: busyTimeoutMilliseconds,
  });
  database.exec("pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = 67108864");
  return database;
}

function openReader(file: string): DatabaseSync {
  return new DatabaseSync(file, {
    readOnly: true,
    enableDoubleQuotedStringLiterals: false,
    timeout: busyTimeoutMilliseconds,
  });
}
