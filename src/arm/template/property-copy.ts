// `copy` inside properties, variables and outputs: `[{ name, count, input }]` becomes a property
// `name` that holds one evaluated `input` for each index.

import { isObject, type Json, type JsonObject, memberOf } from "../relaxed-json/json.ts";
import { ExpressionError } from "./expression/expression-error.ts";
import type { EvaluationContext } from "./expression/scope.ts";
import { typeName } from "./expression/values.ts";
import { templateLimits } from "./limits.ts";

export interface PropertyCopy {
  readonly name: string;
  readonly count: Json;
  readonly input: Json;
}

export type EvaluateTree = (value: Json, context: EvaluationContext) => Json;

/** The copies of an object, or undefined when its `copy` is an ordinary property. */
export function propertyCopies(value: Json | undefined): PropertyCopy[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const copies = value.map((entry): PropertyCopy | undefined => {
    if (!isObject(entry)) return undefined;
    const [name, count, input] = [memberOf(entry, "name"), memberOf(entry, "count"), memberOf(entry, "input")];
    return typeof name === "string" && count !== undefined && input !== undefined ? { name, count, input } : undefined;
  });
  return copies.every((copy) => copy !== undefined) ? copies : undefined;
}

export function copyCount(count: Json, context: EvaluationContext, evaluateTree: EvaluateTree, name: string): number {
  const value = evaluateTree(count, { ...context, place: { ...context.place, allowsRuntime: false } });
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw new ExpressionError(
      `The 'copy' loop '${name}' needs an integer as 'count'; the value is of type '${typeName(value)}'.`,
    );
  }
  if (value < 0 || value > templateLimits.copyCount) {
    throw new ExpressionError(
      `The 'copy' loop '${name}' has a count of '${value}'. The copy count must be a non-negative integer and no more than '${templateLimits.copyCount}'. Please see https://aka.ms/arm-resource-loops for usage details.`,
    );
  }
  return value;
}

export function evaluateCopy(copy: PropertyCopy, context: EvaluationContext, evaluateTree: EvaluateTree): Json[] {
  const count = copyCount(copy.count, context, evaluateTree, copy.name);
  return Array.from({ length: count }, (_, index) =>
    evaluateTree(copy.input, { ...context, copies: [...context.copies, { name: copy.name, index, kind: "property" }] }),
  );
}

export function addCopies(
  target: JsonObject,
  copies: readonly PropertyCopy[],
  context: EvaluationContext,
  evaluateTree: EvaluateTree,
): void {
  for (const copy of copies) target[copy.name] = evaluateCopy(copy, context, evaluateTree);
}
