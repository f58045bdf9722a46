// Reading arguments of built-in functions, with Azure's way of refusing them.

import { isObject, type Json, type JsonObject } from "../../relaxed-json/json.ts";
import { ExpressionError, seeFunction } from "../expression/expression-error.ts";
import { typeName } from "../expression/values.ts";

export function refuse(name: string, what: string, options?: ErrorOptions): ExpressionError {
  return new ExpressionError(
    `Unable to evaluate template language function '${name}': ${what}. ${seeFunction(name)}`,
    options,
  );
}

function wrongType(name: string, position: number, expected: string, value: Json): ExpressionError {
  return new ExpressionError(
    `The template language function '${name}' expects its parameter at position ${position + 1} to be ${expected}. The provided value is of type '${typeName(value)}'. ${seeFunction(name)}`,
  );
}

export function textAt(name: string, args: readonly Json[], position: number): string {
  const value = args[position] ?? null;
  if (typeof value === "string") return value;
  throw wrongType(name, position, "a string", value);
}

export function optionalTextAt(name: string, args: readonly Json[], position: number): string | undefined {
  return position < args.length ? textAt(name, args, position) : undefined;
}

export function integerAt(name: string, args: readonly Json[], position: number): number {
  const value = args[position] ?? null;
  if (typeof value === "number" && Number.isInteger(value)) return value;
  throw wrongType(name, position, "an integer", value);
}

export function booleanAt(name: string, args: readonly Json[], position: number): boolean {
  const value = args[position] ?? null;
  if (typeof value === "boolean") return value;
  throw wrongType(name, position, "a boolean", value);
}

export function arrayAt(name: string, args: readonly Json[], position: number): readonly Json[] {
  const value = args[position] ?? null;
  if (Array.isArray(value)) return value;
  throw wrongType(name, position, "an array", value);
}

export function objectAt(name: string, args: readonly Json[], position: number): JsonObject {
  const value = args[position] ?? null;
  if (isObject(value)) return value;
  throw wrongType(name, position, "an object", value);
}

/** An array or a string. */
export function sequenceAt(name: string, args: readonly Json[], position: number): readonly Json[] | string {
  const value = args[position] ?? null;
  if (typeof value === "string" || Array.isArray(value)) return value;
  throw wrongType(name, position, "an array or a string", value);
}

export function unexpected(name: string, position: number, expected: string, args: readonly Json[]): ExpressionError {
  return wrongType(name, position, expected, args[position] ?? null);
}
