// KQL over workspaces: one engine for all, told for each query which workspaces its names mean.

import { AsyncLocalStorage } from "node:async_hooks";
import { createEngine, kqlErrors, type DatabaseSchema, type QueryResult } from "../../kql/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { logTables } from "../schema/tables.ts";
import type { LogStore } from "../store/log-store.ts";
import type { Slice } from "../store/sources.ts";
import type { LookUp, QueryWorkspace } from "./query-workspace.ts";

export interface LogQuery {
  readonly text: string;
  /** Bare table names mean the rows of all of these together. */
  readonly workspaces: readonly QueryWorkspace[];
  readonly slice: Slice;
  /** What now() means; the clock's time when absent. */
  readonly now?: number | undefined;
  /** For workspace("…"). */
  readonly lookUp: LookUp;
}

export interface LogQueries extends AsyncDisposable {
  run(query: LogQuery, signal?: AbortSignal): Promise<QueryResult>;
  /** Loads what the first query would wait for. */
  warm(signal: AbortSignal): Promise<void>;
}

interface Running {
  readonly query: LogQuery;
  readonly databases: Map<string, readonly QueryWorkspace[]>;
}

const longestQuery = 600_000;
const rememberedCatalogs = 100;
const warming =
  'datatable(TimeGenerated:datetime, Type:string)[] | where TimeGenerated > ago(1h) and Type has "a" | summarize count() by Type';

export function createLogQueries(store: LogStore, clock: Clock): LogQueries {
  const running = new AsyncLocalStorage<Running>();
  const catalogs = new Map<string, readonly DatabaseSchema[]>();
  const present = (): Running => {
    const found = running.getStore();
    if (found === undefined) throw new Error("the catalogue of logs was asked outside a query");
    return found;
  };

  const engine = createEngine({
    duckdb: store.duckdb,
    clock,
    limits: { queryMilliseconds: longestQuery },
    catalog: {
      databases: async (named) => {
        const { query, databases } = present();
        const [first] = query.workspaces;
        databases.set(first?.name ?? "", query.workspaces);
        for (const name of named) if (!databases.has(name)) databases.set(name, [await query.lookUp(name)]);
        // A catalogue that has not changed must be the same array.
        const key = JSON.stringify([store.schemaVersion, [...databases]]);
        const known =
          catalogs.get(key) ?? [...databases].map(([name, workspaces]) => schemaOf(store, name, workspaces));
        catalogs.delete(key);
        catalogs.set(key, known);
        if (catalogs.size > rememberedCatalogs) catalogs.delete(catalogs.keys().next().value ?? "");
        return known;
      },
      source: (database, table, bounds) => {
        const { query, databases } = present();
        const workspaces = databases.get(database);
        if (workspaces === undefined) throw kqlErrors.SemanticError(`There is no workspace '${database}'.`);
        return store.source(
          workspaces.map(({ customerId }) => customerId),
          table,
          query.slice,
          bounds.get("TimeGenerated"),
        );
      },
    },
  });

  const run: LogQueries["run"] = async (query, signal) => {
    const leave = store.enter();
    try {
      return await running.run({ query, databases: new Map() }, () =>
        engine.query(query.text, query.now === undefined ? {} : { now: query.now }, signal),
      );
    } finally {
      leave();
    }
  };

  return {
    run,
    warm: async (signal) => {
      const lookUp = (name: string): never => {
        throw kqlErrors.SemanticError(`There is no workspace '${name}'.`);
      };
      await run({ text: warming, workspaces: [], slice: {}, lookUp }, signal);
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

function schemaOf(store: LogStore, name: string, workspaces: readonly QueryWorkspace[]): DatabaseSchema {
  const isReadable = (table: string): boolean =>
    workspaces.every((workspace) => workspace.tables === undefined || workspace.tables.includes(table));
  const tables = logTables
    .filter((table) => isReadable(table.name))
    .map((table) => {
      const columns = workspaces.flatMap(({ customerId }) => store.columnsOf(customerId, table.name));
      return { name: table.name, columns: [...new Map(columns.map((column) => [column.name, column])).values()] };
    });
  return { name, tables, functions: workspaces[0]?.functions ?? [] };
}
