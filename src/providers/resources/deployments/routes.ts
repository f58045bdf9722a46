// The routes of deployments, at a resource group and at a subscription.

import { armErrors } from "../../../arm/errors.ts";
import { renderError } from "../../../arm/error-body.ts";
import { allowOnly, filterPredicate, parseFilter } from "../../../arm/filter.ts";
import { getOperation } from "../../../arm/operations/operation.ts";
import { statusReply } from "../../../arm/operations/replies.ts";
import { fillPage } from "../../../arm/paging.ts";
import { isObject, toPlain } from "../../../arm/relaxed-json/json.ts";
import { parseRelaxedJson } from "../../../arm/relaxed-json/parse.ts";
import { noContent, ok, param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { deleteResource, findResource, listResources } from "../../../arm/resources/resource-store.ts";
import type { Route } from "../../../arm/routes.ts";
import type { OperationRecord } from "../../../arm/template/deployment-host.ts";
import { deploymentId } from "../../../arm/template/deployment-target.ts";
import { templateHash } from "../../../arm/template/template-hash.ts";
import { plannedWrites } from "../../../arm/template/validate.ts";
import { whatIf } from "../../../arm/template/what-if.ts";
import { isoTime } from "../../../lib/clock.ts";
import { defineErrors, HoldfastError } from "../../../lib/errors.ts";
import {
  activeStates,
  deploymentResourceType,
  type DeploymentMemory,
  type DeploymentProperties,
  operationResourceType,
  propertiesOf,
  renderDeployment,
  type StoredDeployment,
} from "./deployment-record.ts";
import { exportGroupRoute } from "./export-group.ts";
import type { DeploymentParts } from "./host.ts";
import { renderOperationRecord } from "./recorder.ts";
import { canceled, type LiveDeployments } from "./run-deployment.ts";
import { checkDeployment, startDeployment, targetOf } from "./start-deployment.ts";

const errors = defineErrors({
  DeploymentNotFound: { status: 404 },
  DeploymentCannotBeCancelled: { status: 409 },
  DeploymentCannotBeDeleted: { status: 409 },
  DeploymentOperationNotFound: { status: 404 },
});

const subscription = "/subscriptions/{subscriptionId}";
const group = `${subscription}/resourceGroups/{resourceGroup}`;
const permission = "Microsoft.Resources/deployments";

export function deploymentRoutes(parts: DeploymentParts, live: LiveDeployments): Route[] {
  return [
    ...[group, subscription].flatMap((scope) => [
      ...recordRoutes(parts, live, `${scope}/providers/${deploymentResourceType}`),
      ...questionRoutes(parts, `${scope}/providers/${deploymentResourceType}/{name}`),
      ...operationListRoutes(parts, `${scope}/providers/${deploymentResourceType}/{name}/operations`),
      // az asks for the operations without the provider's part of the path.
      ...operationListRoutes(parts, `${scope}/deployments/{name}/operations`),
    ]),
    exportGroupRoute(parts),
    {
      method: "POST",
      path: "/providers/Microsoft.Resources/calculateTemplateHash",
      action: "",
      effect: "read",
      relaxedBody: true,
      handle: calculateHash,
    },
  ];
}

function recordRoutes(parts: DeploymentParts, live: LiveDeployments, collection: string): Route[] {
  const { database, paging, operations } = parts.services;
  const one = `${collection}/{name}`;

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const page = paging.read(request);
    const filter = parseFilter(request.query.get("$filter"));
    allowOnly(filter, ["provisioningState"]);
    const keep = filterPredicate<StoredDeployment>(filter, (row, field) =>
      field.toLowerCase() === "provisioningstate" ? row.provisioningState : undefined,
    );
    const { subscriptionId, resourceGroup } = targetOf(request);
    const rows = await fillPage(
      page,
      (after, limit) =>
        listResources<DeploymentProperties, DeploymentMemory>(database.kysely, {
          subscriptionId,
          resourceGroup: resourceGroup ?? "",
          type: deploymentResourceType,
          after,
          limit,
        }),
      (row) => row.id.toLowerCase(),
      keep,
    );
    return paging.reply(
      request,
      page,
      rows,
      (row) => row.id.toLowerCase(),
      (row) => renderDeployment(row, database.clock.now()),
    );
  };

  const cancel = async (request: ArmRequest): Promise<ArmReply> => {
    const deployment = await find(parts, request);
    if (!activeStates.has(deployment.provisioningState)) {
      throw errors.DeploymentCannotBeCancelled(
        `The deployment '${deployment.name}' cannot be cancelled since its provisioning state is '${deployment.provisioningState}'.`,
      );
    }
    const { operationId } = deployment.hidden;
    await database.transaction((trx) =>
      trx.updateTable("operations").set({ cancel_requested: 1 }).where("operation_id", "=", operationId).execute(),
    );
    live.cancels.get(operationId)?.abort(canceled());
    operations.wake();
    return noContent();
  };

  const remove = async (request: ArmRequest): Promise<ArmReply> => {
    const deployment = await stored(parts, request);
    if (deployment === undefined) return noContent();
    if (activeStates.has(deployment.provisioningState)) {
      throw errors.DeploymentCannotBeDeleted(
        `The deployment '${deployment.name}' is running. Cancel it first, or wait for its end.`,
      );
    }
    await database.transaction((trx) => deleteResource(trx, deployment.id));
    return noContent();
  };

  return [
    { method: "GET", path: collection, handle: list },
    {
      method: "GET",
      path: one,
      handle: async (request) => ok(renderDeployment(await find(parts, request), database.clock.now())),
    },
    {
      method: "HEAD",
      path: one,
      handle: async (request) => ((await stored(parts, request)) === undefined ? { status: 404 } : noContent()),
    },
    { method: "PUT", path: one, relaxedBody: true, handle: (request) => startDeployment(parts, live, request) },
    { method: "DELETE", path: one, handle: remove },
    { method: "POST", path: `${one}/cancel`, handle: cancel },
    {
      method: "GET",
      path: `${one}/operationStatuses/{operationId}`,
      action: `${permission}/operationstatuses/read`,
      handle: async (request) => {
        const operation = await getOperation(database.kysely, param(request, "operationId"));
        const id = deploymentId(targetOf(request), param(request, "name"));
        if (operation.resourceId.toLowerCase() !== id.toLowerCase())
          throw armErrors.OperationNotFound(`The operation '${operation.id}' was not found in this deployment.`);
        return statusReply(request, operation);
      },
    },
  ];
}

