// The sections of a template, checked for shape only; expressions are still text.

import { isObject, type Json, type JsonObject, memberOf, newObject } from "../relaxed-json/json.ts";
import type { SourcePositions } from "../relaxed-json/positions.ts";
import type { UserFunction } from "./expression/scope.ts";
import { templateLimits } from "./limits.ts";
import { invalidTemplate, templateHelp } from "./template-errors.ts";

export type TemplateKind = "resourceGroup" | "subscription" | "managementGroup" | "tenant";

export interface TemplateResource {
  readonly symbolicName: string | undefined;
  readonly source: JsonObject;
}

export interface Template {
  readonly source: JsonObject;
  readonly kind: TemplateKind;
  readonly contentVersion: string;
  readonly hasSymbolicNames: boolean;
  readonly parameters: JsonObject;
  readonly definitions: JsonObject;
  readonly variables: JsonObject;
  readonly functions: readonly UserFunction[];
  readonly resources: readonly TemplateResource[];
  readonly outputs: JsonObject;
  readonly positions: SourcePositions;
}

const kinds: Readonly<Record<string, TemplateKind>> = {
  deploymenttemplate: "resourceGroup",
  subscriptiondeploymenttemplate: "subscription",
  managementgroupdeploymenttemplate: "managementGroup",
  tenantdeploymenttemplate: "tenant",
};

const knownSections = new Set(
  [
    "$schema",
    "contentVersion",
    "apiProfile",
    "languageVersion",
    "metadata",
    "definitions",
    "parameters",
    "variables",
    "functions",
    "resources",
    "outputs",
    "asserts",
    "imports",
    "extensions",
  ].map((name) => name.toLowerCase()),
);

export function readTemplate(value: Json | undefined, positions: SourcePositions): Template {
  if (!isObject(value)) throw invalidTemplate(`The template must be a JSON object. ${templateHelp.syntax}`);
  for (const name of Object.keys(value)) {
    if (knownSections.has(name.toLowerCase())) continue;
    throw invalidTemplate(
      `Could not find member '${name}' on object of type 'Template'. Path '${name}'. The sections of a template are: $schema, contentVersion, parameters, variables, functions, resources, outputs`,
      positions.ofMember(value, name),
      name,
    );
  }
  for (const name of ["imports", "extensions"]) {
    const section = memberOf(value, name);
    if (isObject(section) && Object.keys(section).length > 0) {
      throw invalidTemplate(
        `The section '${name}' is not supported: resources of other systems than Azure can't be deployed here`,
        positions.ofMember(value, name),
        name,
      );
    }
  }
  const kind = readKind(value, positions);
  const languageVersion = textMember(value, "languageVersion") ?? "1.0";
  const resources = memberOf(value, "resources") ?? [];
  const template: Template = {
    source: value,
    kind,
    contentVersion: textMember(value, "contentVersion") ?? "1.0.0.0",
    hasSymbolicNames: isObject(resources),
    parameters: section(value, "parameters", positions, templateLimits.parameters),
    definitions: section(value, "definitions", positions, templateLimits.variables),
    variables: section(value, "variables", positions, templateLimits.variables),
    functions: readFunctions(memberOf(value, "functions"), positions),
    resources: readResources(resources, languageVersion, positions),
    outputs: section(value, "outputs", positions, templateLimits.outputs),
    positions,
  };
  return template;
}

function readKind(template: JsonObject, positions: SourcePositions): TemplateKind {
  const schema = textMember(template, "$schema");
  const name = /\/([A-Za-z]+)\.json#?$/.exec(schema ?? "")?.[1]?.toLowerCase() ?? "";
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind === undefined) {
    throw invalidTemplate(
      `The template schema '${schema ?? ""}' is not supported. Supported are the schemas deploymentTemplate.json, for resource groups, and subscriptionDeploymentTemplate.json. ${templateHelp.syntax}`,
      positions.ofMember(template, "$schema"),
      "$schema",
    );
  }
  return kind;
}

export function textMember(object: JsonObject, name: string): string | undefined {
  const value = memberOf(object, name);
  return typeof value === "string" ? value : undefined;
}

function section(template: JsonObject, name: string, positions: SourcePositions, limit: number): JsonObject {
  const value = memberOf(template, name) ?? newObject();
  if (!isObject(value))
    throw invalidTemplate(
      `The section '${name}' must be an object. ${templateHelp.syntax}`,
      positions.ofMember(template, name),
      name,
    );
  const count = Object.keys(value).length;
  if (count > limit) {
    throw invalidTemplate(
      `The template ${name} limit exceeded. Limit: '${limit}' and actual: '${count}'. Please see https://aka.ms/arm-syntax-limits for usage details.`,
      positions.of(value),
      name,
    );
  }
  return value;
}

function readResources(value: Json, languageVersion: string, positions: SourcePositions): TemplateResource[] {
  if (isObject(value) && !languageVersion.startsWith("2.")) {
    throw invalidTemplate(
      `Resources with symbolic names need "languageVersion": "2.0" in the template. ${templateHelp.syntax}`,
      positions.of(value),
      "resources",
    );
  }
  if (!isObject(value) && !Array.isArray(value)) {
    throw invalidTemplate(
      `The section 'resources' must be an array or, with languageVersion 2.0, an object. ${templateHelp.syntax}`,
      undefined,
      "resources",
    );
  }
  return Object.entries(value).map(([key, source]) => {
    if (!isObject(source)) {
      throw invalidTemplate(
        `The template resource '${key}' must be an object. ${templateHelp.resources}`,
        positions.ofMember(value, Array.isArray(value) ? Number(key) : key),
        `resources[${key}]`,
      );
    }
    return { symbolicName: Array.isArray(value) ? undefined : key, source };
  });
}

function readFunctions(value: Json | undefined, positions: SourcePositions): UserFunction[] {
  if (value === undefined || value === null) return [];
  const refuse = (reason: string) =>
    invalidTemplate(
      `The section 'functions' is not valid: ${reason}. Please see https://aka.ms/arm-syntax-functions for usage details.`,
      Array.isArray(value) ? positions.of(value) : undefined,
      "functions",
    );
  if (!Array.isArray(value)) throw refuse("it must be an array of namespaces");
  return value.flatMap((entry) => {
    const namespace = isObject(entry) ? textMember(entry, "namespace") : undefined;
    const members = isObject(entry) ? memberOf(entry, "members") : undefined;
    if (namespace === undefined || !isObject(members)) throw refuse("each entry needs 'namespace' and 'members'");
    return Object.entries(members).map(([name, member]): UserFunction => {
      const output = isObject(member) ? memberOf(member, "output") : undefined;
      const parameters = isObject(member) ? (memberOf(member, "parameters") ?? []) : [];
      if (!isObject(output) || !Array.isArray(parameters))
        throw refuse(`the function '${namespace}.${name}' needs 'output', and 'parameters' must be an array`);
      const names = parameters.map((parameter) => {
        const parameterName = isObject(parameter) ? textMember(parameter, "name") : undefined;
        if (parameterName === undefined) throw refuse(`a parameter of '${namespace}.${name}' has no name`);
        return parameterName;
      });
      return { namespace, name, parameters: names, output: memberOf(output, "value") ?? null };
    });
  });
}
