// What a deployment would do, told without doing it.

import { isObject, type Json, type JsonObject, newObject, toPlain } from "../relaxed-json/json.ts";
import { surplus } from "./complete-mode.ts";
import type { DeploymentHost } from "./deployment-host.ts";
import { evaluateText } from "./expression/evaluate.ts";
import { ExpressionError } from "./expression/expression-error.ts";
import { type EvaluationContext, RuntimeValueNeeded } from "./expression/scope.ts";
import { findResource } from "./find-resource.ts";
import { bodyContext, type DeploymentPlan } from "./plan.ts";
import { engineMembers, type PlannedResource } from "./planned-resource.ts";
import { withoutNulls } from "./without-nulls.ts";
import { type PropertyChange, propertyDelta } from "./property-delta.ts";
import { addCopies, propertyCopies } from "./property-copy.ts";
import { plannedWrites, type ValidatedDeployment } from "./validate.ts";

export type ResultFormat = "FullResourcePayloads" | "ResourceIdOnly";

export interface WhatIfChange {
  readonly resourceId: string;
  readonly changeType: "Create" | "Modify" | "NoChange" | "Ignore" | "Delete" | "Deploy";
  readonly before?: unknown;
  readonly after?: unknown;
  readonly delta?: readonly PropertyChange[];
}

export async function whatIf(
  validated: ValidatedDeployment,
  format: ResultFormat,
  host: Pick<DeploymentHost, "get" | "listGroupResources">,
  signal: AbortSignal,
): Promise<WhatIfChange[]> {
  const changes: WhatIfChange[] = [];
  const writes = plannedWrites(validated).filter(({ resource }) => resource.nestedTarget === undefined);
  for (const { plan, resource } of writes) {
    changes.push(
      format === "ResourceIdOnly"
        ? { resourceId: resource.id, changeType: "Deploy" }
        : await compareOne(plan, resource, host, signal),
    );
  }
  const { plan } = validated;
  if (plan.request.target.resourceGroup !== undefined) {
    const written = new Set(writes.map(({ resource }) => resource.key));
    const present = (await host.listGroupResources(plan.request.target, signal)).filter(
      (id) => !written.has(id.toLowerCase()),
    );
    const doomed = new Set(plan.request.mode === "Complete" ? surplus(plan, present) : []);
    for (const resourceId of present)
      changes.push({ resourceId, changeType: doomed.has(resourceId) ? "Delete" : "Ignore" });
  }
  return changes;
}

async function compareOne(
  plan: DeploymentPlan,
  resource: PlannedResource,
  host: Pick<DeploymentHost, "get">,
  signal: AbortSignal,
): Promise<WhatIfChange> {
  const body = newObject();
  const context = bodyContext(plan, resource);
  for (const [member, value] of Object.entries(resource.source)) {
    if (engineMembers.has(member.toLowerCase())) continue;
    const evaluated = context.budget.timed(() => evaluateKnown(value, context));
    if (evaluated !== null) body[member] = withoutNulls(evaluated);
  }
  const after = {
    id: resource.id,
    name: resource.name.split("/").at(-1) ?? "",
    type: resource.type,
    apiVersion: resource.apiVersion,
    ...(toPlain(body) as JsonObject),
  };
  const before = await findResource(host, resource, signal);
  if (before === undefined) return { resourceId: resource.id, changeType: "Create", after };
  const delta = resource.onlyIfNotExists ? [] : propertyDelta(before, body);
  return {
    resourceId: resource.id,
    changeType: delta.length === 0 ? "NoChange" : "Modify",
    before: toPlain(before),
    after,
    delta,
  };
}

/** Evaluates what is known; the rest stays an expression. */
function evaluateKnown(value: Json, context: EvaluationContext): Json {
  if (typeof value === "string") {
    try {
      return evaluateText(value, context);
    } catch (error) {
      if (error instanceof RuntimeValueNeeded || error instanceof ExpressionError) return value;
      throw error;
    }
  }
  if (Array.isArray(value)) return value.map((element) => evaluateKnown(element, context));
  if (!isObject(value)) return value;
  const result = newObject();
  for (const [name, member] of Object.entries(value)) {
    const copies = name === "copy" ? propertyCopies(member) : undefined;
    if (copies === undefined) result[name] = evaluateKnown(member, context);
    else addCopies(result, copies, context, evaluateKnown);
  }
  return result;
}
