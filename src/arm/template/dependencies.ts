// Who waits for whom. `dependsOn` counts as written; reference() and list*() of a resource of the
// template add an edge. An edge that comes only from an id in an expression is dropped where it
// would close a circle, because such an id may mean the state from before this deployment.

import { isObject, type Json, type JsonObject, memberOf } from "../relaxed-json/json.ts";
import { deploymentId, type DeploymentTarget } from "./deployment-target.ts";
import { evaluate, evaluateTree, parsed } from "./expression/evaluate.ts";
import { ExpressionError } from "./expression/expression-error.ts";
import { isExpressionText } from "./expression/parse-expression.ts";
import { type EvaluationContext, RuntimeValueNeeded } from "./expression/scope.ts";
import type { Expression } from "./expression/syntax.ts";
import { attempt } from "./expand-resources.ts";
import type { PlannedResource } from "./planned-resource.ts";
import { invalidTemplate, templateHelp } from "./template-errors.ts";

export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

export function indexResources(
  resources: readonly PlannedResource[],
  target: DeploymentTarget,
): Map<string, readonly PlannedResource[]> {
  const index = new Map<string, PlannedResource[]>();
  const add = (name: string | undefined, resource: PlannedResource): void => {
    if (name === undefined) return;
    const key = name.toLowerCase();
    const list = index.get(key) ?? [];
    if (!list.includes(resource)) list.push(resource);
    index.set(key, list);
  };
  for (const resource of resources) {
    const { id, type, name, symbolicName, loop } = resource;
    add(id, resource);
    add(id.slice(id.lastIndexOf("/providers/") + "/providers/".length), resource);
    add(`${type}/${name}`, resource);
    add(providerPath(resource), resource);
    // A nested deployment elsewhere is often named as if it were here.
    if (resource.nestedTarget !== undefined) add(deploymentId(target, name), resource);
    add(loop?.name, resource);
    add(symbolicName, resource);
    if (loop !== undefined && symbolicName !== undefined) add(`${symbolicName}[${loop.index}]`, resource);
    if (symbolicName === undefined) add(name, resource);
  }
  return index;
}

/** What resourceId() and subscriptionResourceId() make of a resource group, whose own id is shorter. */
function providerPath({ id, type, name }: PlannedResource): string | undefined {
  if (type.toLowerCase() !== "microsoft.resources/resourcegroups") return undefined;
  return `${id.slice(0, id.toLowerCase().lastIndexOf("/resourcegroups/"))}/providers/${type}/${name}`;
}

export function buildGraph(
  resources: readonly PlannedResource[],
  index: ReadonlyMap<string, readonly PlannedResource[]>,
  contextOf: (resource: PlannedResource) => EvaluationContext,
): Graph {
  const graph = new Map<string, Set<string>>(resources.map(({ key }) => [key, new Set<string>()]));
  const soft: [string, string][] = [];
  for (const resource of resources) {
    const edges = graph.get(resource.key) ?? new Set<string>();
    if (resource.parentKey !== undefined) edges.add(resource.parentKey);
    for (const key of explicitDependencies(resource, index, contextOf(resource))) edges.add(key);
    for (const { name, isId } of referencedNames(resource, contextOf(resource))) {
      for (const { key } of index.get(name.toLowerCase()) ?? []) {
        if (key === resource.key) continue;
        if (isId) soft.push([resource.key, key]);
        else edges.add(key);
      }
    }
    edges.delete(resource.key);
  }
  addBatches(resources, graph);
  refuseCycle(resources, graph);
  for (const [from, to] of soft) {
    if (!reaches(graph, to, from)) graph.get(from)?.add(to);
  }
  return graph;
}

function explicitDependencies(
  resource: PlannedResource,
  index: ReadonlyMap<string, readonly PlannedResource[]>,
  context: EvaluationContext,
): string[] {
  const list = memberOf(resource.source, "dependsOn");
  if (list === undefined || list === null) return [];
  return attempt(resource.name, resource.position, () => {
    const names = evaluateTree(list, context);
    if (!Array.isArray(names)) throw new ExpressionError("'dependsOn' must be an array of names or ids of resources.");
    return names.flatMap((name) => {
      if (name === null || name === "") return [];
      if (typeof name !== "string") throw new ExpressionError("'dependsOn' must hold strings.");
      const found = index.get(name.replace(/\/+$/, "").toLowerCase());
      if (found === undefined) {
        // A loop that ran zero times has nothing to wait for.
        if (isEmptyLoop(context, name)) return [];
        throw invalidTemplate(
          `The resource '${name}' is not defined in the template. ${templateHelp.syntax}`,
          resource.position,
        );
      }
      if (found.some(({ key }) => key === resource.key) && found.length === 1) {
        throw invalidTemplate(
          `Circular dependency detected on resource: '${resource.id}'. ${templateHelp.resources}`,
          resource.position,
        );
      }
      return found.map(({ key }) => key);
    });
  });
}

function isEmptyLoop(context: EvaluationContext, name: string): boolean {
  return context.scope.loopNamed(name, context)?.length === 0;
}

interface Mention {
  readonly name: string;
  readonly isId: boolean;
}

