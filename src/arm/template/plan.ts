// A plan: everything of a deployment that can be known before it touches a provider. Making one is
// the validation of a template; executing it is another matter (execute.ts).

import { isObject, type Json, type JsonObject, memberOf, newObject } from "../relaxed-json/json.ts";
import type { SourcePositions } from "../relaxed-json/positions.ts";
import { buildGraph, type Graph, indexResources } from "./dependencies.ts";
import type { DeploymentTarget } from "./deployment-target.ts";
import { attempt, expandResources } from "./expand-resources.ts";
import type { Budget } from "./expression/budget.ts";
import { checkSyntax } from "./expression/check-syntax.ts";
import { ExpressionError } from "./expression/expression-error.ts";
import { evaluateTree } from "./expression/evaluate.ts";
import { type DeploymentFacts, type EvaluationContext, RuntimeValueNeeded } from "./expression/scope.ts";
import { templateLimits } from "./limits.ts";
import { outputEntries, type OutputDeclaration } from "./output-declarations.ts";
import { type Parameter, readParameters } from "./parameters.ts";
import { isSecureType, resolveType } from "./parameter-types.ts";
import { engineMembers, type PlannedResource } from "./planned-resource.ts";
import { readTemplate, type Template, textMember } from "./template.ts";
import { invalidTemplate, placed } from "./template-errors.ts";
import { templateHash } from "./template-hash.ts";
import { openLink } from "./template-link.ts";
import { planningContext, templateScope } from "./template-scope.ts";
import { withoutNulls } from "./without-nulls.ts";

export type DeploymentMode = "Incremental" | "Complete";

export interface DeploymentRequest {
  readonly name: string;
  readonly target: DeploymentTarget;
  readonly location: string | undefined;
  readonly mode: DeploymentMode;
  readonly template: Json;
  readonly positions: SourcePositions;
  /** `{ name: { value } }`; references to secrets are in place already. */
  readonly parameters: JsonObject;
  readonly templateLink: JsonObject | undefined;
  /** The parent's context, when a nested template is evaluated in the outer scope. */
  readonly outer: EvaluationContext | undefined;
  /** 0 for what a client sends. */
  readonly depth: number;
}

/** What the surroundings say; `deployment` is made here. */
export type SurroundingFacts = Omit<DeploymentFacts, "deployment">;

export interface DeploymentPlan {
  readonly request: DeploymentRequest;
  readonly template: Template;
  readonly templateHash: string;
  readonly parameters: ReadonlyMap<string, Parameter>;
  readonly context: EvaluationContext;
  readonly resources: readonly PlannedResource[];
  readonly graph: Graph;
}

/** Shared by a deployment and all that is nested in it. */
export interface TreeBudget {
  readonly budget: Budget;
  resources: number;
  /** Told of each resource that would be written, with its body where no provider need be asked for it. */
  readonly planned?: (resource: PlannedResource, body: JsonObject | undefined) => void;
}

export function planDeployment(request: DeploymentRequest, facts: SurroundingFacts, tree: TreeBudget): DeploymentPlan {
  try {
    return tree.budget.timed(() => plan(request, facts, tree));
  } catch (error) {
    if (error instanceof ExpressionError) throw invalidTemplate(error.message, undefined, "", error);
    throw error;
  }
}

function plan(request: DeploymentRequest, facts: SurroundingFacts, tree: TreeBudget): DeploymentPlan {
  const template = readTemplate(request.template, request.positions);
  checkScope(template, request);
  if (request.depth > templateLimits.nestingDepth) {
    throw invalidTemplate(
      `The nested deployment '${request.name}' exceeds the nesting limit of '${templateLimits.nestingDepth}' levels`,
    );
  }
  const characters = JSON.stringify(template.source).length;
  if (characters > templateLimits.templateCharacters) {
    throw invalidTemplate(
      `The template is too large. Limit: '${templateLimits.templateCharacters}' and actual: '${characters}' characters`,
    );
  }
  const hash = templateHash(template.source);
  const names = {
    byName: new Map<string, readonly PlannedResource[]>(),
    loops: new Map<string, readonly PlannedResource[]>(),
  };
  const parameters = readParameters(template, request.parameters);
  const ownScope = templateScope(
    template,
    parameters,
    { ...facts, deployment: deploymentFact(request, template, hash) },
    names,
  );
  const { outer } = request;
  const context: EvaluationContext =
    outer === undefined
      ? planningContext(ownScope, tree.budget)
      : {
          ...outer,
          scope: {
            ...outer.scope,
            resourceNamed: (name, inner) =>
              ownScope.resourceNamed(name, inner) ?? outer.scope.resourceNamed(name, inner),
            loopNamed: (name, inner) => ownScope.loopNamed(name, inner) ?? outer.scope.loopNamed(name, inner),
          },
          place: { isParameterDefault: false, allowsRuntime: false },
        };
  const resources = expandResources(template, request.target, context);
  tree.resources += resources.length;
  if (tree.resources > templateLimits.resourcesInTree) {
    throw invalidTemplate(
      `The deployment and its nested deployments have more than '${templateLimits.resourcesInTree}' resources together`,
    );
  }
  const index = indexResources(resources, request.target);
  for (const [name, list] of index) names.byName.set(name, list);
  for (const [name, list] of loopsOf(template, resources)) names.loops.set(name, list);
  const contextOf = (resource: PlannedResource): EvaluationContext => ({ ...context, copies: resource.copies });
  const graph = buildGraph(resources, index, contextOf);
  const made: DeploymentPlan = { request, template, templateHash: hash, parameters, context, resources, graph };
  checkExpressions(made, tree);
  return made;
}

