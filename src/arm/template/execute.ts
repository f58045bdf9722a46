// Carries out a plan: resources in the order of their dependencies, as many at once as allowed.
// After a failure nothing new begins, what runs is waited for, and the failures are told together.
// Every step may be run again after a crash: puts are idempotent, and steps that ended well are not
// repeated.

import { HoldfastError } from "../../lib/errors.ts";
import { isObject, type Json, newObject, toPlain } from "../relaxed-json/json.ts";
import { deleteOthers } from "./complete-mode.ts";
import type { DeploymentHost, DeploymentRecorder, DeploymentResult, ProviderReply } from "./deployment-host.ts";
import { evaluateTree } from "./expression/evaluate.ts";
import { ExpressionError } from "./expression/expression-error.ts";
import { findResource } from "./find-resource.ts";
import { type LiveValues, liveValues } from "./live-values.ts";
import { evaluateNested, nestedRequest } from "./nested.ts";
import { recordStep, type Step, stepId } from "./operation-record.ts";
import { evaluateOutputs, type Outputs } from "./outputs.ts";
import { bodyContext, type DeploymentPlan, planDeployment, type TreeBudget } from "./plan.ts";
import { engineMembers, type PlannedResource } from "./planned-resource.ts";
import { withoutNulls } from "./without-nulls.ts";
import { placed, templateErrors } from "./template-errors.ts";

const atOnce = 16;

interface Run {
  readonly plan: DeploymentPlan;
  readonly host: DeploymentHost;
  readonly recorder: DeploymentRecorder;
  readonly tree: TreeBudget;
  readonly values: LiveValues;
  readonly signal: AbortSignal;
  readonly outputResources: string[];
  readonly failures: HoldfastError[];
  running: number;
  readonly waiting: (() => void)[];
}

export interface ExecutedDeployment extends DeploymentResult {
  /** With secure values, for the parent that asked. */
  readonly fullOutputs: Json;
}

export async function executeDeployment(
  plan: DeploymentPlan,
  host: DeploymentHost,
  recorder: DeploymentRecorder,
  tree: TreeBudget,
  signal: AbortSignal,
): Promise<ExecutedDeployment> {
  const values = liveValues(host, recorder, tree.budget, plan.request.outer?.runtime);
  const run: Run = {
    plan,
    host,
    recorder,
    tree,
    values,
    signal,
    outputResources: [],
    failures: [],
    running: 0,
    waiting: [],
  };
  await deployAll(run);
  signal.throwIfAborted();
  if (run.failures.length === 0 && plan.request.mode === "Complete")
    await deleteOthers(plan, host, recorder, run.failures, signal);
  signal.throwIfAborted();
  if (run.failures.length > 0) {
    throw templateErrors.DeploymentFailed(
      "At least one resource deployment operation failed. Please list deployment operations for details. Please see https://aka.ms/arm-deployment-operations for usage details.",
      { details: run.failures },
    );
  }
  const outputs = await recordedOutputs(run);
  return { outputs: toPlain(outputs.shown), fullOutputs: outputs.full, outputResources: run.outputResources };
}

async function recordedOutputs(run: Run): Promise<Outputs> {
  let outputs: Outputs = { full: newObject(), shown: newObject() };
  if (Object.keys(run.plan.template.outputs).length === 0) return outputs;
  await recordStep(run.host, run.recorder, { kind: "EvaluateDeploymentOutput", target: undefined }, async () => {
    outputs = await evaluateOutputs(run.plan, run.values, run.signal);
    return { statusCode: 200, body: undefined };
  });
  return outputs;
}

/** Each resource begins when the ones that it depends on have ended well. */
async function deployAll(run: Run): Promise<void> {
  const byKey = Map.groupBy(run.plan.resources, ({ key }) => key);
  const remaining = new Map<string, Set<string>>([...run.plan.graph].map(([key, edges]) => [key, new Set(edges)]));
  const dependants = new Map<string, string[]>();
  for (const [key, edges] of run.plan.graph) {
    for (const edge of edges) dependants.set(edge, [...(dependants.get(edge) ?? []), key]);
  }
  const tasks: Promise<void>[] = [];
  const begin = (key: string): void => {
    tasks.push(
      (async () => {
        for (const resource of byKey.get(key) ?? []) {
          if (!(await deployOne(run, resource))) return;
        }
        for (const next of dependants.get(key) ?? []) {
          const edges = remaining.get(next);
          edges?.delete(key);
          if (edges?.size === 0) begin(next);
        }
      })(),
    );
  };
  for (const [key, edges] of run.plan.graph) if (edges.size === 0) begin(key);
  for (let index = 0; index < tasks.length; index += 1) await tasks[index];
}

