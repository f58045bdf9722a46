// Deployments and their operations as the service keeps them: rows of the resources table. Values of
// parameters that are needed again after a crash are sealed.

import { type Json, memberOf, newObject, toPlain } from "../../../arm/relaxed-json/json.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import { deploymentId } from "../../../arm/template/deployment-target.ts";
import { evaluateText } from "../../../arm/template/expression/evaluate.ts";
import { RuntimeValueNeeded } from "../../../arm/template/expression/scope.ts";
import { bodyContext, type DeploymentPlan } from "../../../arm/template/plan.ts";
import type { PlannedResource } from "../../../arm/template/planned-resource.ts";
import { displayType } from "../../../arm/template/outputs.ts";
import { openLink } from "../../../arm/template/template-link.ts";
import { isoTime } from "../../../lib/clock.ts";
import { defineErrors } from "../../../lib/errors.ts";

const errors = defineErrors({ DeploymentActive: { status: 409 } });

export const deploymentResourceType = "Microsoft.Resources/deployments";
export const operationResourceType = "Microsoft.Resources/deployments/operations";

/** What of a deployment the wire shows, besides its state. */
export interface DeploymentProperties {
  readonly templateHash: string;
  readonly parameters: Json;
  readonly mode: string;
  readonly templateLink?: Json;
  readonly debugSetting?: Json;
  readonly correlationId: string;
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly providers: readonly unknown[];
  readonly dependencies: readonly unknown[];
  readonly outputs?: Json;
  readonly outputResources?: readonly { readonly id: string }[];
  readonly error?: unknown;
}

/** What is needed to go on after a crash. */
export interface DeploymentMemory {
  readonly template: Json;
  /** The parameters as given, sealed: some are secrets. Gone once the deployment has ended. */
  readonly sealedParameters: string | null;
  readonly templateLink: Json | null;
  readonly origin: string;
  /** The long operation that carries it out; a nested one is carried out with its parent's. */
  readonly operationId: string;
  readonly isNested: boolean;
}

export type StoredDeployment = Resource<DeploymentProperties, DeploymentMemory>;

export const activeStates: ReadonlySet<string> = new Set(["Accepted", "Running"]);

export function refuseActive(existing: StoredDeployment | undefined): void {
  if (existing === undefined || !activeStates.has(existing.provisioningState)) return;
  throw errors.DeploymentActive(
    `Unable to edit or replace deployment '${existing.name}': the previous deployment from '${isoTime(existing.properties.startedAt)}' is still active. Wait for its end or cancel it. Please see https://aka.ms/arm-deploy for usage details.`,
    { target: existing.id },
  );
}

export function renderDeployment(deployment: StoredDeployment, now: number): Record<string, unknown> {
  const { startedAt, endedAt, ...shown } = deployment.properties;
  return {
    id: deployment.id,
    name: deployment.name,
    type: deploymentResourceType,
    ...(deployment.location === undefined || deployment.resourceGroup !== "" ? {} : { location: deployment.location }),
    ...(deployment.envelope.tags === undefined ? {} : { tags: deployment.envelope.tags }),
    properties: {
      ...shown,
      provisioningState: deployment.provisioningState,
      timestamp: isoTime(endedAt ?? startedAt),
      duration: isoDuration((endedAt ?? now) - startedAt),
    },
  };
}

export function isoDuration(milliseconds: number): string {
  return `PT${(Math.max(0, milliseconds) / 1000).toFixed(3).replace(/\.?0+$/, "")}S`;
}

export function propertiesOf(plan: DeploymentPlan, correlationId: string, startedAt: number): DeploymentProperties {
  return {
    templateHash: plan.templateHash,
    parameters: shownParameters(plan),
    mode: plan.request.mode,
    ...(plan.request.templateLink === undefined ? {} : { templateLink: toPlain(openLink(plan.request.templateLink)) }),
    correlationId,
    startedAt,
    providers: providersOf(plan),
    dependencies: dependenciesOf(plan),
  };
}

function shownParameters(plan: DeploymentPlan): Json {
  const shown = newObject();
  for (const { name, type, isSecure, value } of plan.parameters.values()) {
    shown[name] = isSecure ? { type: displayType(type) } : { type: displayType(type), value: value(plan.context) };
  }
  return toPlain(shown);
}

function providersOf(plan: DeploymentPlan): unknown[] {
  const types = new Map<string, Map<string, Set<string>>>();
  for (const resource of plan.resources) {
    const { type, isExisting } = resource;
    if (isExisting) continue;
    const [namespace = "", ...rest] = type.split("/");
    const known = types.get(namespace) ?? new Map<string, Set<string>>();
    types.set(namespace, known);
    const locations = known.get(rest.join("/")) ?? new Set<string>();
    known.set(rest.join("/"), locations);
    const location = locationOf(plan, resource);
    if (location !== undefined) locations.add(location);
  }
  return [...types].map(([namespace, known]) => ({
    namespace,
    resourceTypes: [...known].map(([resourceType, locations]) => ({
      resourceType,
      locations: locations.size === 0 ? [null] : [...locations],
    })),
  }));
}

function locationOf(plan: DeploymentPlan, resource: PlannedResource): string | undefined {
  const location = memberOf(resource.source, "location");
  if (typeof location !== "string") return undefined;
  try {
    const value = evaluateText(location, bodyContext(plan, resource));
    return typeof value === "string" ? value.replaceAll(" ", "").toLowerCase() : undefined;
  } catch (error) {
    if (error instanceof RuntimeValueNeeded) return undefined;
    throw error;
  }
}

function dependenciesOf(plan: DeploymentPlan): unknown[] {
  const byKey = new Map(plan.resources.map((resource) => [resource.key, resource]));
  const describe = (key: string): object => {
    const resource = byKey.get(key);
    return { id: resource?.id ?? key, resourceType: resource?.type ?? "", resourceName: resource?.name ?? "" };
  };
  return [...plan.graph]
    .filter(([, edges]) => edges.size > 0)
    .map(([key, edges]) => ({ dependsOn: [...edges].map(describe), ...describe(key) }));
}

export function idOfPlan(plan: DeploymentPlan): string {
  return deploymentId(plan.request.target, plan.request.name);
}
