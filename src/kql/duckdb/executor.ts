// Runs statements on DuckDB: registers the TypeScript functions that they call, streams rows, and
// interrupts when the caller loses interest.

import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBScalarFunction,
  VARCHAR,
  type DuckDBConnection,
  type DuckDBInstance,
  type DuckDBType,
  type DuckDBValue,
} from "@duckdb/node-api";
import { kqlErrors } from "../errors.ts";
import { runtimeFunctions } from "../functions/index.ts";
import { notSupportedMark } from "../functions/unsupported.ts";
import type { RuntimeValue } from "../functions/value.ts";
import type { ScalarType } from "../types.ts";
import { formatDynamic, parseDynamic } from "../values/dynamic.ts";
import type { RuntimeUse } from "./context.ts";
import { transferType } from "./runtime-call.ts";
import type { Statement } from "./statement.ts";
import { createToldAgain } from "./told-again.ts";

const toldAgain = createToldAgain();

/** Which functions an instance has; all its connections see them. */
const registered = new WeakMap<DuckDBInstance, Set<string>>();

const transferTypes: Readonly<Record<ReturnType<typeof transferType>, DuckDBType>> = {
  BOOLEAN,
  BIGINT,
  DOUBLE,
  VARCHAR,
};

function registerRuntime(instance: DuckDBInstance, connection: DuckDBConnection, uses: readonly RuntimeUse[]): void {
  const known = registered.get(instance) ?? new Set();
  registered.set(instance, known);
  for (const use of uses) {
    if (known.has(use.sqlName)) continue;
    connection.registerScalarFunction(scalarFunction(use));
    known.add(use.sqlName);
  }
}

function scalarFunction(use: RuntimeUse): DuckDBScalarFunction {
  const run = runtimeFunctions[use.name];
  if (run === undefined) throw new Error(`There is no runtime function ${use.name}.`);
  const parameters =
    use.parameters.length === 0 ? [VARCHAR] : use.parameters.map((type) => transferTypes[transferType(type)]);
  return DuckDBScalarFunction.create({
    name: use.sqlName,
    parameterTypes: parameters,
    returnType: transferTypes[transferType(use.returns)],
    specialHandling: true,
    mainFunction: (_info, input, output) => {
      const columns = use.parameters.map((_, index) => input.getColumnVector(index));
      const resultOf = (values: readonly DuckDBValue[]): ReturnType<typeof returned> =>
        returned(run(values.map((value, index) => received(value, use.parameters[index]))), use.returns);
      for (let row = 0; row < input.rowCount; row += 1) {
        const values = columns.map((column) => column.getItem(row));
        const isSingle = input.rowCount === 1;
        output.setItem(row, isSingle ? toldAgain.of(use.sqlName, values, () => resultOf(values)) : resultOf(values));
      }
      output.flush();
    },
  });
}

/** A text of this size needs many times as much memory when it is read. */
const longestDynamic = 32 * 1024 * 1024;

function received(value: DuckDBValue, type: ScalarType | undefined): RuntimeValue {
  if (value === null) return null;
  if (type === "dynamic") {
    const text = String(value);
    if (text.length > longestDynamic) throw new Error(`memory limit: a dynamic value of ${text.length} characters`);
    return parseDynamic(text) ?? null;
  }
  if (typeof value === "string" || typeof value === "bigint" || typeof value === "number" || typeof value === "boolean")
    return value;
  return String(value);
}

function returned(value: RuntimeValue, type: ScalarType): string | bigint | number | boolean | null {
  if (type === "dynamic") return value === null ? null : formatDynamic(value);
  if (value === null) return type === "string" ? "" : null;
  if (type === "real") return Number(value);
  if (typeof value === "number" && (type === "long" || type === "int")) return BigInt(Math.trunc(value));
  return typeof value === "object" ? formatDynamic(value) : value;
}

export type Chunk = readonly (readonly DuckDBValue[])[];

/** The rows of a statement, chunk by chunk. */
export async function* runStatement(
  instance: DuckDBInstance,
  connection: DuckDBConnection,
  statement: Statement,
  signal: AbortSignal,
): AsyncGenerator<Chunk> {
  registerRuntime(instance, connection, statement.runtimeUses);
  // An interrupt that comes before DuckDB has begun is forgotten by it: it is said again until it is heard.
  let again: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    connection.interrupt();
    again = setInterval(() => connection.interrupt(), 25);
  };
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    signal.throwIfAborted();
    const result = await connection.stream(statement.text);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      signal.throwIfAborted();
      yield chunk.getRows();
    }
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw cause;
  } finally {
    signal.removeEventListener("abort", interrupt);
    clearInterval(again);
  }
}

/** DuckDB's complaint as one of ours. */
export function asExecutionError(cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  const refused = message.indexOf(notSupportedMark);
  if (refused >= 0) return kqlErrors.Unsupported(message.slice(refused + notSupportedMark.length).trim(), { cause });
  if (/Out of Memory|memory limit|max_temp_directory_size/i.test(message)) {
    return kqlErrors.ResourceLimit("The query needs more memory than it may use.", { cause });
  }
  return kqlErrors.ExecutionFailed(`The query failed: ${(message.split("\n")[0] ?? "").slice(0, 500)}`, { cause });
}

/** Whether whole numbers outgrew 64 bits, so that the wrapping form is needed. */
export function isOverflow(cause: unknown): boolean {
  return cause instanceof Error && /overflow|out of range/i.test(cause.message);
}
