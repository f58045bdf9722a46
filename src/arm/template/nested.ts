// Deployments inside a template: what of them is evaluated here, and what they bring themselves.

import { isObject, type Json, type JsonObject, memberOf, newObject } from "../relaxed-json/json.ts";
import { parseRelaxedJson } from "../relaxed-json/parse.ts";
import { evaluatesInOuterScope } from "./dependencies.ts";
import type { DeploymentHost } from "./deployment-host.ts";
import { evaluateTree } from "./expression/evaluate.ts";
import { ExpressionError } from "./expression/expression-error.ts";
import type { EvaluationContext } from "./expression/scope.ts";
import { toText } from "./expression/values.ts";
import type { DeploymentMode, DeploymentPlan, DeploymentRequest } from "./plan.ts";
import type { PlannedResource } from "./planned-resource.ts";
import { textMember } from "./template.ts";
import { linkedAddress, wholeAddress } from "./template-link.ts";
import { templateErrors, templateHelp } from "./template-errors.ts";

/** The part that the parent's expressions decide; evaluated with the values of a running deployment. */
export interface NestedProperties {
  readonly source: JsonObject;
  readonly mode: DeploymentMode;
  readonly parameters: JsonObject;
  readonly templateLink: JsonObject | undefined;
  readonly parametersLink: JsonObject | undefined;
  readonly location: string | undefined;
}

export function evaluateNested(resource: PlannedResource, context: EvaluationContext): NestedProperties {
  const source = memberOf(resource.source, "properties");
  if (!isObject(source)) throw new ExpressionError("A nested deployment needs 'properties'.");
  const member = (name: string): Json | undefined => {
    const value = memberOf(source, name);
    return value === undefined || value === null ? undefined : evaluateTree(value, context);
  };
  const location = memberOf(resource.source, "location");
  return {
    source,
    mode: readMode(member("mode")),
    parameters: asObject(member("parameters"), "parameters") ?? newObject(),
    templateLink: asObject(member("templateLink"), "templateLink"),
    parametersLink: asObject(member("parametersLink"), "parametersLink"),
    location: typeof location === "string" ? toText(evaluateTree(location, context)) : undefined,
  };
}

export async function nestedRequest(
  plan: DeploymentPlan,
  resource: PlannedResource,
  properties: NestedProperties,
  context: EvaluationContext,
  host: Pick<DeploymentHost, "loadTemplate" | "secret">,
  signal: AbortSignal,
): Promise<DeploymentRequest> {
  const isOuter = evaluatesInOuterScope(properties.source);
  const parentLink = plan.request.templateLink;
  const loaded = await loadTemplateOf(properties.source, properties.templateLink, parentLink, host, signal);
  const given =
    properties.parametersLink === undefined
      ? properties.parameters
      : await loadParameters(properties.parametersLink, parentLink, host, signal);
  return {
    name: resource.name,
    target: resource.nestedTarget ?? plan.request.target,
    location: properties.location ?? plan.request.location,
    mode: properties.mode,
    template: loaded.template,
    positions: loaded.positions ?? plan.request.positions,
    parameters: await resolveSecrets(given, host, signal),
    templateLink: loaded.link,
    outer: isOuter ? context : undefined,
    depth: plan.request.depth + 1,
  };
}

interface LoadedTemplate {
  readonly template: Json;
  readonly positions: DeploymentRequest["positions"] | undefined;
  readonly link: JsonObject | undefined;
}

