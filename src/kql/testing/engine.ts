// An engine over tables that a test brings along.

import type { DuckDBInstance } from "@duckdb/node-api";
import { createEngine, openDuckDb, quoteName, type DatabaseSchema, type Engine, type EngineLimits } from "../index.ts";

export interface TestEngine extends AsyncDisposable {
  readonly engine: Engine;
  readonly duckdb: DuckDBInstance;
}

const testNow = Date.UTC(2026, 0, 15, 12);

/** Tables of the schema are tables of DuckDB with the same names; datetimes are TIMESTAMP there. */
export async function openTestEngine(
  databases: readonly DatabaseSchema[] = [{ name: "db", tables: [], functions: [] }],
  limits: Partial<EngineLimits> = {},
  setUp: readonly string[] = [],
): Promise<TestEngine> {
  const duckdb = await openDuckDb({ memoryLimitMiB: 512 });
  const connection = await duckdb.connect();
  for (const statement of setUp) await connection.run(statement);
  connection.closeSync();
  const engine = createEngine({
    duckdb,
    limits,
    clock: { now: () => testNow },
    catalog: {
      databases: () => Promise.resolve(databases),
      source: (database, table) => {
        const schema = databases.find(({ name }) => name === database)?.tables.find(({ name }) => name === table);
        const columns = new Map(
          (schema?.columns ?? []).map(({ name, type }) => [
            name,
            { sql: quoteName(name), timestamp: type === "datetime" },
          ]),
        );
        return { from: quoteName(table), columns };
      },
    },
  });
  return {
    engine,
    duckdb,
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]();
      duckdb.closeSync();
    },
  };
}