/** False when it failed or was not begun: nothing may follow. */
async function deployOne(run: Run, resource: PlannedResource): Promise<boolean> {
  if (!resource.isDeployed || resource.isExisting) return true;
  await takePlace(run);
  try {
    if (run.failures.length > 0 || run.signal.aborted) return false;
    await deployResource(run, resource);
    return true;
  } catch (error) {
    if (run.signal.aborted) return false;
    run.failures.push(failureOf(resource, error));
    return false;
  } finally {
    run.running -= 1;
    run.waiting.shift()?.();
  }
}

async function takePlace(run: Run): Promise<void> {
  while (run.running >= atOnce) await new Promise<void>((resolve) => run.waiting.push(resolve));
  run.running += 1;
}

function failureOf(resource: PlannedResource, error: unknown): HoldfastError {
  if (error instanceof ExpressionError) {
    return templateErrors.InvalidTemplate(
      `Unable to process template language expressions for resource '${resource.id}'${placed(resource.position)}. '${error.message}'`,
      {
        target: resource.id,
        cause: error,
        facts: { lineNumber: resource.position?.line ?? 0, linePosition: resource.position?.column ?? 0, path: "" },
      },
    );
  }
  if (error instanceof HoldfastError) {
    return new HoldfastError(error.code, { status: error.status }, error.sentence, {
      target: resource.id,
      details: error.details,
      cause: error,
    });
  }
  throw error;
}

async function deployResource(run: Run, resource: PlannedResource): Promise<void> {
  const { id, type, name, apiVersion } = resource;
  const step: Step = { kind: "Create", target: { id, type, name, apiVersion } };
  const isNested = resource.nestedTarget !== undefined;
  // A nested deployment goes through its own steps again: its secure outputs are kept nowhere.
  if (!isNested && run.recorder.succeeded.has(stepId(step))) {
    run.outputResources.push(id);
    return;
  }
  const work = isNested ? () => deployNested(run, resource) : () => putResource(run, resource);
  const body = await recordStep(run.host, run.recorder, step, work);
  if (!isNested) run.outputResources.push(id);
  if (body !== undefined) run.values.keep(id, apiVersion, body);
}

async function putResource(run: Run, resource: PlannedResource): Promise<ProviderReply> {
  const found = resource.onlyIfNotExists ? await findResource(run.host, resource, run.signal) : undefined;
  if (found !== undefined) return { statusCode: 200, body: found };
  const body = await run.values.resolve(() => resourceBody(run, resource), run.signal);
  return run.host.put(resource.id, resource.apiVersion, toPlain(body), run.signal);
}

function resourceBody(run: Run, resource: PlannedResource): Json {
  const context = { ...bodyContext(run.plan, resource), runtime: run.values };
  const body = newObject();
  for (const [member, value] of Object.entries(resource.source)) {
    if (engineMembers.has(member.toLowerCase())) continue;
    const evaluated = evaluateTree(value, context);
    if (evaluated !== null) body[member] = withoutNulls(evaluated);
  }
  return run.tree.budget.admit(body);
}

async function deployNested(run: Run, resource: PlannedResource): Promise<ProviderReply> {
  const { plan, host, tree, signal } = run;
  const context = { ...bodyContext(plan, resource), runtime: run.values };
  const properties = await run.values.resolve(() => evaluateNested(resource, context), signal);
  const request = await nestedRequest(plan, resource, properties, context, host, signal);
  const nested = planDeployment(request, await host.facts(request.target, signal), tree);
  const recorder = await host.beginNested(nested, signal);
  try {
    const result = await executeDeployment(nested, host, recorder, tree, signal);
    await recorder.end({ result });
    run.outputResources.push(...result.outputResources);
    return { statusCode: 200, body: nestedBody(nested, resource, result.fullOutputs) };
  } catch (error) {
    // A service that is ending leaves the row as it is: the parent's next run goes on with it.
    if (!signal.aborted || error instanceof HoldfastError) await recorder.end({ error });
    throw error;
  }
}

/** What reference() of a nested deployment gives: its outputs above all. */
function nestedBody(nested: DeploymentPlan, resource: PlannedResource, outputs: Json): Json {
  const properties = newObject();
  properties["provisioningState"] = "Succeeded";
  properties["mode"] = nested.request.mode;
  properties["templateHash"] = nested.templateHash;
  properties["outputs"] = isObject(outputs) ? outputs : newObject();
  return { id: resource.id, name: resource.name, type: resource.type, properties };
}