function questionRoutes(parts: DeploymentParts, one: string): Route[] {
  const { database } = parts.services;

  const validate = async (request: ArmRequest): Promise<ArmReply> => {
    const { validated } = await checkDeployment(parts, request);
    const { plan } = validated;
    const { startedAt: _startedAt, ...properties } = propertiesOf(plan, request.correlationId, database.clock.now());
    return ok({
      id: deploymentId(plan.request.target, plan.request.name),
      name: plan.request.name,
      type: deploymentResourceType,
      ...(plan.request.location === undefined ? {} : { location: plan.request.location }),
      properties: {
        ...properties,
        provisioningState: "Succeeded",
        timestamp: isoTime(database.clock.now()),
        duration: "PT0S",
        validatedResources: plannedWrites(validated).map(({ resource }) => ({ id: resource.id })),
      },
    });
  };

  const ask = async (request: ArmRequest): Promise<ArmReply> => {
    try {
      const { validated, host, body } = await checkDeployment(parts, request);
      const format = body.resultFormat ?? "FullResourcePayloads";
      if (!/^(FullResourcePayloads|ResourceIdOnly)$/i.test(format)) {
        throw armErrors.InvalidParameter(
          `The result format '${format}' is unknown. Allowed are 'FullResourcePayloads' and 'ResourceIdOnly'.`,
          {
            target: "properties.whatIfSettings.resultFormat",
          },
        );
      }
      const isShort = format.toLowerCase() === "resourceidonly";
      const changes = await whatIf(
        validated,
        isShort ? "ResourceIdOnly" : "FullResourcePayloads",
        host,
        request.signal,
      );
      return ok({ status: "Succeeded", properties: { correlationId: request.correlationId, changes } });
    } catch (error) {
      // The answer of what-if has a place for the mistakes of a template.
      if (!(error instanceof HoldfastError) || error.status !== 400) throw error;
      return ok({ status: "Failed", ...renderError(error) });
    }
  };

  return [
    { method: "POST", path: `${one}/validate`, effect: "read", relaxedBody: true, handle: validate },
    { method: "POST", path: `${one}/whatIf`, effect: "read", relaxedBody: true, handle: ask },
    {
      method: "POST",
      path: `${one}/exportTemplate`,
      effect: "read",
      handle: async (request) => ok({ template: (await find(parts, request)).hidden.template }),
    },
  ];
}

function operationListRoutes(parts: DeploymentParts, collection: string): Route[] {
  const { database, paging } = parts.services;
  const action = `${permission}/operations/read`;

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const deployment = await find(parts, request);
    const page = paging.read(request, 1000);
    const rows = await listResources<OperationRecord>(database.kysely, {
      parent: deployment.id,
      type: operationResourceType,
      after: page.after,
      limit: page.limit + 1,
    });
    return paging.reply(request, page, rows, (row) => row.id.toLowerCase(), renderOperationRecord);
  };

  const read = async (request: ArmRequest): Promise<ArmReply> => {
    const deployment = await find(parts, request);
    const operationId = param(request, "operationId");
    const operation = await findResource<OperationRecord>(
      database.kysely,
      `${deployment.id}/operations/${operationId}`,
    );
    if (operation === undefined) {
      throw errors.DeploymentOperationNotFound(
        `The deployment '${deployment.name}' has no operation '${operationId}'.`,
        { target: operationId },
      );
    }
    return ok(renderOperationRecord(operation));
  };

  return [
    { method: "GET", path: collection, action, handle: list },
    { method: "GET", path: `${collection}/{operationId}`, action, handle: read },
  ];
}

function stored(parts: DeploymentParts, request: ArmRequest): Promise<StoredDeployment | undefined> {
  const id = deploymentId(targetOf(request), param(request, "name"));
  return findResource<DeploymentProperties, DeploymentMemory>(parts.services.database.kysely, id);
}

async function find(parts: DeploymentParts, request: ArmRequest): Promise<StoredDeployment> {
  const deployment = await stored(parts, request);
  if (deployment !== undefined) return deployment;
  throw errors.DeploymentNotFound(`Deployment '${param(request, "name")}' could not be found.`, {
    target: "deploymentName",
  });
}

async function calculateHash(request: ArmRequest): Promise<ArmReply> {
  const { value } = parseRelaxedJson(request.text);
  if (!isObject(value))
    throw armErrors.InvalidRequestContent("The request content was invalid: the template must be an object.");
  return ok({ minifiedTemplate: JSON.stringify(toPlain(value)), templateHash: templateHash(value) });
}
