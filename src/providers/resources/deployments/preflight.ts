// What a deployment would end with is said before anything of it is made: every resource, those of
// nested deployments too, must be of a type that is here and can be made.

import { deploymentType } from "../../../arm/template/planned-resource.ts";
import { templateErrors } from "../../../arm/template/template-errors.ts";
import { plannedWrites, type ValidatedDeployment } from "../../../arm/template/validate.ts";
import { HoldfastError } from "../../../lib/errors.ts";
import type { InProcessClient } from "./in-process-client.ts";

const toldAtMost = 50;

export function checkResourceTypes(
  client: Pick<InProcessClient, "checkPut">,
  validated: ValidatedDeployment,
  trackingId: string,
): void {
  const refusals = plannedWrites(validated).flatMap(({ resource }): HoldfastError[] => {
    if (resource.type.toLowerCase() === deploymentType) return [];
    const refusal = refusalOf(() => client.checkPut(resource.id, resource.apiVersion), resource.id);
    return refusal === undefined ? [] : [refusal];
  });
  if (refusals.length === 0) return;
  throw templateErrors.InvalidTemplateDeployment(
    `The template deployment '${validated.plan.request.name}' is not valid according to the validation procedure. The tracking id is '${trackingId}'. See inner errors for details.`,
    { details: refusals.slice(0, toldAtMost) },
  );
}

function refusalOf(check: () => void, id: string): HoldfastError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return new HoldfastError(error.code, { status: error.status }, error.message, { target: id });
  }
}
