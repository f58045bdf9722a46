// Ids of resources, and what only a provider can answer: reference, list*, providers, pickZones.

import { isObject, type Json, memberOf, newObject } from "../../relaxed-json/json.ts";
import type { EvaluationContext } from "../expression/scope.ts";
import { integerAt, optionalTextAt, refuse, textAt } from "./arguments.ts";
import { any, type BuiltIn, type BuiltInTable, eager } from "./built-in.ts";

export const resourceFunctions: BuiltInTable = {
  resourceId: eager(2, any, (args, context, name) => {
    const { before, path } = typeAndNames(name, args, 2);
    const { subscription, resourceGroup } = context.scope.facts;
    const [first, second] = before;
    const isSubscription = first !== undefined && guid.test(first);
    if (second !== undefined && !isSubscription)
      throw refuse(name, `the first parameter '${first}' must be the id of a subscription`);
    const group = second ?? (isSubscription ? undefined : first) ?? textOf(resourceGroup?.["name"]);
    const subscriptionId = isSubscription ? first : textOf(subscription["subscriptionId"]);
    if (subscriptionId === undefined) throw refuse(name, "the template is not deployed to a subscription");
    return group === undefined
      ? `/subscriptions/${subscriptionId}/providers/${path}`
      : `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/${path}`;
  }),
  subscriptionResourceId: eager(2, any, (args, context, name) => {
    const { before, path } = typeAndNames(name, args, 1);
    const subscriptionId = before[0] ?? textOf(context.scope.facts.subscription["subscriptionId"]);
    if (subscriptionId === undefined) throw refuse(name, "the template is not deployed to a subscription");
    return `/subscriptions/${subscriptionId}/providers/${path}`;
  }),
  tenantResourceId: eager(2, any, (args, _context, name) => `/providers/${typeAndNames(name, args, 0).path}`),
  managementGroupResourceId: eager(2, any, (args, context, name) => {
    const { before, path } = typeAndNames(name, args, 1);
    const group = before[0] ?? textOf(context.scope.facts.managementGroup?.["name"]);
    if (group === undefined) throw refuse(name, "name the management group: the template is not deployed to one");
    return `/providers/Microsoft.Management/managementGroups/${group}/providers/${path}`;
  }),
  extensionResourceId: eager(3, any, (args, _context, name) => {
    const scope = textAt(name, args, 0);
    return `${scope === "/" ? "" : scope}/providers/${typeAndNames(name, args.slice(1), 0).path}`;
  }),
  reference: eager(1, 3, (args, context, name) => {
    onlyAtRuntime(context, name);
    const target = textAt(name, args, 0);
    const option = optionalTextAt(name, args, 2);
    if (option !== undefined && option.toLowerCase() !== "full")
      throw refuse(name, `the third parameter must be 'Full' and is '${option}'`);
    const named = context.scope.resourceNamed(target, context);
    const id = named?.id ?? identifier(name, target, context);
    const apiVersion = optionalTextAt(name, args, 1) ?? named?.apiVersion;
    return context.runtime.value({ kind: "reference", id, apiVersion, full: option !== undefined });
  }),
  resourceInfo: eager(1, 1, (args, context, name) => {
    const named = context.scope.resourceNamed(textAt(name, args, 0), context);
    if (named === undefined) throw refuse(name, `the template has no resource '${textAt(name, args, 0)}'`);
    const info = newObject();
    for (const key of ["id", "name", "type", "apiVersion"] as const) info[key] = named[key] ?? null;
    return info;
  }),
  references: eager(1, 2, (args, context, name) => {
    onlyAtRuntime(context, name);
    const loop = textAt(name, args, 0);
    const full = optionalTextAt(name, args, 1)?.toLowerCase() === "full";
    const resources = context.scope.loopNamed(loop, context);
    if (resources === undefined) throw refuse(name, `the template has no copy loop with the symbolic name '${loop}'`);
    return resources.map(({ id, apiVersion }) => context.runtime.value({ kind: "reference", id, apiVersion, full }));
  }),
  providers: eager(1, 2, (args, context, name) => {
    const namespace = textAt(name, args, 0);
    const provider = context.runtime.value({ kind: "providers", namespace });
    const type = optionalTextAt(name, args, 1);
    return type === undefined ? provider : resourceTypeOf(provider, type, name);
  }),
  pickZones: eager(3, 5, (args, context, name) => {
    const provider = context.runtime.value({ kind: "providers", namespace: textAt(name, args, 0) });
    const type = resourceTypeOf(provider, textAt(name, args, 1), name);
    const location = textAt(name, args, 2).replaceAll(" ", "").toLowerCase();
    const count = args.length > 3 ? integerAt(name, args, 3) : 1;
    const offset = args.length > 4 ? integerAt(name, args, 4) : 0;
    const mappings = isObject(type) ? (type["zoneMappings"] ?? []) : [];
    const mapping = (Array.isArray(mappings) ? mappings : []).find(
      (candidate) =>
        isObject(candidate) && textOf(candidate["location"])?.replaceAll(" ", "").toLowerCase() === location,
    );
    const zones = isObject(mapping) && Array.isArray(mapping["zones"]) ? mapping["zones"] : [];
    if (zones.length === 0) return [];
    if (count + offset > zones.length)
      throw refuse(name, `the location has ${zones.length} zone(s), ${count} from ${offset} were asked for`);
    return zones.slice(offset, offset + count);
  }),
};

