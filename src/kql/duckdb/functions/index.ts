// Scalar functions that DuckDB computes by itself, by their neutral name. An emitter may pass
// (undefined) when it has no form for these arguments; then the TypeScript function is called.

import type { FunctionEmitter } from "../context.ts";
import { convertFunctions } from "./convert.ts";
import { dynamicFunctions } from "./dynamic.ts";
import { logicFunctions } from "./logic.ts";
import { mathFunctions } from "./math.ts";
import { textFunctions } from "./text.ts";
import { timeFunctions } from "./time.ts";

export const sqlFunctions: Readonly<Record<string, FunctionEmitter>> = {
  ...logicFunctions,
  ...mathFunctions,
  ...textFunctions,
  ...timeFunctions,
  ...convertFunctions,
  ...dynamicFunctions,
};
