// One template's names: parameters, variables (lazy, cycles refused), user functions, resources.

import { findMember, type Json, memberOf } from "../relaxed-json/json.ts";
import type { Budget } from "./expression/budget.ts";
import { evaluateTree, deeper } from "./expression/evaluate.ts";
import { EvaluationLimitError, ExpressionError } from "./expression/expression-error.ts";
import {
  type DeploymentFacts,
  type EvaluationContext,
  type NamedResource,
  RuntimeValueNeeded,
  type RuntimeValues,
  type TemplateScope,
} from "./expression/scope.ts";
import { lazily, type Parameter } from "./parameters.ts";
import { propertyCopies, evaluateCopy } from "./property-copy.ts";
import type { Template } from "./template.ts";
import { invalidTemplate, placed } from "./template-errors.ts";

/** Filled once the resources are known; names are looked up in lower case. */
export interface ResourceNames {
  readonly byName: Map<string, readonly NamedResource[]>;
  readonly loops: Map<string, readonly NamedResource[]>;
}

export function templateScope(
  template: Template,
  parameters: ReadonlyMap<string, Parameter>,
  facts: DeploymentFacts,
  names: ResourceNames,
): TemplateScope {
  const functions = new Map(template.functions.map((found) => [functionKey(found.namespace, found.name), found]));
  const variables = readVariables(template);
  return {
    facts,
    parameter: (name, context) => {
      const parameter = parameters.get(name.toLowerCase());
      if (parameter === undefined) {
        throw new ExpressionError(
          `The template parameter '${name}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details.`,
        );
      }
      return parameter.value(context);
    },
    variable: (name, context) => {
      const variable = variables.get(name.toLowerCase());
      if (variable === undefined) {
        throw new ExpressionError(
          `The template variable '${name}' is not found. Please see https://aka.ms/arm-syntax-variables for usage details.`,
        );
      }
      return variable(context);
    },
    userFunction: (namespace, name) => functions.get(functionKey(namespace, name)),
    resourceNamed: (name) => names.byName.get(name.toLowerCase())?.[0],
    loopNamed: (name) => names.loops.get(name.toLowerCase()),
  };
}

function functionKey(namespace: string, name: string): string {
  return `${namespace}.${name}`.toLowerCase();
}

type Variable = (context: EvaluationContext) => Json;

function readVariables(template: Template): Map<string, Variable> {
  const { variables, positions } = template;
  const found = new Map<string, Variable>();
  const add = (name: string, evaluate: Variable): void => {
    const position = positions.ofMember(variables, name);
    found.set(
      name.toLowerCase(),
      lazily(name, (context) => {
        try {
          return context.budget.admit(evaluate(variableContext(context)));
        } catch (error) {
          if (!(error instanceof ExpressionError) || error instanceof EvaluationLimitError) throw error;
          throw invalidTemplate(
            `The template variable '${name}'${placed(position)} is not valid: ${error.message}`,
            position,
            `variables.${name}`,
            error,
          );
        }
      }),
    );
  };
  const copies = propertyCopies(memberOf(variables, "copy"));
  for (const name of Object.keys(variables)) {
    if (copies !== undefined && name === findMember(variables, "copy")) continue;
    add(name, (context) => evaluateTree(variables[name] ?? null, context));
  }
  for (const copy of copies ?? []) add(copy.name, (context) => evaluateCopy(copy, context, evaluateTree));
  return found;
}

/** Variables see nothing of the place that uses them. */
function variableContext(context: EvaluationContext): EvaluationContext {
  return {
    ...deeper(context),
    place: { isParameterDefault: false, allowsRuntime: false },
    copies: [],
    lambdaVariables: new Map(),
    functionArguments: undefined,
  };
}

/** Nothing is known yet: whoever needs a value stops there. */
export const nothingKnown: RuntimeValues = {
  value: (request) => {
    throw new RuntimeValueNeeded(request);
  },
};

export function planningContext(scope: TemplateScope, budget: Budget): EvaluationContext {
  return {
    budget,
    scope,
    place: { isParameterDefault: false, allowsRuntime: false },
    runtime: nothingKnown,
    copies: [],
    lambdaVariables: new Map(),
    functionArguments: undefined,
    depth: 0,
  };
}