function referencedNames(resource: PlannedResource, context: EvaluationContext): Mention[] {
  const mentions: Mention[] = [];
  for (const [member, value] of Object.entries(resource.source)) {
    if (["resources", "dependson"].includes(member.toLowerCase())) continue;
    const isNested = resource.nestedTarget !== undefined && member.toLowerCase() === "properties" && isObject(value);
    collectMentions(isNested ? outerPart(value) : value, context, mentions);
  }
  return mentions;
}

/** A nested template with a scope of its own does not speak of this template's resources. */
function outerPart(properties: JsonObject): Json {
  if (evaluatesInOuterScope(properties)) return properties;
  return Object.entries(properties)
    .filter(([member]) => member.toLowerCase() !== "template")
    .map(([, value]) => value);
}

export function evaluatesInOuterScope(properties: JsonObject): boolean {
  const options = memberOf(properties, "expressionEvaluationOptions");
  const scope = isObject(options) ? memberOf(options, "scope") : undefined;
  return (
    memberOf(properties, "template") !== undefined && !(typeof scope === "string" && scope.toLowerCase() === "inner")
  );
}

function collectMentions(value: Json, context: EvaluationContext, mentions: Mention[]): void {
  if (typeof value === "string") {
    if (isExpressionText(value)) collectFromText(value, context, mentions);
  } else if (Array.isArray(value)) for (const element of value) collectMentions(element, context, mentions);
  else if (isObject(value)) for (const member of Object.values(value)) collectMentions(member, context, mentions);
}

function collectFromText(text: string, context: EvaluationContext, mentions: Mention[]): void {
  if (!/reference|list/i.test(text)) return;
  let expression: Expression;
  try {
    expression = parsed(text);
  } catch (error) {
    // Whoever evaluates the text says so, with its place.
    if (error instanceof ExpressionError) return;
    throw error;
  }
  collectFromExpression(expression, context, mentions);
}

function collectFromExpression(expression: Expression, context: EvaluationContext, mentions: Mention[]): void {
  if (expression.kind === "literal") return;
  if (expression.kind !== "call") {
    collectFromExpression(expression.target, context, mentions);
    if (expression.kind === "index") collectFromExpression(expression.index, context, mentions);
    return;
  }
  for (const argument of expression.args) collectFromExpression(argument, context, mentions);
  const [target] = expression.args;
  if (target === undefined || expression.namespace !== undefined || !/^(references?$|list)/i.test(expression.name))
    return;
  try {
    const name = evaluate(target, context);
    if (typeof name === "string") mentions.push({ name: name.replace(/\/+$/, ""), isId: name.startsWith("/") });
  } catch (error) {
    // Depends on a loop inside the body or on another reference: no edge can be known.
    if (!(error instanceof ExpressionError) && !(error instanceof RuntimeValueNeeded)) throw error;
  }
}

/** In a serial loop each batch waits for the one before. */
function addBatches(resources: readonly PlannedResource[], graph: Map<string, Set<string>>): void {
  const loops = Map.groupBy(
    resources.filter(({ loop }) => loop?.batchSize !== undefined),
    ({ loop, source }) => ({ name: loop?.name, source }).source,
  );
  for (const iterations of loops.values()) {
    for (const { key, loop } of iterations) {
      const size = loop?.batchSize ?? 1;
      const batch = Math.floor((loop?.index ?? 0) / size);
      for (const earlier of iterations) {
        if (Math.floor((earlier.loop?.index ?? 0) / size) === batch - 1) graph.get(key)?.add(earlier.key);
      }
    }
  }
}

function refuseCycle(resources: readonly PlannedResource[], graph: Graph): void {
  const byKey = new Map(resources.map((resource) => [resource.key, resource]));
  const done = new Set<string>();
  for (const { key } of resources) {
    const cycle = findCycle(graph, key, done);
    const first = byKey.get(cycle?.[0] ?? "");
    if (cycle === undefined || first === undefined) continue;
    const circle = [...cycle, cycle[0] ?? ""].map((member) => byKey.get(member)?.id ?? member).join("' -> '");
    throw invalidTemplate(
      `Circular dependency detected on resource: '${first.id}'. The circle is: '${circle}'. ${templateHelp.resources}`,
      first.position,
    );
  }
}

/** Depth first without recursion: chains of 800 resources are ordinary. */
function findCycle(graph: Graph, start: string, done: Set<string>): string[] | undefined {
  const path: { key: string; rest: Iterator<string> }[] = [];
  const onPath = new Set<string>();
  const enter = (key: string): void => {
    path.push({ key, rest: (graph.get(key) ?? new Set<string>()).values() });
    onPath.add(key);
  };
  if (!done.has(start)) enter(start);
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const next = top.rest.next();
    if (next.done === true) {
      path.pop();
      onPath.delete(top.key);
      done.add(top.key);
    } else if (onPath.has(next.value)) {
      const keys = path.map(({ key }) => key);
      return keys.slice(keys.indexOf(next.value));
    } else if (!done.has(next.value)) enter(next.value);
  }
  return undefined;
}

function reaches(graph: Graph, from: string, to: string): boolean {
  const seen = new Set<string>([from]);
  const waiting = [from];
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    if (key === to) return true;
    for (const next of graph.get(key) ?? []) {
      if (!seen.has(next)) {
        seen.add(next);
        waiting.push(next);
      }
    }
  }
  return false;
}
