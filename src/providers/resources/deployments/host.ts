// The engine's host: providers through the dispatcher as the person who deploys, rows in the database.

import { findSubscription } from "../../../identity/directory/tenants.ts";
import { getGroup } from "../../../arm/groups.ts";
import { checkLocks } from "../../../arm/locks.ts";
import { fromPlain, type JsonObject, toPlain } from "../../../arm/relaxed-json/json.ts";
import type { Caller } from "../../../arm/request.ts";
import { deleteResource, findResource, listResources, putResource } from "../../../arm/resources/resource-store.ts";
import type { DeploymentHost, SecretReference } from "../../../arm/template/deployment-host.ts";
import { type DeploymentTarget, targetScope } from "../../../arm/template/deployment-target.ts";
import { typeAndName } from "../../../arm/template/live-values.ts";
import type { SurroundingFacts } from "../../../arm/template/plan.ts";
import { templateErrors } from "../../../arm/template/template-errors.ts";
import type { SecretBox } from "../../../lib/secret-box.ts";
import type { Services } from "../../services.ts";
import {
  type DeploymentMemory,
  type DeploymentProperties,
  idOfPlan,
  propertiesOf,
  refuseActive,
} from "./deployment-record.ts";
import type { InProcessClient } from "./in-process-client.ts";
import type { LoadTemplate } from "./linked-templates.ts";
import { type OnBehalf, providerCalls } from "./provider-calls.ts";
import { recorderFor, type RecordingTerms } from "./recorder.ts";
import { renderGroup } from "../resource-groups.ts";

export interface DeploymentParts {
  readonly services: Services;
  readonly client: InProcessClient;
  /** Seals what a running deployment must remember of its parameters. */
  readonly secretBox: SecretBox;
  readonly loadTemplate: LoadTemplate;
  /** Reads a secret as the caller; absent while there is no key vault. */
  readonly readSecret?: (reference: SecretReference, caller: Caller, signal: AbortSignal) => Promise<string>;
  /** The api-version to use where a request names none (deletes of Complete mode). */
  readonly apiVersionOf: (resourceType: string) => string;
}

/** What is needed to look and to plan, without writing anything. */
export type PlanningHost = Omit<DeploymentHost, "beginNested">;

export function planningHost(parts: DeploymentParts, behalf: OnBehalf): PlanningHost {
  const { services } = parts;
  const { database } = services;
  const calls = providerCalls(parts.client, behalf);
  const resourceTypes = "2021-04-01";
  return {
    now: () => database.clock.now(),
    facts: (target) => factsOf(services, target, behalf),
    loadTemplate: parts.loadTemplate,
    put: (id, apiVersion, body, signal) => calls.request("PUT", id, apiVersion, body, signal),
    get: async (id, apiVersion, signal) => (await calls.request("GET", id, apiVersion, undefined, signal)).body ?? null,
    action: async (id, action, apiVersion, body, signal) =>
      (await calls.request("POST", `${id}/${action}`, apiVersion, body, signal)).body ?? null,
    delete: (id, signal) => calls.request("DELETE", id, parts.apiVersionOf(typeAndName(id).type), undefined, signal),
    listGroupResources: async (target) => {
      const found = await listResources(database.kysely, { ...target, trackedOnly: true });
      return found.map(({ id }) => id).filter((id) => /\/resourceGroups\/[^/]+\/providers\//i.test(id));
    },
    providers: async (namespace, signal) =>
      (await calls.request("GET", `/providers/${namespace}`, resourceTypes, undefined, signal)).body ?? null,
    secret: async (reference, signal) => {
      if (parts.readSecret !== undefined) return parts.readSecret(reference, behalf.caller, signal);
      throw templateErrors.KeyVaultParameterReferenceInvalid(
        `The secret '${reference.secretName}' can't be read: this service has no key vault. Pass the value of the parameter itself.`,
      );
    },
  };
}

export function deployingHost(
  parts: DeploymentParts,
  behalf: OnBehalf,
  operationId: string,
  terms: RecordingTerms,
): DeploymentHost {
  const { services } = parts;
  const { database } = services;
  return {
    ...planningHost(parts, behalf),
    beginNested: async (plan) => {
      const { target, location } = plan.request;
      const id = idOfPlan(plan);
      await services.access.check({
        principal: { objectId: behalf.caller.principalId, name: behalf.caller.name },
        action: "Microsoft.Resources/deployments/write",
        scope: targetScope(target),
      });
      if (target.resourceGroup !== undefined)
        await getGroup(database.kysely, target.subscriptionId, target.resourceGroup);
      await checkLocks(database.kysely, id, "write", "Microsoft.Resources/deployments/write");
      const hidden: DeploymentMemory = {
        template: toPlain(plan.template.source),
        sealedParameters: null,
        templateLink: null,
        origin: behalf.origin,
        operationId,
        isNested: true,
      };
      const properties = propertiesOf(plan, behalf.correlationId, database.clock.now());
      await database.transaction(async (trx) => {
        await terms.assertHeld(trx);
        const existing = await findResource<DeploymentProperties, DeploymentMemory>(trx, id);
        if (existing !== undefined && existing.hidden.operationId !== operationId) {
          refuseActive(existing);
          await deleteResource(trx, id);
        }
        await putResource(
          trx,
          { id, location, properties, hidden, provisioningState: "Running" },
          { caller: behalf.caller, clock: database.clock },
        );
      });
      return recorderFor(id, terms);
    },
  };
}

async function factsOf(services: Services, target: DeploymentTarget, behalf: OnBehalf): Promise<SurroundingFacts> {
  const { kysely, clock } = services.database;
  const subscription = await findSubscription(kysely, target.subscriptionId);
  const tenantId = subscription?.tenantId ?? services.tenantId;
  return {
    tenant: object({ countryCode: "", displayName: "Holdfast", id: `/tenants/${tenantId}`, tenantId }),
    subscription: object({
      id: `/subscriptions/${target.subscriptionId}`,
      subscriptionId: target.subscriptionId,
      tenantId,
      displayName: subscription?.displayName ?? "",
    }),
    resourceGroup: await groupFact(services, target),
    managementGroup: undefined,
    environment: environmentFact(behalf.origin, tenantId),
    deployer: object({ objectId: behalf.caller.principalId, tenantId, userPrincipalName: behalf.caller.name }),
    now: clock.now(),
  };
}

/** A group that the deployment itself is going to make is described by what is known of it. */
async function groupFact(
  services: Services,
  { subscriptionId, resourceGroup }: DeploymentTarget,
): Promise<JsonObject | undefined> {
  if (resourceGroup === undefined) return undefined;
  const id = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`;
  const group = await findResource(services.database.kysely, id);
  if (group === undefined)
    return object({
      id,
      name: resourceGroup,
      type: "Microsoft.Resources/resourceGroups",
      location: "",
      tags: {},
      properties: {},
    });
  return object({ tags: {}, ...renderGroup(group) });
}

function environmentFact(origin: string, tenantId: string): JsonObject {
  return object({
    name: "Holdfast",
    resourceManager: origin,
    portal: origin,
    graph: origin,
    authentication: { loginEndpoint: origin, audiences: [origin], tenant: tenantId, identityProvider: "AAD" },
    suffixes: {
      acrLoginServer: ".local",
      keyvaultDns: ".vault.localhost",
      sqlServerHostname: ".database.localhost",
      storage: "localhost",
    },
  });
}

function object(value: object): JsonObject {
  return fromPlain(value) as JsonObject;
}
