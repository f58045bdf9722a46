// Outputs, once everything is deployed. Secure ones are evaluated (a mistake is told) and left out.

import { HoldfastError } from "../../lib/errors.ts";
import { isObject, type Json, memberOf, newObject } from "../relaxed-json/json.ts";
import { evaluateTree } from "./expression/evaluate.ts";
import { ExpressionError } from "./expression/expression-error.ts";
import type { EvaluationContext } from "./expression/scope.ts";
import type { LiveValues } from "./live-values.ts";
import { type OutputDeclaration, outputEntries } from "./output-declarations.ts";
import { checkType, isSecureType } from "./parameter-types.ts";
import type { DeploymentPlan } from "./plan.ts";
import { evaluateCopy } from "./property-copy.ts";
import { placed, templateErrors } from "./template-errors.ts";

/** The outputs as they are, for a parent deployment, and as they may be shown. */
export interface Outputs {
  readonly full: Json;
  readonly shown: Json;
}

export async function evaluateOutputs(plan: DeploymentPlan, values: LiveValues, signal: AbortSignal): Promise<Outputs> {
  const context: EvaluationContext = {
    ...plan.context,
    runtime: values,
    place: { isParameterDefault: false, allowsRuntime: true },
  };
  const full = newObject();
  const shown = newObject();
  const failures: HoldfastError[] = [];
  for (const output of outputEntries(plan.template)) {
    try {
      const value = await values.resolve(() => evaluateOutput(plan, output, context), signal);
      if (value === undefined) continue;
      full[output.name] = { type: displayType(output.type), value };
      shown[output.name] = isSecureType(output.type)
        ? { type: displayType(output.type) }
        : { type: displayType(output.type), value };
    } catch (error) {
      if (!(error instanceof ExpressionError) && !(error instanceof HoldfastError)) throw error;
      failures.push(
        templateErrors.DeploymentOutputEvaluationFailed(
          `The template output '${output.name}'${placed(output.position)} is not valid: ${error.message}`,
          { target: output.name, cause: error },
        ),
      );
    }
  }
  if (failures.length > 0) {
    const names = failures.map(({ target }) => target).join(",");
    throw templateErrors.DeploymentOutputEvaluationFailed(
      `Unable to evaluate template outputs: '${names}'. Please see error details and deployment operations. Please see https://aka.ms/arm-common-errors for usage details.`,
      { details: failures },
    );
  }
  return { full, shown };
}

function evaluateOutput(
  plan: DeploymentPlan,
  { name, type, declaration }: OutputDeclaration,
  context: EvaluationContext,
): Json | undefined {
  const condition = memberOf(declaration, "condition");
  if (condition !== undefined && evaluateTree(condition, context) !== true) return undefined;
  const copy = memberOf(declaration, "copy");
  const value = isObject(copy)
    ? evaluateCopy(
        { name, count: memberOf(copy, "count") ?? null, input: memberOf(copy, "input") ?? null },
        context,
        evaluateTree,
      )
    : evaluateTree(memberOf(declaration, "value") ?? null, context);
  const complaint = value === null ? undefined : checkType(value, declaration, plan.template.definitions);
  if (complaint !== undefined && !isLoose(type)) throw new ExpressionError(complaint);
  return context.budget.admit(value);
}

/** What Azure converts without a word: any value may leave as an object. */
function isLoose(type: string): boolean {
  return /^(secure)?object$/i.test(type);
}

export function displayType(type: string): string {
  const names: Readonly<Record<string, string>> = { securestring: "SecureString", secureobject: "SecureObject" };
  return names[type.toLowerCase()] ?? type.slice(0, 1).toUpperCase() + type.slice(1).toLowerCase();
}
