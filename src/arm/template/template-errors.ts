// Errors of templates and deployments, in Azure's words where Azure's words are known.

import { defineErrors, type HoldfastError } from "../../lib/errors.ts";
import type { Position } from "../relaxed-json/positions.ts";

export const templateErrors = defineErrors({
  InvalidTemplate: { status: 400 },
  InvalidDeployment: { status: 400 },
  InvalidTemplateDeployment: { status: 400 },
  InvalidContentLink: { status: 400 },
  KeyVaultParameterReferenceInvalid: { status: 400 },
  DeploymentFailed: { status: 409 },
  DeploymentCanceled: { status: 409 },
  DeploymentOutputEvaluationFailed: { status: 400 },
});

export const templateHelp = {
  syntax: "Please see https://aka.ms/arm-syntax for usage details.",
  resources: "Please see https://aka.ms/arm-syntax-resources for usage details.",
  expressions: "Please see https://aka.ms/arm-template-expressions for usage details.",
  parameterFile: "Please see https://aka.ms/arm-create-parameter-file for usage details.",
  passParameters: "Please see https://aka.ms/arm-pass-parameter-values for usage details.",
} as const;

/** The template as a whole is refused, before anything is deployed. */
export function invalidTemplate(reason: string, position?: Position, path = "", cause?: unknown): HoldfastError {
  return templateErrors.InvalidTemplate(`Deployment template validation failed: '${reason}'.`, {
    facts: { lineNumber: position?.line ?? 0, linePosition: position?.column ?? 0, path },
    cause,
  });
}

/** ` at line '12' and column '34'`, or nothing for what no text brought. */
export function placed(position: Position | undefined): string {
  return position === undefined ? "" : ` at line '${position.line}' and column '${position.column}'`;
}

export function invalidResource(name: string, position: Position | undefined, cause: unknown): HoldfastError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const text = `The template resource '${name}'${placed(position)} is not valid: ${reason}${endsWithHelp(reason) ? "" : ` ${templateHelp.expressions}`}`;
  return invalidTemplate(text, position, "", cause);
}

function endsWithHelp(reason: string): boolean {
  return reason.endsWith("for usage details.");
}
