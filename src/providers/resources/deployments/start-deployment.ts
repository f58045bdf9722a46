// PUT of a deployment: everything that can be known is checked, then a row and a long operation
// begin together.

import { armErrors } from "../../../arm/errors.ts";
import { isObject, type JsonObject, memberOf, newObject, toPlain } from "../../../arm/relaxed-json/json.ts";
import { startOperation } from "../../../arm/operations/operation.ts";
import { retryAfterSeconds } from "../../../arm/operations/replies.ts";
import { param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import {
  deleteResource,
  findResource,
  listResources,
  putResource,
  type Writer,
} from "../../../arm/resources/resource-store.ts";
import type { DeploymentTarget } from "../../../arm/template/deployment-target.ts";
import { toText } from "../../../arm/template/expression/values.ts";
import { resolveSecrets } from "../../../arm/template/nested.ts";
import type { DeploymentPlan, DeploymentRequest } from "../../../arm/template/plan.ts";
import { newTreeBudget, type ValidatedDeployment, validateDeployment } from "../../../arm/template/validate.ts";
import { defineErrors } from "../../../lib/errors.ts";
import { type DeploymentBody, readDeploymentBody, requestFrom } from "./deployment-body.ts";
import {
  activeStates,
  deploymentResourceType,
  type DeploymentMemory,
  type DeploymentProperties,
  propertiesOf,
  refuseActive,
  renderDeployment,
  type StoredDeployment,
} from "./deployment-record.ts";
import { type DeploymentParts, planningHost, type PlanningHost } from "./host.ts";
import { preflight } from "./preflight.ts";
import { deploymentOperationKind, type LiveDeployments } from "./run-deployment.ts";

const errors = defineErrors({
  DeploymentQuotaExceeded: { status: 409 },
  InvalidDeploymentLocation: { status: 409 },
});

/** Azure's limit of the history of one group or subscription. */
const historyLimit = 800;

export function targetOf(request: ArmRequest): DeploymentTarget {
  const group = /^\/subscriptions\/[^/]+\/resourceGroups\/([^/]+)/i.exec(request.path)?.[1];
  return { subscriptionId: param(request, "subscriptionId"), resourceGroup: group };
}

export function checkDeploymentName(name: string): void {
  if (/^[-\w.()]{1,64}$/.test(name) && !name.endsWith(".")) return;
  throw armErrors.InvalidResourceName(
    `The provided deployment name '${name.slice(0, 100)}' is invalid. It has 1 to 64 letters, digits, '-', '_', '.', '(' and ')'.`,
    { target: "deploymentName" },
  );
}

export interface CheckedDeployment {
  readonly body: DeploymentBody;
  /** With parameters as given: references to secrets are not resolved. */
  readonly request: DeploymentRequest;
  readonly validated: ValidatedDeployment;
  readonly host: PlanningHost;
}

export async function checkDeployment(parts: DeploymentParts, request: ArmRequest): Promise<CheckedDeployment> {
  const name = param(request, "name");
  checkDeploymentName(name);
  const body = await readDeploymentBody(request, parts.loadTemplate);
  const target = targetOf(request);
  if (target.resourceGroup === undefined) {
    if (body.location === undefined) {
      throw armErrors.LocationRequired("The 'location' property is required for deployments to a subscription.", {
        target: "location",
      });
    }
    if (body.mode === "Complete") {
      throw armErrors.InvalidParameter("The mode 'Complete' is only for deployments to a resource group.", {
        target: "properties.mode",
      });
    }
  }
  const host = planningHost(parts, {
    caller: request.caller,
    correlationId: request.correlationId,
    origin: request.origin,
  });
  const asGiven = requestFrom(body, name, target, body.parameters);
  const parameters = await resolveSecrets(body.parameters, host, request.signal);
  const { planned, refuse } = preflight({
    client: parts.client,
    access: parts.services.access,
    caller: request.caller,
    reader: parts.services.database.kysely,
  });
  const tree = newTreeBudget(planned);
  const validated = await validateDeployment({ ...asGiven, parameters }, host, tree, request.signal);
  await refuse(validated, request.correlationId);
  return { body, request: asGiven, validated, host };
}

export async function startDeployment(
  parts: DeploymentParts,
  live: LiveDeployments,
  request: ArmRequest,
): Promise<ArmReply> {
  const { services } = parts;
  const { database } = services;
  const checked = await checkDeployment(parts, request);
  const { plan } = checked.validated;
  const id = request.resourceId;
  const parameters = pinnedParameters(plan, checked.body.parameters);
  const sealedParameters = parts.secretBox.seal(Buffer.from(JSON.stringify(parameters), "utf8")).toString("base64");
  const { created, operationId, stored } = await database.transaction(async (trx) => {
    const existing = await findResource<DeploymentProperties, DeploymentMemory>(trx, id);
    refuseActive(existing);
    refuseMoved(existing, checked);
    await makeRoom(trx, checked.request.target, id);
    await deleteResource(trx, id);
    const started = await startOperation(trx, database.clock, {
      kind: deploymentOperationKind,
      subscriptionId: checked.request.target.subscriptionId,
      resourceId: existing?.id ?? id,
      input: {},
      caller: request.caller,
      correlationId: request.correlationId,
    });
    const hidden: DeploymentMemory = {
      sealedParameters,
      template: toPlain(plan.template.source),
      templateLink: checked.body.templateLink === undefined ? null : toPlain(checked.body.templateLink),
      origin: request.origin,
      operationId: started,
      isNested: false,
    };
    const properties: DeploymentProperties = {
      ...propertiesOf(plan, request.correlationId, database.clock.now()),
      ...(checked.body.debugSetting === undefined ? {} : { debugSetting: toPlain(checked.body.debugSetting) }),
    };
    const put = await putResource(
      trx,
      {
        id: existing?.id ?? id,
        location: checked.body.location,
        envelope: checked.body.tags === undefined ? {} : { tags: tagsOf(checked.body.tags) },
        properties,
        hidden,
        provisioningState: "Running",
      },
      { caller: request.caller, clock: database.clock },
    );
    return {
      created: existing === undefined,
      operationId: started,
      stored: put.resource as unknown as StoredDeployment,
    };
  });
  live.requests.set(operationId, { ...checked.request, parameters });
  services.operations.wake();
  return {
    status: created ? 201 : 200,
    body: renderDeployment(stored, database.clock.now()),
    headers: {
      "Azure-AsyncOperation": `${request.origin}${id}/operationStatuses/${operationId}?api-version=${encodeURIComponent(request.apiVersion)}`,
      "Retry-After": retryAfterSeconds,
    },
  };
}

/** Default values are evaluated once: newGuid() and utcNow() say the same however often a deployment is taken up. */
function pinnedParameters(plan: DeploymentPlan, given: JsonObject): JsonObject {
  const pinned = newObject();
  for (const { name, value } of plan.parameters.values()) {
    const passed = memberOf(given, name);
    const isReference = isObject(passed) && memberOf(passed, "reference") !== undefined;
    pinned[name] = isReference ? passed : { value: value(plan.context) };
  }
  return pinned;
}

function tagsOf(tags: JsonObject): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, toText(value)]));
}

