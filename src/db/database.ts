// The control data: one SQLite file, or PostgreSQL by URL, behind the same queries. Whoever changes
// state does it in `transaction`, together with the events and the outbox rows that tell of it.

import { Kysely, type Transaction } from "kysely";
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
  /** Hears of connections that broke while idle. */
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
  if (options.url !== undefined) {
    const url = parseUrl(options.url);
    const report = options.report ?? (() => {});
    const { dialect, pool } = postgresDialect(url, options.connections ?? 10, report);
    return assemble("postgres", new Kysely<Tables>({ dialect }), options, postgresNotices(pool, report));
  }
  if (options.file === undefined)
    throw databaseErrors.DatabaseUrlInvalid("Neither a database file nor a URL is given.");
  await createPrivately(options.file);
  return assemble("sqlite", new Kysely<Tables>({ dialect: sqliteDialect(options.file) }), options, localNotices());
}

function assemble(
  dialect: DatabaseDialect,
  kysely: Kysely<Tables>,
  { clock, file, url }: DatabaseOptions,
  notices: Notices,
): Database {
  const close = async (): Promise<void> => {
    await notices.close();
    await kysely.destroy();
  };
  const attempt = async <T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> => {
    const { result, afterCommit } = await kysely
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
    if (systemCode(error) !== "EEXIST") throw error;
  }
}

/** The message never repeats the URL: it holds a password. */
function parseUrl(url: string): string {
  if (!URL.canParse(url) || !/^postgres(ql)?:\/\//.test(url)) {
    throw databaseErrors.DatabaseUrlInvalid("The database URL is not a PostgreSQL URL.");
  }
  return url;
}
