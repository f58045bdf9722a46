// Functions that are the same for every dialect: written in TypeScript over plain values. A dialect
// calls them for what its own SQL cannot do exactly.

import { collectionFunctions } from "./collections.ts";
import { conversionFunctions } from "./conversion.ts";

import type { RuntimeFunction } from "./value.ts";

export const runtimeFunctions: Readonly<Record<string, RuntimeFunction>> = {
  ...conversionFunctions,
  ...collectionFunctions,
};