/** Where a deployment to a subscription is kept is settled by the first of its name. */
function refuseMoved(existing: StoredDeployment | undefined, { body }: CheckedDeployment): void {
  if (existing?.location === undefined || body.location === undefined) return;
  const plain = (location: string): string => location.replaceAll(" ", "").toLowerCase();
  if (plain(existing.location) === plain(body.location)) return;
  throw errors.InvalidDeploymentLocation(
    `Invalid deployment location '${body.location.slice(0, 100)}'. The deployment '${existing.name}' already exists in location '${existing.location}'. Use that location or another name.`,
    { target: "location" },
  );
}

/** The oldest deployments that have ended leave the history when it is full. */
async function makeRoom(trx: Writer, target: DeploymentTarget, id: string): Promise<void> {
  const all = await listResources(trx, {
    subscriptionId: target.subscriptionId,
    resourceGroup: target.resourceGroup ?? "",
    type: deploymentResourceType,
  });
  const others = all.filter((other) => other.id.toLowerCase() !== id.toLowerCase());
  const tooMany = others.length - historyLimit + 1;
  if (tooMany <= 0) return;
  const ended = others
    .filter(({ provisioningState }) => !activeStates.has(provisioningState))
    .sort((a, b) => a.changedAt - b.changedAt);
  if (ended.length < tooMany) {
    throw errors.DeploymentQuotaExceeded(
      `There are ${others.length} deployments here and none of them has ended: the limit is ${historyLimit}. Delete or cancel some.`,
    );
  }
  for (const old of ended.slice(0, tooMany)) await deleteResource(trx, old.id);
}
