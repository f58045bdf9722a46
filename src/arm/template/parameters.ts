// Values of parameters: what the caller passed, else what the template says. Default values are
// evaluated on first use, so they may use other parameters in any order; cycles are named.

import { findMember, isObject, type Json, type JsonObject, memberOf } from "../relaxed-json/json.ts";
import { EvaluationLimitError } from "./expression/expression-error.ts";
import { deeper, evaluateTree } from "./expression/evaluate.ts";
import type { EvaluationContext } from "./expression/scope.ts";
import { ExpressionError } from "./expression/expression-error.ts";
import { toText } from "./expression/values.ts";
import { checkType, isSecureType, knownType, resolveType } from "./parameter-types.ts";
import { type Template, textMember } from "./template.ts";
import { invalidTemplate, placed, templateHelp } from "./template-errors.ts";

export interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly isSecure: boolean;
  readonly value: (context: EvaluationContext) => Json;
}

/** `given` is the `parameters` of the request: `{ name: { value } }`, secrets already in place. */
export function readParameters(template: Template, given: JsonObject): ReadonlyMap<string, Parameter> {
  refuseUnknown(template, given);
  const parameters = new Map<string, Parameter>();
  for (const [name, declaration] of Object.entries(template.parameters)) {
    parameters.set(name.toLowerCase(), readParameter(template, given, name, declaration));
  }
  return parameters;
}

function refuseUnknown(template: Template, given: JsonObject): void {
  const unknown = Object.keys(given).filter((name) => findMember(template.parameters, name) === undefined);
  if (unknown.length === 0) return;
  throw invalidTemplate(
    `The template parameters '${unknown.join(", ")}' in the parameters file are not valid; they are not present in the original template and can therefore not be provided at deployment time. The only supported parameters for this template are '${Object.keys(template.parameters).join(", ")}'. ${templateHelp.passParameters}`,
  );
}

function readParameter(template: Template, given: JsonObject, name: string, declaration: Json): Parameter {
  const { positions, definitions } = template;
  const position = isObject(declaration) ? positions.of(declaration) : positions.ofMember(template.parameters, name);
  const path = `parameters.${name}`;
  const passed = memberOf(given, name);
  const type = isObject(declaration) ? resolveType(declaration, definitions) : undefined;
  const typeText = type === undefined ? "" : (textMember(type, "type") ?? "");
  if (!isObject(declaration) || !knownType(typeText)) {
    throw invalidTemplate(
      `The template parameter '${name}'${placed(position)} is not valid: the type '${typeText}' is not one of string, securestring, int, bool, object, secureObject, array. ${templateHelp.syntax}`,
      position,
      path,
    );
  }
  const isSecure = isSecureType(typeText) || (isObject(passed) && memberOf(passed, "reference") !== undefined);
  const check = (value: Json): Json => {
    const complaint = checkType(value, declaration, definitions);
    if (complaint === undefined) return value;
    const shown = isSecure || typeof value === "object" ? "" : ` '${toText(value).slice(0, 200)}'`;
    throw invalidTemplate(
      `The provided value${shown} for the template parameter '${name}'${placed(position)} is not valid. ${complaint} ${templateHelp.parameterFile}`,
      position,
      path,
    );
  };
  const base = { name, type: typeText, isSecure };
  const defaultValue = memberOf(declaration, "defaultValue");
  // As in Azure, null says that nothing is passed.
  const own = passed !== undefined && isObject(passed) ? memberOf(passed, "value") : undefined;
  if (own !== undefined && !(own === null && defaultValue !== undefined)) {
    const value = check(own);
    return { ...base, value: () => value };
  }
  if (passed !== undefined && (!isObject(passed) || memberOf(passed, "reference") !== undefined)) {
    throw invalidTemplate(
      `The value for the template parameter '${name}'${placed(position)} must be an object with 'value', or with 'reference' to a secret of a key vault. ${templateHelp.parameterFile}`,
      position,
      path,
    );
  }
  if (defaultValue === undefined) {
    if (memberOf(type ?? declaration, "nullable") === true) return { ...base, value: () => null };
    throw invalidTemplate(
      `The value for the template parameter '${name}'${placed(position)} is not provided. ${templateHelp.parameterFile}`,
      position,
      path,
    );
  }
  return { ...base, value: lazily(name, (context) => check(evaluateDefault(name, defaultValue, position, context))) };
}

function evaluateDefault(
  name: string,
  defaultValue: Json,
  position: Parameters<typeof placed>[0],
  context: EvaluationContext,
): Json {
  const place = { isParameterDefault: true, allowsRuntime: false };
  try {
    return context.budget.admit(
      evaluateTree(defaultValue, {
        ...deeper(context),
        place,
        copies: [],
        lambdaVariables: new Map(),
        functionArguments: undefined,
      }),
    );
  } catch (error) {
    if (!(error instanceof ExpressionError) || error instanceof EvaluationLimitError) throw error;
    throw invalidTemplate(
      `The template parameter '${name}'${placed(position)} is not valid: ${error.message}`,
      position,
      `parameters.${name}`,
      error,
    );
  }
}

/** Evaluates once; asking again while it is being evaluated is a cycle. */
export function lazily(
  name: string,
  evaluate: (context: EvaluationContext) => Json,
): (context: EvaluationContext) => Json {
  let state: { readonly value: Json } | "evaluating" | undefined;
  return (context) => {
    if (state === "evaluating") throw new ExpressionError(`'${name}' refers to itself: the references form a circle.`);
    if (state !== undefined) return state.value;
    state = "evaluating";
    try {
      state = { value: evaluate(context) };
      return state.value;
    } catch (error) {
      state = undefined;
      throw error;
    }
  };
}
