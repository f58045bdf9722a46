// Columns that data decides: the values of a pivot column, the keys of unpacked bags.

import type { KnownColumn, SchemaQuestion } from "../bind/session.ts";
import type { ScalarType } from "../types.ts";
import { parseDynamic, type Dynamic } from "../values/dynamic.ts";
import { kqlErrors } from "../errors.ts";
import type { Chunk } from "./executor.ts";

const mostColumns = 1000;

export async function inferColumns(question: SchemaQuestion, chunks: AsyncIterable<Chunk>): Promise<KnownColumn[]> {
  const found = new Map<string, ScalarType>();
  for await (const chunk of chunks) {
    for (const [value] of chunk) {
      if (question.kind === "distinctValues")
        found.set(value === null || value === undefined ? "" : String(value), "string");
      else if (value !== null && value !== undefined) unpack(found, parseDynamic(String(value)) ?? null);
    }
    if (found.size > mostColumns)
      throw kqlErrors.ResourceLimit(`The result would have more than ${mostColumns} columns.`);
  }
  return [...found]
    .map(([name, type]) => ({ name, type }))
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function unpack(found: Map<string, ScalarType>, value: Dynamic): void {
  if (!(value instanceof Map)) return;
  for (const [key, item] of value) {
    if (item === null && found.has(key)) continue;
    const type = typeOf(item);
    const known = found.get(key);
    found.set(
      key,
      known === undefined || known === type
        ? type
        : known === "long" && type === "real"
          ? "real"
          : known === "real" && type === "long"
            ? "real"
            : "dynamic",
    );
  }
}

function typeOf(value: Dynamic): ScalarType {
  if (typeof value === "bigint") return "long";
  if (typeof value === "number") return "real";
  if (typeof value === "boolean") return "bool";
  if (typeof value !== "string") return "dynamic";
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value) ? "datetime" : "string";
}
