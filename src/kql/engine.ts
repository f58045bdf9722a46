// The engine: text -> plan (in a thread) -> SQL -> rows, with limits all the way.

import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { fromMilliseconds } from "./values/ticks.ts";
import { monotonicMilliseconds, type Clock } from "../lib/clock.ts";
import type { KnownColumn, SchemaQuestion } from "./bind/session.ts";
import type { FindSource } from "./duckdb/context.ts";
import { asExecutionError, isOverflow, runStatement } from "./duckdb/executor.ts";
import { readValue } from "./duckdb/read-value.ts";
import { emitStatement, type Statement } from "./duckdb/statement.ts";
import { supportedNames } from "./duckdb/supported.ts";
import { Budget } from "./budget.ts";
import { kqlErrors } from "./errors.ts";
import { HoldfastError } from "../lib/errors.ts";
import type { LiteralExpression } from "./plan/expression.ts";
import type { RenderRequest, ResultTable } from "./plan/relation.ts";
import { rememberTranslations } from "./translate/remembered.ts";
import { createTranslator } from "./translate/translator.ts";
import type { DatabaseSchema, ScalarType } from "./types.ts";
import { inferColumns } from "./duckdb/infer.ts";

/** What the caller knows of its tables; databases[0] is the one that bare names mean. */
export interface Catalog {
  /** The databases that a query may see. `named` are those that its text mentions, as workspace("…") does. */
  databases(named: readonly string[]): Promise<readonly DatabaseSchema[]>;
  readonly source: FindSource;
}

export interface EngineLimits {
  readonly maxQueryLength: number;
  readonly maxNestingDepth: number;
  /** Tables, operators and calls after functions are put in place. */
  readonly maxSteps: number;
  readonly translateMilliseconds: number;
  readonly queryMilliseconds: number;
  readonly maxRows: number;
  readonly maxBytes: number;
}

export const defaultLimits: EngineLimits = {
  maxQueryLength: 256 * 1024,
  maxNestingDepth: 200,
  maxSteps: 20_000,
  translateMilliseconds: 5_000,
  queryMilliseconds: 180_000,
  maxRows: 500_000,
  maxBytes: 100 * 1024 * 1024,
};

export interface EngineOptions {
  readonly catalog: Catalog;
  readonly duckdb: DuckDBInstance;
  readonly clock: Clock;
  readonly limits?: Partial<EngineLimits>;
}

export interface QueryOptions {
  readonly parameters?: ReadonlyMap<string, LiteralExpression>;
  /** The moment that now() and ago() see; the clock's when absent. */
  readonly now?: number;
}

/** datetime and timespan are ticks, dynamic is JSON text, decimal is text; a string is never null. */
export type Value = string | bigint | number | boolean | null;

export interface ResultSchema {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: ScalarType }[];
}

export interface QueryTable extends ResultSchema {
  readonly rows: readonly (readonly Value[])[];
}

export interface QueryStatistics {
  readonly translateMilliseconds: number;
  readonly executeMilliseconds: number;
  readonly rows: number;
}

export interface QueryResult {
  readonly tables: readonly QueryTable[];
  readonly render: RenderRequest | undefined;
  readonly statistics: QueryStatistics;
  /** Set when a limit cut the rows short. */
  readonly partial: HoldfastError | undefined;
}

export interface RowSink {
  table(schema: ResultSchema): void | Promise<void>;
  rows(rows: readonly (readonly Value[])[]): void | Promise<void>;
}

export interface Engine extends AsyncDisposable {
  query(text: string, options?: QueryOptions, signal?: AbortSignal): Promise<QueryResult>;
  /** The same, with rows handed over as they come. */
  stream(
    text: string,
    sink: RowSink,
    options?: QueryOptions,
    signal?: AbortSignal,
  ): Promise<Omit<QueryResult, "tables">>;
  /** The SQL of a query, for benches and for people who want to see it. */
  explain(text: string, options?: QueryOptions, signal?: AbortSignal): Promise<readonly string[]>;
}

const questionsPerQuery = 8;

