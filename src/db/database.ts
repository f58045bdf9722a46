// The control data: one SQLite file, or PostgreSQL by URL, behind the same queries. Whoever changes
// state does it in `transaction`, together with the events and the outbox rows that tell of it.

import { Kysely, sql, type Transaction } from "kysely";
import type { Clock } from "../lib/clock.ts";
import { disk } from "../lib/files.ts";
import { systemCode } from "../lib/errors.ts";
import { databaseErrors } from "./errors.ts";
import { migrate } from "./migrate.ts";
import { localNotices, postgresNotices, type Notices } from "./notices.ts";
import { retryConflicts } from "./postgres/conflicts.ts";
import { postgresDialect } from "./postgres/dialect.ts";
import type { Tables } from "./schema.ts";
import { sqliteDialect } from "./sqlite/dialect.ts";
import { refuseInsideTransaction, runScoped, type DatabaseDialect } from "./transaction.ts";

export interface DatabasePlace {
  /** A SQLite file; made when it is not there. */
  readonly file?: string;
  /** postgresql://…; wins over `file`. */
  readonly url?: string;
}

export interface DatabaseOptions extends DatabasePlace {
  readonly clock: Clock;
  /** PostgreSQL only: how many connections this process may hold. */
  readonly connections?: number;
  /** Hears of connections that broke; new ones are made by themselves. */
  readonly report?: (error: Error) => void;
  readonly signal?: AbortSignal;
}

export interface Database extends AsyncDisposable {
  /** Reads (of what is committed) and single-statement writes. */
  readonly kysely: Kysely<Tables>;
  readonly dialect: DatabaseDialect;
  readonly clock: Clock;
  readonly place: DatabasePlace;
  readonly notices: Notices;
  /**
   * All or nothing, and as if alone. On PostgreSQL `work` runs again when it collided with another
   * transaction: it must do nothing but talk to the database; what else is to happen belongs in
   * `scopeOf(trx).afterCommit` or in the outbox.
   */
  transaction<T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Opens the database and brings its schema up to date. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const database = await connectDatabase(options);
  try {
    await migrate(database, options.signal);
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

/** Opens the database with the schema that it has. */
export async function connectDatabase(options: DatabaseOptions): Promise<Database> {
  options.signal?.throwIfAborted();
  const connected =
    options.url === undefined ? await connectSqlite(options.file) : connectPostgres(options.url, options);
  const database = assemble(connected, options);
  try {
    await sql`select 1`.execute(database.kysely);
    return database;
  } catch (cause) {
    await database.close();
    const place = options.url === undefined ? `The database file ${options.file}` : "The PostgreSQL server";
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw databaseErrors.DatabaseUnusable(`${place} cannot be used: ${reason}.`, { cause });
  }
}

interface Connected {
  readonly dialect: DatabaseDialect;
  readonly kysely: Kysely<Tables>;
  /** Where transactions get their connections. */
  readonly transactions: Kysely<Tables>;
  readonly notices: Notices;
}

async function connectSqlite(file: string | undefined): Promise<Connected> {
  if (file === undefined) throw databaseErrors.DatabaseUrlInvalid("Neither a database file nor a URL is given.");
  await createPrivately(file);
  const kysely = new Kysely<Tables>({ dialect: sqliteDialect(file) });
  return { dialect: "sqlite", kysely, transactions: kysely, notices: localNotices() };
}

/**
 * Reads and transactions have a pool each: a read inside a transaction would otherwise wait for a
 * connection that only the end of such a transaction can free.
 */
function connectPostgres(url: string, options: DatabaseOptions): Connected {
  const report = options.report ?? (() => {});
  const half = Math.max(1, Math.floor((options.connections ?? 16) / 2));
  const reads = postgresDialect(parseUrl(url), half, report);
  const writes = postgresDialect(url, half, report);
  return {
    dialect: "postgres",
    kysely: new Kysely<Tables>({ dialect: reads.dialect }),
    transactions: new Kysely<Tables>({ dialect: writes.dialect }),
    notices: postgresNotices(reads.pool, report),
  };
}

function assemble(
  { dialect, kysely, transactions, notices }: Connected,
  { clock, file, url }: DatabaseOptions,
): Database {
  const close = async (): Promise<void> => {
    await notices.close();
    await transactions.destroy();
    await kysely.destroy();
  };
  const attempt = async <T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> => {
    const { result, afterCommit } = await transactions
      .transaction()
      .setIsolationLevel("serializable")
      .execute((trx) => runScoped(trx, dialect, clock, notices.ring, work));
    for (const step of afterCommit) step();
    return result;
  };
  return {
    kysely,
    dialect,
    clock,
    place: url === undefined ? { file } : { url },
    notices,
    transaction: async (work) => {
      refuseInsideTransaction("A second transaction");
      return dialect === "postgres" ? retryConflicts(() => attempt(work)) : attempt(work);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** SQLite gives its WAL the mode of the file, so the file is made first, for its owner only. */
async function createPrivately(file: string): Promise<void> {
  try {
    await (await disk.open(file, "createNew", 0o600)).close();
  } catch (error) {
    if (systemCode(error) === "EEXIST") return;
    throw databaseErrors.DatabaseUnusable(`The database file ${file} cannot be made: ${systemCode(error)}.`, {
      cause: error,
    });
  }
}

/** The message never repeats the URL: it holds a password. */
function parseUrl(url: string): string {
  if (!URL.canParse(url) || !/^postgres(ql)?:\/\//.test(url)) {
    throw databaseErrors.DatabaseUrlInvalid("The database URL is not a PostgreSQL URL.");
  }
  return url;
}
