// Resources of a template as they will be deployed: loops unrolled, children flattened, identity
// computed. Nothing here may ask a provider, so reference() and list*() are refused.

import { isObject, type Json, memberOf } from "../relaxed-json/json.ts";
import { type DeploymentTarget, targetScope } from "./deployment-target.ts";
import { evaluateTree } from "./expression/evaluate.ts";
import { EvaluationLimitError, ExpressionError } from "./expression/expression-error.ts";
import type { EvaluationContext } from "./expression/scope.ts";
import { toText, typeName } from "./expression/values.ts";
import { templateLimits } from "./limits.ts";
import { deploymentType, type PlannedResource } from "./planned-resource.ts";
import { copyCount } from "./property-copy.ts";
import type { Template, TemplateResource } from "./template.ts";
import { invalidResource, invalidTemplate, placed, templateHelp } from "./template-errors.ts";

interface Parent {
  readonly type: string;
  readonly name: string;
  readonly key: string;
  readonly scope: string | undefined;
}

interface Expansion {
  readonly template: Template;
  readonly target: DeploymentTarget;
  readonly found: PlannedResource[];
}

export function expandResources(
  template: Template,
  target: DeploymentTarget,
  context: EvaluationContext,
): PlannedResource[] {
  const expansion: Expansion = { template, target, found: [] };
  for (const resource of template.resources) expandOne(expansion, resource, undefined, context);
  refuseDuplicates(expansion.found);
  return expansion.found;
}

function expandOne(
  expansion: Expansion,
  resource: TemplateResource,
  parent: Parent | undefined,
  context: EvaluationContext,
): void {
  const loop = memberOf(resource.source, "copy");
  if (loop === undefined || loop === null) {
    place(expansion, resource, parent, context, undefined);
    return;
  }
  const shownName = shown(resource);
  const position = expansion.template.positions.of(resource.source);
  attempt(shownName, position, () => {
    if (!isObject(loop)) throw new ExpressionError("'copy' of a resource must be an object with 'name' and 'count'.");
    const name = resource.symbolicName ?? memberOf(loop, "name");
    if (typeof name !== "string") throw new ExpressionError("'copy' of a resource needs a 'name'.");
    const loopName = textOf(memberOf(loop, "name")) ?? name;
    const count = copyCount(memberOf(loop, "count") ?? null, context, evaluateTree, loopName);
    const isSerial = textOf(memberOf(loop, "mode"))?.toLowerCase() === "serial";
    const batch = evaluated(loop, "batchSize", context);
    const batchSize = isSerial ? Math.max(1, typeof batch === "number" ? batch : 1) : undefined;
    for (let index = 0; index < count; index += 1) {
      const copies = [...context.copies, { name: loopName, index, kind: "resource" as const }];
      place(expansion, resource, parent, { ...context, copies }, { name: loopName, batchSize, index });
    }
  });
}

function place(
  expansion: Expansion,
  resource: TemplateResource,
  parent: Parent | undefined,
  context: EvaluationContext,
  loop: PlannedResource["loop"],
): void {
  const { source } = resource;
  const { positions } = expansion.template;
  const position = positions.of(source);
  if (expansion.found.length >= templateLimits.resources) {
    throw invalidTemplate(
      `The number of template resources limit exceeded. Limit: '${templateLimits.resources}' and actual: more than that. Please see https://aka.ms/arm-syntax-resources for usage details.`,
      position,
    );
  }
  const planned = attempt(shown(resource), position, () => identify(expansion, resource, parent, context, loop));
  expansion.found.push(planned);
  const children = memberOf(source, "resources");
  if (children === undefined || children === null) return;
  if (!Array.isArray(children) && !isObject(children))
    throw invalidResource(planned.name, position, new ExpressionError("'resources' must be an array."));
  const scope = textOf(memberOf(source, "scope"));
  const next: Parent = { type: planned.type, name: planned.name, key: planned.key, scope };
  for (const [key, child] of Object.entries(children)) {
    if (!isObject(child))
      throw invalidResource(
        planned.name,
        position,
        new ExpressionError(`the child resource '${key}' must be an object.`),
      );
    expandOne(expansion, { symbolicName: Array.isArray(children) ? undefined : key, source: child }, next, context);
  }
}

function identify(
  expansion: Expansion,
  { source, symbolicName }: TemplateResource,
  parent: Parent | undefined,
  context: EvaluationContext,
  loop: PlannedResource["loop"],
): PlannedResource {
  const { template, target } = expansion;
  const position = template.positions.of(source);
  const isExisting = evaluated(source, "existing", context) === true;
  const isDeployed = conditionOf(source, context);
  // What is only read and not even that: as in Azure its name and scope are never looked at.
  const isUnread = isExisting && !isDeployed;
  const ownName = isUnread ? unreadName(symbolicName, loop) : requiredText(source, "name", context);
  const ownType = requiredText(source, "type", context);
  const isWhole =
    parent === undefined || ownType.toLowerCase().startsWith(`${parent.type.toLowerCase()}/`) || ownType.includes(".");
  const type = parent === undefined || isWhole ? ownType : `${parent.type}/${ownType}`;
  const name = parent === undefined || isWhole ? ownName : `${parent.name}/${ownName}`;
  if (!isUnread) checkSegments(type, name, position);
  const apiVersion = textOf(evaluated(source, "apiVersion", context)) ?? "";
  if (apiVersion === "" && !isExisting) {
    throw new ExpressionError(`The apiVersion property cannot be null or empty. ${templateHelp.resources}`);
  }
  const nestedTarget = type.toLowerCase() === deploymentType ? nestedTargetOf(target, source, context) : undefined;
  const scope = (isUnread ? undefined : textOf(evaluated(source, "scope", context))) ?? parent?.scope;
  const own = isUnread ? target : (nestedTarget ?? resourceTarget(target, source, context));
  const id = resourceIdAt(own, scope, type, name);
  return {
    key: id.toLowerCase(),
    id,
    type,
    name,
    apiVersion,
    symbolicName,
    source,
    position,
    copies: context.copies,
    loop,
    parentKey: parent?.key,
    isDeployed,
    isExisting,
    onlyIfNotExists: isOnlyIfNotExists(source, context),
    nestedTarget,
  };
}