export function createEngine(options: EngineOptions): Engine {
  const { catalog, duckdb } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const translator = rememberTranslations(
    createTranslator({
      supported: supportedNames(),
      maxQueryLength: limits.maxQueryLength,
      maxNestingDepth: limits.maxNestingDepth,
      maxSteps: limits.maxSteps,
      deadlineMilliseconds: limits.translateMilliseconds,
      startMilliseconds: 60_000,
    }),
  );

  const translate = async (text: string, query: QueryOptions, connection: DuckDBConnection, signal: AbortSignal) => {
    const databases = await catalog.databases(namedDatabases(text));
    const catalogKey = keyOf(databases);
    const knownSchemas = new Map<string, readonly KnownColumn[]>();
    for (let asked = 0; asked <= questionsPerQuery; asked += 1) {
      const parameters = query.parameters ?? new Map<string, LiteralExpression>();
      const found = await translator.translate({ text, databases, catalogKey, knownSchemas, parameters }, signal);
      if (found.kind === "plan") return found.plan;
      knownSchemas.set(found.question.key, await answer(found.question, query, connection, signal));
    }
    throw kqlErrors.QueryTooComplex("Too many columns of this query depend on data.");
  };

  const emit = (table: ResultTable, query: QueryOptions, wrap: boolean): Statement =>
    emitStatement(table, {
      now: fromMilliseconds(query.now ?? options.clock.now()),
      wrap,
      source: catalog.source,
    });

  /** Finds out which columns a pivot or an unpacked bag has. */
  const answer = async (
    question: SchemaQuestion,
    query: QueryOptions,
    connection: DuckDBConnection,
    signal: AbortSignal,
  ): Promise<readonly KnownColumn[]> => {
    const table: ResultTable = { name: "", relation: question.relation, columns: [question.column], order: [] };
    const statement = emit(table, query, false);
    return inferColumns(question, runStatement(duckdb, connection, statement, signal));
  };

  const stream: Engine["stream"] = async (text, sink, query = {}, outer) => {
    const deadline = AbortSignal.timeout(limits.queryMilliseconds);
    const signal = outer === undefined ? deadline : AbortSignal.any([outer, deadline]);
    const connection = await duckdb.connect();
    try {
      const started = monotonicMilliseconds();
      const plan = await translate(text, query, connection, signal);
      const translated = monotonicMilliseconds();
      const budget = new Budget(limits);
      for (const table of plan.tables) {
        await sink.table({ name: table.name, columns: table.columns.map(({ name, type }) => ({ name, type })) });
        await deliver((wrap) => emit(table, query, wrap), duckdb, connection, budget, sink, signal);
        if (budget.exceeded !== undefined) break;
      }
      return {
        render: plan.render,
        partial: budget.exceeded,
        statistics: {
          translateMilliseconds: translated - started,
          executeMilliseconds: monotonicMilliseconds() - translated,
          rows: budget.rows,
        },
      };
    } catch (error) {
      if (deadline.aborted)
        throw kqlErrors.QueryTimedOut(`The query did not end within ${limits.queryMilliseconds} ms.`, { cause: error });
      if (outer?.aborted === true) throw kqlErrors.QueryCancelled("The query was cancelled.", { cause: error });
      throw error instanceof HoldfastError ? error : asEngineError(error);
    } finally {
      connection.closeSync();
    }
  };

  return {
    stream,
    query: async (text, query, signal) => {
      const tables: { readonly schema: ResultSchema; readonly rows: (readonly Value[])[] }[] = [];
      const sink: RowSink = {
        table: (schema) => {
          tables.push({ schema, rows: [] });
        },
        rows: (rows) => {
          tables.at(-1)?.rows.push(...rows);
        },
      };
      const rest = await stream(text, sink, query, signal);
      return { ...rest, tables: tables.map(({ schema, rows }) => ({ ...schema, rows })) };
    },
    explain: async (text, query = {}, signal = new AbortController().signal) => {
      const connection = await duckdb.connect();
      try {
        const plan = await translate(text, query, connection, signal);
        return plan.tables.map((table) => emit(table, query, false).text);
      } finally {
        connection.closeSync();
      }
    },
    [Symbol.asyncDispose]: () => translator[Symbol.asyncDispose](),
  };
}

/** Runs the lean form first; where whole numbers overflow, the wrapping form from the start. */
async function deliver(
  emit: (wrap: boolean) => Statement,
  duckdb: DuckDBInstance,
  connection: DuckDBConnection,
  budget: Budget,
  sink: RowSink,
  signal: AbortSignal,
): Promise<void> {
  for (const wrap of [false, true]) {
    const before = budget.rows;
    try {
      const statement = emit(wrap);
      for await (const chunk of runStatement(duckdb, connection, statement, signal)) {
        const rows = budget.admit(
          chunk.map((row) => row.map((value, index) => readValue(value, statement.columns[index]))),
        );
        await sink.rows(rows);
        if (budget.exceeded !== undefined) return;
      }
      return;
    } catch (error) {
      if (wrap || signal.aborted || budget.rows > before || !isOverflow(error)) {
        throw signal.aborted || !(error instanceof Error) || error instanceof HoldfastError
          ? error
          : asEngineError(error);
      }
    }
  }
}

function asEngineError(error: unknown): Error {
  if (error instanceof Error && error.name === "QueryRefusal" && "code" in error) {
    return kqlErrors.Unsupported(error.message, { cause: error });
  }
  return asExecutionError(error);
}

/** The names in workspace("…"), app("…") and database("…"), so that the caller can look them up. */
function namedDatabases(text: string): string[] {
  const found = text.matchAll(/\b(?:workspace|app|database)\s*\(\s*(?:"([^"]*)"|'([^']*)')\s*\)/g);
  return [...new Set([...found].map((match) => match[1] ?? match[2] ?? ""))];
}

const keys = new WeakMap<readonly DatabaseSchema[], string>();
let lastKey = 0;

/** A catalogue that does not change is one array; a new array is a new catalogue. */
function keyOf(databases: readonly DatabaseSchema[]): string {
  const known = keys.get(databases);
  if (known !== undefined) return known;
  lastKey += 1;
  const key = String(lastKey);
  keys.set(databases, key);
  return key;
}