/** The template that stands in `template`, or the one that `templateLink` leads to. */
export async function loadTemplateOf(
  properties: JsonObject,
  link: JsonObject | undefined,
  parentLink: JsonObject | undefined,
  host: Pick<DeploymentHost, "loadTemplate">,
  signal: AbortSignal,
): Promise<LoadedTemplate> {
  const template = memberOf(properties, "template");
  if (template !== undefined && template !== null) {
    if (link !== undefined)
      throw templateErrors.InvalidTemplate(
        "Deployment template validation failed: 'A deployment has either 'template' or 'templateLink', not both'.",
      );
    return { template, positions: undefined, link: undefined };
  }
  if (link === undefined) {
    throw templateErrors.InvalidTemplate(
      `Deployment template validation failed: 'The deployment has neither 'template' nor 'templateLink''. ${templateHelp.syntax}`,
    );
  }
  const address = linkedAddress(link, parentLink);
  const { uri } = address;
  const loaded = parseRelaxedJson(await host.loadTemplate(wholeAddress(address), signal));
  const described = newObject();
  described["uri"] = uri;
  if (address.query !== undefined) described["queryString"] = address.query;
  const contentVersion = isObject(loaded.value) ? textMember(loaded.value, "contentVersion") : undefined;
  if (contentVersion !== undefined) described["contentVersion"] = contentVersion;
  const wanted = textMember(link, "contentVersion");
  if (wanted !== undefined && wanted !== contentVersion) {
    throw templateErrors.InvalidContentLink(
      `The template at '${uri}' has the contentVersion '${contentVersion ?? ""}', the link asks for '${wanted}'.`,
    );
  }
  return { template: loaded.value, positions: loaded.positions, link: described };
}

export async function loadParameters(
  link: JsonObject,
  parentLink: JsonObject | undefined,
  host: Pick<DeploymentHost, "loadTemplate">,
  signal: AbortSignal,
): Promise<JsonObject> {
  const address = linkedAddress(link, parentLink);
  const { value } = parseRelaxedJson(await host.loadTemplate(wholeAddress(address), signal));
  const parameters = isObject(value) ? memberOf(value, "parameters") : undefined;
  if (isObject(parameters)) return parameters;
  throw templateErrors.InvalidContentLink(`The parameter file at '${address.uri}' has no object 'parameters'.`);
}

/** Puts secrets of key vaults in the place of the references to them. */
export async function resolveSecrets(
  parameters: JsonObject,
  host: Pick<DeploymentHost, "secret">,
  signal: AbortSignal,
): Promise<JsonObject> {
  const resolved = newObject();
  for (const [name, parameter] of Object.entries(parameters)) {
    const reference = isObject(parameter) ? memberOf(parameter, "reference") : undefined;
    if (!isObject(reference)) {
      resolved[name] = parameter;
      continue;
    }
    const vault = memberOf(reference, "keyVault");
    const keyVaultId = isObject(vault) ? textMember(vault, "id") : undefined;
    const secretName = textMember(reference, "secretName");
    if (keyVaultId === undefined || secretName === undefined) {
      throw templateErrors.KeyVaultParameterReferenceInvalid(
        `The specified KeyVault parameter reference of parameter '${name}' is not valid: it needs 'keyVault.id' and 'secretName'. Please see https://aka.ms/arm-keyvault for usage details.`,
        { target: name },
      );
    }
    const value = await host.secret(
      { keyVaultId, secretName, secretVersion: textMember(reference, "secretVersion") },
      signal,
    );
    // Where it came from stays beside it: a parameter of any type that holds a secret is shown as one.
    resolved[name] = { value, reference };
  }
  return resolved;
}

export function readMode(mode: Json | undefined): DeploymentMode {
  if (mode === undefined) return "Incremental";
  if (typeof mode === "string" && /^incremental$/i.test(mode)) return "Incremental";
  if (typeof mode === "string" && /^complete$/i.test(mode)) return "Complete";
  throw templateErrors.InvalidDeployment(
    `The deployment mode '${toText(mode).slice(0, 80)}' is not valid. Allowed are 'Incremental' and 'Complete'.`,
    { target: "mode" },
  );
}

function asObject(value: Json | undefined, name: string): JsonObject | undefined {
  if (value === undefined || isObject(value)) return value;
  throw new ExpressionError(`'${name}' of a nested deployment must be an object.`);
}
