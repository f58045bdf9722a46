import { HoldfastError } from "../../lib/errors.ts";
import { fromPlain, isObject, type JsonObject } from "../relaxed-json/json.ts";
import type { DeploymentHost } from "./deployment-host.ts";
import type { PlannedResource } from "./planned-resource.ts";

/** The resource as it is before the deployment; undefined when it is not there. */
export async function findResource(
  host: Pick<DeploymentHost, "get">,
  { id, apiVersion }: Pick<PlannedResource, "id" | "apiVersion">,
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  try {
    const found = fromPlain(await host.get(id, apiVersion, signal));
    return isObject(found) ? found : undefined;
  } catch (error) {
    if (error instanceof HoldfastError && error.status === 404) return undefined;
    throw error;
  }
}