/** Any function whose name begins with `list` is an action of the resource. */
export const listFunction: BuiltIn = eager(2, 3, (args, context, name) => {
  onlyAtRuntime(context, name);
  const target = textAt(name, args, 0);
  const id = context.scope.resourceNamed(target, context)?.id ?? identifier(name, target, context);
  return context.runtime.value({ kind: "list", id, action: name, apiVersion: textAt(name, args, 1), body: args[2] });
});

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function onlyAtRuntime(context: EvaluationContext, name: string): void {
  if (context.place.allowsRuntime) return;
  throw refuse(
    name,
    `the template function '${name}' is not expected at this location: it can only be used in the properties of a resource and in outputs`,
  );
}

/** An id, or `Microsoft.Storage/storageAccounts/name`, which means one in the current group. */
function identifier(name: string, target: string, context: EvaluationContext): string {
  const path = target.replace(/\/+$/, "");
  if (/^\/(?:subscriptions|providers)\//i.test(path)) return path;
  const { resourceGroup, subscription } = context.scope.facts;
  if (/^\w+\.[\w.]+(?:\/[^/]+\/[^/]+)+$/.test(path)) {
    return `${textOf((resourceGroup ?? subscription)["id"]) ?? ""}/providers/${path}`;
  }
  throw refuse(name, `the resource '${target}' is not defined in the template, and it is not the id of a resource`);
}

interface TypeAndNames {
  readonly before: readonly string[];
  readonly path: string;
}

/** `Microsoft.A/b/c` and two names make `Microsoft.A/b/name1/c/name2`. */
function typeAndNames(name: string, args: readonly Json[], maxBefore: number): TypeAndNames {
  const texts = args.map((_, index) => textAt(name, args, index));
  const typeIndex = texts.findIndex((text) => text.includes("/"));
  const type = texts[typeIndex];
  if (type === undefined || typeIndex > maxBefore) {
    throw refuse(
      name,
      "a fully qualified resource type such as 'Microsoft.Compute/virtualMachines' is expected before the names",
    );
  }
  // `Microsoft.Resources/resourceGroups/` is written so in many templates.
  const [namespace = "", ...types] = type.replace(/\/+$/, "").split("/");
  const names = texts.slice(typeIndex + 1).flatMap((text) => text.split("/"));
  if (types.length !== names.length) {
    throw refuse(
      name,
      `the type '${type}' requires '${types.length}' resource name argument(s), '${names.length}' were provided`,
    );
  }
  return {
    before: texts.slice(0, typeIndex),
    path: [namespace, ...types.flatMap((segment, index) => [segment, names[index] ?? ""])].join("/"),
  };
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function resourceTypeOf(provider: Json, type: string, name: string): Json {
  const types = isObject(provider) ? memberOf(provider, "resourceTypes") : undefined;
  const found = (Array.isArray(types) ? types : []).find(
    (candidate) => isObject(candidate) && textOf(candidate["resourceType"])?.toLowerCase() === type.toLowerCase(),
  );
  if (found === undefined) throw refuse(name, `the provider has no resource type '${type}'`);
  return found;
}
