// What the engine needs of whoever runs it. Everything that touches a provider, a vault or the
// network goes through here; the engine itself only decides what, and in which order.

import type { Json } from "../relaxed-json/json.ts";
import type { DeploymentTarget } from "./deployment-target.ts";
import type { DeploymentPlan, SurroundingFacts } from "./plan.ts";

export interface SecretReference {
  readonly keyVaultId: string;
  readonly secretName: string;
  readonly secretVersion: string | undefined;
}

export interface ProviderReply {
  readonly statusCode: number;
  /** The resource as it is once the provider has finished. */
  readonly body: Json | undefined;
}

export interface DeploymentHost {
  facts(target: DeploymentTarget, signal: AbortSignal): Promise<SurroundingFacts>;
  /** Resolves when the provider has finished; throws its error. Called twice with the same body after a crash. */
  put(id: string, apiVersion: string, body: Json, signal: AbortSignal): Promise<ProviderReply>;
  /** Throws with status 404 for what is not there. */
  get(id: string, apiVersion: string, signal: AbortSignal): Promise<Json>;
  action(id: string, action: string, apiVersion: string, body: Json | undefined, signal: AbortSignal): Promise<Json>;
  delete(id: string, signal: AbortSignal): Promise<ProviderReply>;
  listGroupResources(target: DeploymentTarget, signal: AbortSignal): Promise<readonly string[]>;
  providers(namespace: string, signal: AbortSignal): Promise<Json>;
  secret(reference: SecretReference, signal: AbortSignal): Promise<string>;
  /** Text of a linked template; the host decides which addresses are allowed. */
  loadTemplate(uri: string, signal: AbortSignal): Promise<string>;
  /** A nested deployment begins; what it does is recorded there. */
  beginNested(plan: DeploymentPlan, signal: AbortSignal): Promise<DeploymentRecorder>;
  now(): number;
}

export type ProvisioningOperation = "Create" | "Read" | "Delete" | "Action" | "EvaluateDeploymentOutput";

export interface OperationRecord {
  /** The same for the same step of the same deployment, so a step that is run again is recorded once. */
  readonly operationId: string;
  readonly provisioningOperation: ProvisioningOperation;
  readonly provisioningState: "Running" | "Succeeded" | "Failed" | "Canceled";
  readonly timestamp: number;
  readonly durationMilliseconds: number;
  readonly statusCode: string;
  readonly statusMessage: unknown;
  readonly target:
    | { readonly id: string; readonly type: string; readonly name: string; readonly apiVersion: string }
    | undefined;
}

export interface DeploymentResult {
  /** `{ name: { type, value } }`, without secure ones' values. */
  readonly outputs: Json;
  readonly outputResources: readonly string[];
}

export interface DeploymentRecorder {
  operation(record: OperationRecord): Promise<void>;
  /** Operations that ended well before a crash: they are not run again. */
  readonly succeeded: ReadonlySet<string>;
  end(outcome: { readonly result: DeploymentResult } | { readonly error: unknown }): Promise<void>;
}
