// Validation of a deployment with all that is nested in it, as far as it can be known beforehand.

import type { DeploymentHost } from "./deployment-host.ts";
import { attempt } from "./expand-resources.ts";
import { newBudget } from "./expression/budget.ts";
import { RuntimeValueNeeded } from "./expression/scope.ts";
import { evaluateNested, type NestedProperties, nestedRequest } from "./nested.ts";
import { bodyContext, type DeploymentPlan, type DeploymentRequest, planDeployment, type TreeBudget } from "./plan.ts";
import type { PlannedResource } from "./planned-resource.ts";

export interface ValidatedDeployment {
  readonly plan: DeploymentPlan;
  /** Nested deployments whose parameters are known before anything is deployed. */
  readonly nested: readonly ValidatedDeployment[];
}

export function newTreeBudget(planned?: TreeBudget["planned"]): TreeBudget {
  return { budget: newBudget(), resources: 0, ...(planned === undefined ? {} : { planned }) };
}

type ValidationHost = Pick<DeploymentHost, "facts" | "loadTemplate" | "secret">;

export async function validateDeployment(
  request: DeploymentRequest,
  host: ValidationHost,
  tree: TreeBudget,
  signal: AbortSignal,
): Promise<ValidatedDeployment> {
  const facts = await host.facts(request.target, signal);
  const plan = planDeployment(request, facts, tree);
  const nested: ValidatedDeployment[] = [];
  for (const resource of plan.resources) {
    if (resource.nestedTarget === undefined || !resource.isDeployed || resource.isExisting) continue;
    const properties = knownProperties(plan, resource);
    if (properties === undefined) continue;
    const context = bodyContext(plan, resource);
    const inner = await nestedRequest(plan, resource, properties, context, host, signal);
    nested.push(await validateDeployment(inner, host, tree, signal));
  }
  return { plan, nested };
}

function knownProperties(plan: DeploymentPlan, resource: PlannedResource): NestedProperties | undefined {
  try {
    return plan.context.budget.timed(() =>
      attempt(resource.name, resource.position, () => evaluateNested(resource, bodyContext(plan, resource))),
    );
  } catch (error) {
    // What a reference() will say is known only while deploying; then the nested one is validated.
    if (error instanceof RuntimeValueNeeded) return undefined;
    throw error;
  }
}

/** Everything that would be written, nested deployments included. */
export function plannedWrites({
  plan,
  nested,
}: ValidatedDeployment): { readonly plan: DeploymentPlan; readonly resource: PlannedResource }[] {
  const own = plan.resources
    .filter(({ isDeployed, isExisting }) => isDeployed && !isExisting)
    .map((resource) => ({ plan, resource }));
  return [...own, ...nested.flatMap(plannedWrites)];
}