const templateKindOf = {
  resourceGroup: "resource group",
  subscription: "subscription",
  managementGroup: "management group",
  tenant: "tenant",
};

function checkScope(template: Template, request: DeploymentRequest): void {
  const wanted = request.target.resourceGroup === undefined ? "subscription" : "resourceGroup";
  // Linked and nested templates often carry the schema of resource groups wherever they go.
  if (template.kind === wanted || (request.depth > 0 && template.kind === "resourceGroup")) return;
  throw invalidTemplate(
    `The template schema is for deployments to a ${templateKindOf[template.kind]}, but '${request.name}' is deployed to a ${templateKindOf[wanted]}`,
    template.positions.ofMember(template.source, "$schema"),
    "$schema",
  );
}

function deploymentFact(request: DeploymentRequest, template: Template, hash: string): JsonObject {
  const properties = newObject();
  if (request.templateLink !== undefined) properties["templateLink"] = openLink(request.templateLink);
  properties["template"] = template.source;
  properties["templateHash"] = hash;
  properties["parameters"] = openParameters(request.parameters, template);
  properties["mode"] = request.mode;
  properties["provisioningState"] = "Accepted";
  const fact = newObject();
  fact["name"] = request.name;
  if (request.location !== undefined) fact["location"] = request.location;
  fact["properties"] = properties;
  return fact;
}

/** What deployment() may show: no secrets. */
function openParameters(given: JsonObject, template: Template): JsonObject {
  const open = newObject();
  for (const [name, value] of Object.entries(given)) {
    const declaration = memberOf(template.parameters, name);
    const type = isObject(declaration) ? resolveType(declaration, template.definitions) : undefined;
    if (type !== undefined && !isSecureType(textMember(type, "type") ?? "")) open[name] = value;
  }
  return open;
}

/** Loops by their name and by their symbolic name; also those that ran zero times. */
function loopsOf(template: Template, resources: readonly PlannedResource[]): Map<string, PlannedResource[]> {
  const loops = new Map<string, PlannedResource[]>();
  for (const { source, symbolicName } of template.resources) {
    const loop = memberOf(source, "copy");
    if (!isObject(loop)) continue;
    const iterations = resources.filter((resource) => resource.source === source);
    const name = memberOf(loop, "name");
    for (const key of [symbolicName, typeof name === "string" ? name : undefined]) {
      if (key !== undefined) loops.set(key.toLowerCase(), iterations);
    }
  }
  return loops;
}

/** Evaluates all that needs no provider, so that mistakes are told before anything is deployed. */
function checkExpressions(made: DeploymentPlan, { planned }: TreeBudget): void {
  for (const parameter of made.parameters.values()) parameter.value(made.context);
  if (made.request.outer === undefined)
    for (const name of Object.keys(made.template.variables))
      if (name !== "copy") probe(() => made.context.scope.variable(name, made.context));
  for (const resource of made.resources) {
    if (!resource.isDeployed || resource.isExisting) continue;
    const body = attempt(resource.name, resource.position, () => knownBody(made, resource));
    planned?.(resource, body);
  }
  for (const output of outputEntries(made.template)) {
    if (!output.isValid)
      throw invalidTemplate(
        `The template output '${output.name}' is not valid: ${output.complaint}`,
        output.position,
        `outputs.${output.name}`,
      );
    checkOutput(made, output);
  }
}

/** What the provider would be sent; undefined when a part of it is known only while deploying. */
function knownBody(made: DeploymentPlan, resource: PlannedResource): JsonObject | undefined {
  const body = newObject();
  let isKnown = true;
  for (const [member, value] of Object.entries(resource.source)) {
    if (engineMembers.has(member.toLowerCase()) || holdsTemplate(resource, member)) continue;
    const evaluated = probe(() => evaluateTree(value, bodyContext(made, resource)));
    if (evaluated === undefined) isKnown = false;
    else if (evaluated !== null) body[member] = withoutNulls(evaluated);
  }
  return isKnown ? body : undefined;
}

/** What it evaluates to is known after the deployment; that it can be evaluated at all must be known before. */
function checkOutput({ context }: DeploymentPlan, { name, declaration, position }: OutputDeclaration): void {
  try {
    checkSyntax(declaration, context.scope);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw invalidTemplate(
      `The template output '${name}'${placed(position)} is not valid: ${error.message}`,
      position,
      `outputs.${name}`,
      error,
    );
  }
}

function holdsTemplate(resource: PlannedResource, member: string): boolean {
  return resource.nestedTarget !== undefined && member.toLowerCase() === "properties";
}

function probe<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof RuntimeValueNeeded) return undefined;
    throw error;
  }
}

export function bodyContext(made: DeploymentPlan, resource: PlannedResource): EvaluationContext {
  return { ...made.context, copies: resource.copies, place: { isParameterDefault: false, allowsRuntime: true } };
}
