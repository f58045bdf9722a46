// Reads that every request makes. Building and compiling such a query costs more than SQLite needs to
// answer it, so it is compiled once for each database and then only given its parameters.

import type { Compilable, CompiledQuery, Kysely } from "kysely";
import type { Tables } from "./schema.ts";

/** `build` is called with as many stand-ins as the read will have parameters, each used once, in order. */
export function compiledRead<Row, Parameters extends readonly string[]>(
  build: (reader: Kysely<Tables>, ...parameters: Parameters) => Compilable<Row>,
): (reader: Kysely<Tables>, ...parameters: Parameters) => Promise<Row[]> {
  const known = new WeakMap<Kysely<Tables>, CompiledQuery<Row>>();
  return async (reader, ...parameters) => {
    let compiled = known.get(reader);
    if (compiled === undefined) {
      compiled = build(reader, ...parameters).compile();
      known.set(reader, compiled);
    }
    return (await reader.executeQuery<Row>({ ...compiled, parameters })).rows;
  };
}
