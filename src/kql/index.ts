// A KQL engine that knows nothing of Azure.

export {
  createEngine,
  defaultLimits,
  type Catalog,
  type Engine,
  type EngineLimits,
  type EngineOptions,
  type QueryOptions,
  type QueryResult,
  type QueryStatistics,
  type QueryTable,
  type ResultSchema,
  type RowSink,
  type Value,
} from "./engine.ts";
export { openDuckDb, type DuckDbSettings } from "./duckdb/open.ts";
export type { SourceColumn, TableSource, TimeBounds } from "./duckdb/context.ts";
export { quoteName, quoteText } from "./duckdb/sql.ts";
export { kqlErrors, positionIn, type KqlErrorCode, type Position } from "./errors.ts";
export { literal, type LiteralExpression } from "./plan/expression.ts";
export type { RenderRequest } from "./plan/relation.ts";
export {
  scalarTypes,
  typeNamed,
  type ColumnSchema,
  type DatabaseSchema,
  type FunctionSchema,
  type ScalarType,
  type TableSchema,
} from "./types.ts";
export { parseDynamic, formatDynamic, type Dynamic } from "./values/dynamic.ts";
export { readDatetime } from "./values/read-datetime.ts";
export { formatDatetime, formatTimespan, fromMilliseconds, parseTimespan } from "./values/ticks.ts";
export { toJsonValue } from "./json-result.ts";
