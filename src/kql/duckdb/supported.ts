// The names that the binder may use: what DuckDB computes and what TypeScript computes. Aggregates
// carry a pair of parentheses, so that `min()` and a function of the same name stay apart.

import { runtimeFunctions } from "../functions/index.ts";
import { aggregateNames } from "./aggregates.ts";
import { sqlFunctions } from "./functions/index.ts";

export function supportedNames(): string[] {
  return [...Object.keys(sqlFunctions), ...Object.keys(runtimeFunctions), ...aggregateNames.map((name) => `${name}()`)];
}