function conditionOf(source: TemplateResource["source"], context: EvaluationContext): boolean {
  const condition = evaluated(source, "condition", context);
  if (condition === undefined) return true;
  if (typeof condition !== "boolean" && !/^(true|false)$/i.test(toText(condition))) {
    throw new ExpressionError(`The 'condition' must be a boolean. The value is of type '${typeName(condition)}'.`);
  }
  return toText(condition).toLowerCase() === "true";
}

/** Stands for a name that is not known; others may depend on it by its symbolic name. */
function unreadName(symbolicName: string | undefined, loop: PlannedResource["loop"]): string {
  return `${symbolicName ?? ""}[${loop?.index ?? 0}]`;
}

function isOnlyIfNotExists(source: TemplateResource["source"], context: EvaluationContext): boolean {
  const options = evaluated(source, "@options", context);
  return isObject(options) && memberOf(options, "onlyIfNotExists") === true;
}

function checkSegments(type: string, name: string, position: Parameters<typeof placed>[0]): void {
  const types = type.split("/");
  const names = name.split("/");
  if (types.length === names.length + 1 && types.every((part) => part !== "") && names.every((part) => part !== ""))
    return;
  throw new ExpressionError(
    `The template resource '${name}' for type '${type}'${placed(position)} has incorrect segment lengths. A nested resource type must have identical number of segments as its resource name. A root resource type must have segment length one greater than its resource name. ${templateHelp.resources}`,
  );
}

/** Existing resources may live in another group or subscription than the deployment. */
function resourceTarget(
  target: DeploymentTarget,
  source: TemplateResource["source"],
  context: EvaluationContext,
): DeploymentTarget {
  const subscriptionId = textOf(evaluated(source, "subscriptionId", context)) ?? target.subscriptionId;
  const resourceGroup = textOf(evaluated(source, "resourceGroup", context)) ?? target.resourceGroup;
  return { subscriptionId, resourceGroup };
}

/** A nested deployment that names only a subscription goes to the subscription itself. */
function nestedTargetOf(
  target: DeploymentTarget,
  source: TemplateResource["source"],
  context: EvaluationContext,
): DeploymentTarget {
  const subscriptionId = textOf(evaluated(source, "subscriptionId", context));
  const resourceGroup = textOf(evaluated(source, "resourceGroup", context));
  if (resourceGroup !== undefined) return { subscriptionId: subscriptionId ?? target.subscriptionId, resourceGroup };
  if (subscriptionId !== undefined) return { subscriptionId, resourceGroup: undefined };
  return target;
}

function resourceIdAt(target: DeploymentTarget, scope: string | undefined, type: string, name: string): string {
  const [namespace = "", ...types] = type.split("/");
  const names = name.split("/");
  const path = `/providers/${[namespace, ...types.flatMap((part, index) => [part, names[index] ?? ""])].join("/")}`;
  const subscription = `/subscriptions/${target.subscriptionId}`;
  if (scope === undefined) {
    if (type.toLowerCase() === "microsoft.resources/resourcegroups") return `${subscription}/resourceGroups/${name}`;
    return targetScope(target) + path;
  }
  if (scope === "/") return path;
  if (scope.startsWith("/")) return scope.replace(/\/+$/, "") + path;
  return `${targetScope(target)}${extensionScope(scope)}${path}`;
}

/** `Microsoft.A/b/name` as a path below the deployment's scope. */
function extensionScope(scope: string): string {
  return `/providers/${scope.replace(/\/+$/, "")}`;
}

function refuseDuplicates(resources: readonly PlannedResource[]): void {
  const seen = new Map<string, PlannedResource>();
  for (const resource of resources) {
    const earlier = seen.get(resource.key);
    // Two entries of which only one is deployed describe alternatives.
    if (
      earlier !== undefined &&
      earlier.isDeployed &&
      resource.isDeployed &&
      !earlier.isExisting &&
      !resource.isExisting
    ) {
      throw invalidTemplate(
        `The resource '${resource.id}'${placed(resource.position)} is defined multiple times in a template. ${templateHelp.resources}`,
        resource.position,
      );
    }
    if (earlier === undefined || resource.isDeployed) seen.set(resource.key, resource);
  }
}

export function attempt<T>(name: string, position: Parameters<typeof placed>[0], work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof EvaluationLimitError) throw invalidTemplate(error.message, position, "", error);
    if (error instanceof ExpressionError) throw invalidResource(name, position, error);
    throw error;
  }
}

function shown({ symbolicName, source }: TemplateResource): string {
  const name = memberOf(source, "name");
  return symbolicName ?? (typeof name === "string" ? name.slice(0, 200) : "");
}

export function evaluated(
  source: TemplateResource["source"],
  name: string,
  context: EvaluationContext,
): Json | undefined {
  const value = memberOf(source, name);
  return value === undefined || value === null ? undefined : evaluateTree(value, context);
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function requiredText(source: TemplateResource["source"], name: string, context: EvaluationContext): string {
  const value = evaluated(source, name, context);
  if (typeof value === "string" && value !== "") return value;
  throw new ExpressionError(`The ${name} property cannot be null or empty. ${templateHelp.resources}`);
}
