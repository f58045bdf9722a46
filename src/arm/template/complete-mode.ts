// Complete mode: what is in the resource group and not in the template goes, deepest first.

import { HoldfastError } from "../../lib/errors.ts";
import type { DeploymentHost, DeploymentRecorder } from "./deployment-host.ts";
import { typeAndName } from "./live-values.ts";
import { recordStep } from "./operation-record.ts";
import type { DeploymentPlan } from "./plan.ts";

/** Ids that Complete mode would delete, in the order in which it would. */
export function surplus(plan: DeploymentPlan, present: readonly string[]): string[] {
  const kept = plan.resources.filter(({ isDeployed, isExisting }) => isDeployed || isExisting).map(({ key }) => key);
  return present
    .filter((id) => {
      const key = id.toLowerCase();
      // A resource that holds one of the template's stays, and so does what stands in one of them.
      return !kept.some((other) => other === key || other.startsWith(`${key}/`) || key.startsWith(`${other}/`));
    })
    .sort((left, right) => right.split("/").length - left.split("/").length);
}

export async function deleteOthers(
  plan: DeploymentPlan,
  host: DeploymentHost,
  recorder: DeploymentRecorder,
  failures: HoldfastError[],
  signal: AbortSignal,
): Promise<void> {
  if (plan.request.target.resourceGroup === undefined) return;
  const present = await host.listGroupResources(plan.request.target, signal);
  for (const id of surplus(plan, present)) {
    const target = { id, apiVersion: "", ...typeAndName(id) };
    try {
      await recordStep(host, recorder, { kind: "Delete", target }, () => host.delete(id, signal));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      failures.push(
        new HoldfastError(error.code, { status: error.status }, error.sentence, {
          target: id,
          details: error.details,
          cause: error,
        }),
      );
    }
  }
}
