// What a deployment would end with is said before anything of it is made: every resource, those of
// nested deployments too, must be of a type that is here, have a name and a body that its provider
// takes, and be one that whoever deploys may write; a nested deployment needs a group to go to.

import { armErrors } from "../../../arm/errors.ts";
import type { Caller } from "../../../arm/request.ts";
import { isObject, type JsonObject, toPlain } from "../../../arm/relaxed-json/json.ts";
import { findResource, type Reader } from "../../../arm/resources/resource-store.ts";
import { targetScope } from "../../../arm/template/deployment-target.ts";
import { deploymentType, type PlannedResource } from "../../../arm/template/planned-resource.ts";
import { templateErrors } from "../../../arm/template/template-errors.ts";
import { plannedWrites, type ValidatedDeployment } from "../../../arm/template/validate.ts";
import type { Access } from "../../../identity/access/access.ts";
import { HoldfastError } from "../../../lib/errors.ts";
import type { InProcessClient } from "./in-process-client.ts";

export interface Preflight {
  /** Looks at one resource; its body is undefined while a part of it is known only while deploying. */
  planned(resource: PlannedResource, body: JsonObject | undefined): void;
  /** Throws when anything that was looked at cannot be. */
  refuse(validated: ValidatedDeployment, trackingId: string): Promise<void>;
}

export interface PreflightTerms {
  readonly client: Pick<InProcessClient, "checkPut">;
  readonly access: Pick<Access, "grantsOf">;
  readonly caller: Caller;
  readonly reader: Reader;
}

const toldAtMost = 50;

interface Looked {
  readonly resource: PlannedResource;
  /** The right that writing it needs; none when it cannot be. */
  readonly action?: string;
  readonly refusal?: HoldfastError;
}

export function preflight({ client, access, caller, reader }: PreflightTerms): Preflight {
  const looks: Promise<Looked>[] = [];

  const look = async (resource: PlannedResource, body: JsonObject | undefined): Promise<Looked> => {
    try {
      const known = isObject(body) ? toPlain(body) : undefined;
      return { resource, action: (await client.checkPut(resource.id, resource.apiVersion, known)).action };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const { code, status, details } = error;
      return {
        resource,
        refusal: new HoldfastError(code, { status }, error.sentence, { target: resource.id, details }),
      };
    }
  };

  return {
    planned: (resource, body) => {
      // A deployment inside this one is looked at by its resources; where it goes is for its writer to have.
      const isDeployment = resource.type.toLowerCase() === deploymentType;
      const looked = isDeployment
        ? Promise.resolve({ resource, action: `${deploymentType}/write` })
        : look(resource, body);
      looked.catch(() => {}); // `refuse` hears of it, unless the template itself is refused first
      looks.push(looked);
    },
    refuse: async (validated, trackingId) => {
      const looked = await Promise.all(looks);
      const refusals = [
        ...looked.flatMap(({ refusal }) => refusal ?? []),
        ...(isKnownWhole(validated) ? await missingGroups(reader, plannedWrites(validated)) : []),
      ];
      const grants = await access.grantsOf(caller.principalId);
      const forbidden = looked.flatMap(({ resource, action = "" }) =>
        action === "" || grants.allows(action, resource.id, "action") ? [] : [notAllowed(caller, resource, action)],
      );
      const details = [...refusals, ...forbidden].slice(0, toldAtMost);
      if (refusals.length > 0)
        throw templateErrors.InvalidTemplateDeployment(
          `The template deployment '${validated.plan.request.name}' is not valid according to the validation procedure. The tracking id is '${trackingId}'. See inner errors for details.`,
          { details },
        );
      if (forbidden.length > 0)
        throw new HoldfastError(
          "InvalidTemplateDeployment",
          { status: 403 },
          `Deployment failed with multiple errors: ${details.map(({ message }) => `'${message}'`).join("; ")}`,
          { details },
        );
    },
  };
}

/** False while a nested deployment, which could make a group, is known only later. */
function isKnownWhole({ plan, nested }: ValidatedDeployment): boolean {
  const deployments = plan.resources.filter(
    ({ nestedTarget, isDeployed, isExisting }) => nestedTarget !== undefined && isDeployed && !isExisting,
  );
  return deployments.length === nested.length && nested.every(isKnownWhole);
}

async function missingGroups(
  reader: Reader,
  writes: readonly { readonly resource: PlannedResource }[],
): Promise<HoldfastError[]> {
  const made = new Set(writes.map(({ resource }) => resource.key));
  const missing: HoldfastError[] = [];
  const looked = new Set<string>();
  for (const { id, nestedTarget } of writes.map(({ resource }) => resource)) {
    if (nestedTarget === undefined) continue;
    const scope = targetScope(nestedTarget);
    const key = scope.toLowerCase();
    if (nestedTarget.resourceGroup === undefined || made.has(key) || looked.has(key)) continue;
    looked.add(key);
    if ((await findResource(reader, scope)) !== undefined) continue;
    missing.push(
      armErrors.ResourceGroupNotFound(`Resource group '${nestedTarget.resourceGroup}' could not be found.`, {
        target: id,
      }),
    );
  }
  return missing;
}

function notAllowed(caller: Caller, { id, name, type }: PlannedResource, action: string): HoldfastError {
  return new HoldfastError(
    "AuthorizationFailed",
    { status: 403 },
    `Authorization failed for template resource '${name}' of type '${type}'. The client '${caller.name}' with object id '${caller.principalId}' does not have permission to perform action '${action}' at scope '${id}'.`,
    { target: id },
  );
}
