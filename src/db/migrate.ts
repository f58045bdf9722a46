// Brings the schema up to date: each migration in a transaction of its own together with its record,
// one process at a time.

import { sql, type Kysely, type Transaction } from "kysely";
import type { Clock } from "../lib/clock.ts";
import { databaseErrors } from "./errors.ts";
import { migrationTools, type Migration } from "./migration.ts";
import { migrations } from "./migrations.ts";
import type { Tables } from "./schema.ts";
import type { DatabaseDialect } from "./transaction.ts";

/** Any number that no other advisory lock in the same PostgreSQL database uses. */
const migrationLock = 4_827_190_331;

/** A database, as far as its schema is concerned. */
interface MigrationTarget {
  readonly kysely: Kysely<Tables>;
  readonly dialect: DatabaseDialect;
  readonly clock: Clock;
}

/** Applies what is missing and returns the names of what it applied. */
export async function migrate(
  database: MigrationTarget,
  signal?: AbortSignal,
  known: readonly Migration[] = migrations,
): Promise<string[]> {
  const applied: string[] = [];
  await database.kysely.connection().execute(async (connection) => {
    if (database.dialect === "postgres") await sql`select pg_advisory_lock(${migrationLock})`.execute(connection);
    try {
      for (const migration of known) {
        signal?.throwIfAborted();
        if (await applyOnce(database, connection, migration, known)) applied.push(migration.name);
      }
    } finally {
      if (database.dialect === "postgres") await sql`select pg_advisory_unlock(${migrationLock})`.execute(connection);
    }
  });
  return applied;
}

function applyOnce(
  database: MigrationTarget,
  connection: Kysely<Tables>,
  migration: Migration,
  known: readonly Migration[],
): Promise<boolean> {
  return connection.transaction().execute(async (trx) => {
    await createRecord(trx);
    const recorded = await trx.selectFrom("schema_migrations").select("name").execute();
    refuseUnknown(
      recorded.map(({ name }) => name),
      known,
    );
    if (recorded.some(({ name }) => name === migration.name)) return false;
    await applyMigration(trx, database, migration);
    return true;
  });
}

/** Applies one migration and records it; both are there after the commit, or neither. */
export async function applyMigration(
  trx: Transaction<Tables>,
  { dialect, clock }: Pick<MigrationTarget, "dialect" | "clock">,
  migration: Migration,
): Promise<void> {
  await createRecord(trx);
  await migration.apply(migrationTools(untyped(trx), dialect));
  await trx.insertInto("schema_migrations").values({ name: migration.name, applied_at: clock.now() }).execute();
}

/** Throws when `recorded` names a migration that this release does not have. */
export function refuseUnknown(recorded: readonly string[], known: readonly Migration[]): void {
  const unknown = recorded.filter((name) => !known.some((migration) => migration.name === name));
  if (unknown.length === 0) return;
  throw databaseErrors.DatabaseFromTheFuture(
    `The database was written by a newer release: it holds ${unknown.join(", ")}, ` +
      `and this release knows nothing after ${known.at(-1)?.name ?? "an empty database"}.`,
  );
}

async function createRecord(trx: Transaction<Tables>): Promise<void> {
  await sql`create table if not exists schema_migrations (name text primary key, applied_at bigint not null)`.execute(
    trx,
  );
}

function untyped(trx: Transaction<Tables>): Transaction<Record<string, Record<string, unknown>>> {
  return trx as unknown as Transaction<Record<string, Record<string, unknown>>>;
}
