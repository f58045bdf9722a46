import type { Json } from "../../relaxed-json/json.ts";
import type { EvaluationContext, Evaluate } from "../expression/scope.ts";
import type { Expression } from "../expression/syntax.ts";

interface Arity {
  readonly min: number;
  readonly max: number;
}

/** Takes evaluated arguments. `name` is as the template spells it. */
interface EagerFunction extends Arity {
  readonly call: (args: readonly Json[], context: EvaluationContext, name: string) => Json;
  readonly lazily?: undefined;
}

/** Evaluates its arguments itself, because not all of them shall be, or not once. */
interface LazyFunction extends Arity {
  readonly lazily: (args: readonly Expression[], context: EvaluationContext, evaluate: Evaluate) => Json;
}

export type BuiltIn = EagerFunction | LazyFunction;

/** Functions by their name as Azure documents it. */
export type BuiltInTable = Readonly<Record<string, BuiltIn>>;

export const any = Number.POSITIVE_INFINITY;

export function eager(min: number, max: number, call: EagerFunction["call"]): BuiltIn {
  return { min, max, call };
}

export function lazy(min: number, max: number, lazily: LazyFunction["lazily"]): BuiltIn {
  return { min, max, lazily };
}
