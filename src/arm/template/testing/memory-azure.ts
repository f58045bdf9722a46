// A resource manager in memory: what a deployment puts can be read, listed and deleted. It stands in
// for providers where the engine itself is under test.

import { defineErrors, HoldfastError } from "../../../lib/errors.ts";
import { fromPlain, isObject, type Json, type JsonObject, newObject, toPlain } from "../../relaxed-json/json.ts";
import { parseRelaxedJson } from "../../relaxed-json/parse.ts";
import type { DeploymentHost, DeploymentRecorder, OperationRecord } from "../deployment-host.ts";
import type { DeploymentTarget } from "../deployment-target.ts";
import { type ExecutedDeployment, executeDeployment } from "../execute.ts";
import { resolveSecrets } from "../nested.ts";
import type { DeploymentMode, DeploymentRequest } from "../plan.ts";
import { newTreeBudget, validateDeployment } from "../validate.ts";

export const subscriptionId = "00000000-1111-2222-3333-444444444444";

const errors = defineErrors({ ResourceNotFound: { status: 404 }, ProviderRefused: { status: 409 } });

export interface MemoryAzure {
  readonly host: DeploymentHost;
  readonly resources: Map<string, JsonObject>;
  /** Ids in the order in which their puts began. */
  readonly puts: string[];
  readonly operations: OperationRecord[];
  readonly deleted: string[];
  /** Called for each put; may wait or throw. */
  onPut: (id: string, body: JsonObject, signal: AbortSignal) => Promise<void>;
  readonly linked: Map<string, string>;
  readonly secrets: Map<string, string>;
}

export function memoryAzure(): MemoryAzure {
  const resources = new Map<string, JsonObject>();
  const azure: MemoryAzure = {
    resources,
    puts: [],
    operations: [],
    deleted: [],
    linked: new Map(),
    secrets: new Map(),
    onPut: async () => {},
    host: {
      now: () => 1_700_000_000_000,
      facts: async (target) => factsOf(target),
      put: async (id, _apiVersion, body, signal) => {
        azure.puts.push(id);
        const resource = fromPlain(body) as JsonObject;
        await azure.onPut(id, resource, signal);
        const properties = resource["properties"];
        resource["id"] = id;
        resource["name"] = id.split("/").at(-1) ?? "";
        resource["properties"] = { ...(isObject(properties) ? properties : {}), provisioningState: "Succeeded" };
        const isNew = !resources.has(id.toLowerCase());
        resources.set(id.toLowerCase(), resource);
        return { statusCode: isNew ? 201 : 200, body: toPlain(resource) };
      },
      get: async (id) => {
        const found = resources.get(id.toLowerCase());
        if (found === undefined) throw errors.ResourceNotFound(`The Resource '${id}' was not found.`);
        return toPlain(found);
      },
      action: async (id, action) => ({ keys: [{ keyName: "key1", value: `${action} of ${id.split("/").at(-1)}` }] }),
      delete: async (id) => {
        azure.deleted.push(id);
        resources.delete(id.toLowerCase());
        return { statusCode: 200, body: undefined };
      },
      listGroupResources: async (target) =>
        [...resources.values()]
          .map((resource) => String(resource["id"]))
          .filter((id) => id.toLowerCase().includes(`/resourcegroups/${target.resourceGroup?.toLowerCase() ?? ""}/`)),
      providers: async (namespace) => ({
        namespace,
        resourceTypes: [
          { resourceType: "vaults", zoneMappings: [{ location: "West Europe", zones: ["1", "2", "3"] }] },
        ],
      }),
      secret: async ({ secretName }) => {
        const value = azure.secrets.get(secretName);
        if (value === undefined) throw errors.ResourceNotFound(`no secret ${secretName}`);
        return value;
      },
      loadTemplate: async (uri) => {
        const text = azure.linked.get(uri);
        if (text === undefined) throw errors.ResourceNotFound(`nothing at ${uri}`);
        return text;
      },
      beginNested: async () => recorderInto(azure.operations),
    },
  };
  return azure;
}

export function recorderInto(operations: OperationRecord[]): DeploymentRecorder {
  return {
    succeeded: new Set(),
    operation: async (record) => {
      operations.push(record);
    },
    end: async () => {},
  };
}

function factsOf(target: DeploymentTarget) {
  const group = target.resourceGroup;
  return {
    tenant: fromPlain({ tenantId: "tenant", id: "/tenants/tenant" }) as JsonObject,
    subscription: fromPlain({
      id: `/subscriptions/${target.subscriptionId}`,
      subscriptionId: target.subscriptionId,
      tenantId: "tenant",
      displayName: "Test",
    }) as JsonObject,
    resourceGroup:
      group === undefined
        ? undefined
        : (fromPlain({
            id: `/subscriptions/${target.subscriptionId}/resourceGroups/${group}`,
            name: group,
            location: "westeurope",
            tags: { Environment: "test" },
          }) as JsonObject),
    managementGroup: undefined,
    environment: fromPlain({ name: "Holdfast", suffixes: { storage: ".local" } }) as JsonObject,
    deployer: fromPlain({ objectId: "someone", tenantId: "tenant" }) as JsonObject,
    now: Date.UTC(2026, 0, 2, 3, 4, 5),
  };
}

export interface TestDeployment {
  readonly template: string | object;
  readonly parameters?: Record<string, unknown>;
  readonly mode?: DeploymentMode;
  readonly scope?: "resourceGroup" | "subscription";
}

export function requestOf({
  template,
  parameters = {},
  mode = "Incremental",
  scope = "resourceGroup",
}: TestDeployment): DeploymentRequest {
  const text = typeof template === "string" ? template : JSON.stringify({ ...schemaOf(scope), ...template }, null, 2);
  const { value, positions } = parseRelaxedJson(text);
  const given = newObject();
  for (const [name, parameter] of Object.entries(parameters)) given[name] = fromPlain({ value: parameter });
  return {
    name: "test",
    target: { subscriptionId, resourceGroup: scope === "subscription" ? undefined : "rg1" },
    location: scope === "subscription" ? "westeurope" : undefined,
    mode,
    template: value,
    positions,
    parameters: given,
    templateLink: undefined,
    outer: undefined,
    depth: 0,
  };
}

function schemaOf(scope: "resourceGroup" | "subscription"): object {
  const name = scope === "subscription" ? "subscriptionDeploymentTemplate" : "deploymentTemplate";
  return {
    $schema: `https://schema.management.azure.com/schemas/2019-04-01/${name}.json#`,
    contentVersion: "1.0.0.0",
    resources: [],
  };
}

/** Validates, then deploys, as a client's request is. */
export async function deploy(
  azure: MemoryAzure,
  test: TestDeployment,
  signal = new AbortController().signal,
): Promise<ExecutedDeployment> {
  const request = requestOf(test);
  const resolved = { ...request, parameters: await resolveSecrets(request.parameters, azure.host, signal) };
  const tree = newTreeBudget();
  const { plan } = await validateDeployment(resolved, azure.host, tree, signal);
  return executeDeployment(plan, azure.host, recorderInto(azure.operations), newTreeBudget(), signal);
}

/** Outputs as `{ name: value }`. */
export async function outputsOf(
  test: TestDeployment,
  azure: MemoryAzure = memoryAzure(),
): Promise<Record<string, Json>> {
  const { outputs } = await deploy(azure, test);
  return Object.fromEntries(
    Object.entries(outputs as JsonObject).map(([name, output]) => [name, (output as JsonObject)["value"] ?? null]),
  );
}

export async function failureOf(work: Promise<unknown>): Promise<HoldfastError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}
