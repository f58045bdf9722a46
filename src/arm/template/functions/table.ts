import type { BuiltIn, BuiltInTable } from "./built-in.ts";
import { cidrFunctions } from "./cidr.ts";
import { collectionFunctions } from "./collections.ts";
import { dateFunctions } from "./dates.ts";
import { encodingFunctions } from "./encodings.ts";
import { hashFunctions } from "./hashes.ts";
import { lambdaFunctions } from "./lambdas.ts";
import { logicFunctions } from "./logic.ts";
import { numberFunctions } from "./numbers.ts";
import { objectFunctions } from "./objects.ts";
import { listFunction, resourceFunctions } from "./resource-functions.ts";
import { scopeFunctions } from "./scopes.ts";
import { stringFunctions } from "./strings.ts";

const tables: readonly BuiltInTable[] = [
  stringFunctions,
  encodingFunctions,
  hashFunctions,
  collectionFunctions,
  objectFunctions,
  lambdaFunctions,
  numberFunctions,
  logicFunctions,
  dateFunctions,
  cidrFunctions,
  scopeFunctions,
  resourceFunctions,
];

const byName = new Map<string, BuiltIn>(
  tables.flatMap((table) => Object.entries(table)).map(([name, builtIn]) => [name.toLowerCase(), builtIn]),
);

/** Every name once, as Azure documents it. */
export const functionNames: readonly string[] = tables.flatMap((table) => Object.keys(table));

export function functionNamed(name: string): BuiltIn | undefined {
  return byName.get(name.toLowerCase()) ?? (/^list/i.test(name) ? listFunction : undefined);
}
