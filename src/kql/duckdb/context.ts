// What emitting one query carries along: the moment, the functions that it uses, the safety mode.

import type { CallExpression, Expression } from "../plan/expression.ts";
import type { Relation } from "../plan/relation.ts";
import type { ScalarType } from "../types.ts";
import type { Sql } from "./sql.ts";

/** A table of the catalogue as DuckDB reads it. The SQL in it comes from the caller, never from a query. */
export interface TableSource {
  /** What stands behind FROM. */
  readonly from: string;
  readonly columns: ReadonlyMap<string, SourceColumn>;
}

/** Ticks, both ends inclusive. */
export interface TimeBounds {
  readonly from?: bigint | undefined;
  readonly to?: bigint | undefined;
}

/**
 * Where the rows of a table are. Rows with a time outside of a column's bounds are not needed and may
 * be left out; columns without bounds are not mentioned.
 */
export type FindSource = (database: string, table: string, bounds: ReadonlyMap<string, TimeBounds>) => TableSource;

export interface SourceColumn {
  readonly sql: string;
  /** datetime columns: TIMESTAMP in the storage. */
  readonly timestamp?: boolean;
  /** Columns that never hold NULL. */
  readonly notNull?: boolean;
}

export interface RuntimeUse {
  readonly sqlName: string;
  readonly name: string;
  readonly parameters: readonly ScalarType[];
  readonly returns: ScalarType;
}

export interface EmitContext {
  /** The moment of the request in ticks. */
  readonly now: bigint;
  /** Integer arithmetic that wraps instead of failing; slower, so only on a second try. */
  readonly wrap: boolean;
  readonly source: FindSource;
  readonly runtimeUses: Map<string, RuntimeUse>;
  readonly emitQuery: (relation: Relation, columnId: number) => string;
}

/** The columns that can be read where an expression stands. */
export type Columns = ReadonlyMap<number, Sql>;

export interface Emitter {
  readonly context: EmitContext;
  readonly columns: Columns;
  /** The value, with KQL's rules for null. */
  value(expression: Expression): Sql;
  /** Where null counts as false: leaner SQL. */
  predicate(expression: Expression): string;
}

/** Emits a call whose arguments are SQL already. */
export type FunctionEmitter = (args: readonly Sql[], call: CallExpression, emitter: Emitter) => Sql;
