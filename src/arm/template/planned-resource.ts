import type { JsonObject } from "../relaxed-json/json.ts";
import type { Position } from "../relaxed-json/positions.ts";
import type { DeploymentTarget } from "./deployment-target.ts";
import type { CopyIteration } from "./expression/scope.ts";

/** One resource of a plan: copies are expanded, identity is known, the body is still expressions. */
export interface PlannedResource {
  /** The id in lower case. */
  readonly key: string;
  readonly id: string;
  readonly type: string;
  /** All segments: `vault1/policy1`. */
  readonly name: string;
  readonly apiVersion: string;
  readonly symbolicName: string | undefined;
  readonly source: JsonObject;
  readonly position: Position | undefined;
  readonly copies: readonly CopyIteration[];
  /** The loop that it is an iteration of. */
  readonly loop: { readonly name: string; readonly batchSize: number | undefined; readonly index: number } | undefined;
  readonly parentKey: string | undefined;
  /** False when its condition says so: it is not deployed, but others may depend on it. */
  readonly isDeployed: boolean;
  /** Only read, never written. */
  readonly isExisting: boolean;
  /** Where it is already, it is left as it is (`@options.onlyIfNotExists`). */
  readonly onlyIfNotExists: boolean;
  /** For nested deployments: where they go. */
  readonly nestedTarget: DeploymentTarget | undefined;
}

export const deploymentType = "microsoft.resources/deployments";

/** What of a resource is for the engine and no part of what the provider is sent. */
export const engineMembers: ReadonlySet<string> = new Set(
  [
    "type",
    "name",
    "apiVersion",
    "dependsOn",
    "condition",
    "copy",
    "scope",
    "comments",
    "existing",
    "resources",
    "asserts",
    "metadata",
    "import",
    "extension",
    "subscriptionId",
    "resourceGroup",
    "@options",
  ].map((name) => name.toLowerCase()),
);
