// One suite, both databases: the same tests run on SQLite and on a real PostgreSQL.

import { after, before, describe } from "node:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newGuid } from "../../lib/random.ts";
import type { DatabasePlace } from "../database.ts";
import type { DatabaseDialect } from "../transaction.ts";
import { postgresPrograms, startPostgres, type TestPostgres } from "./postgres.ts";

export interface DialectUnderTest {
  readonly dialect: DatabaseDialect;
  /** Where a new, empty database is. */
  newPlace(): Promise<DatabasePlace>;
}

export function describeEachDialect(name: string, suite: (under: DialectUnderTest) => void): void {
  describe(`${name} (SQLite)`, () => {
    let folder: string;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "holdfast-db-"));
    });
    after(() => rm(folder, { recursive: true, force: true }));
    suite({ dialect: "sqlite", newPlace: async () => ({ file: join(folder, `${newGuid()}.sqlite`) }) });
  });
  const skip = postgresPrograms() === undefined ? "PostgreSQL is not installed" : false;
  describe(`${name} (PostgreSQL)`, { skip }, () => {
    let server: TestPostgres;
    before(async () => {
      server = await startPostgres();
    });
    after(() => server.close());
    suite({ dialect: "postgres", newPlace: async () => ({ url: await server.newDatabase() }) });
  });
}
