// Begins and ends one recorded step of a deployment.

import { HoldfastError, isErrorCode } from "../../lib/errors.ts";
import { templateErrors } from "./template-errors.ts";
import type { Json } from "../relaxed-json/json.ts";
import type {
  DeploymentHost,
  DeploymentRecorder,
  OperationRecord,
  ProviderReply,
  ProvisioningOperation,
} from "./deployment-host.ts";
import { murmur64 } from "./functions/hashes.ts";
import { statusNames } from "../status-names.ts";

const canceledCode = templateErrors.DeploymentCanceled("").code;

export interface Step {
  readonly kind: ProvisioningOperation;
  readonly target: OperationRecord["target"];
}

export function stepId(step: Step): string {
  const text = `${step.kind}:${step.target?.id.toLowerCase() ?? ""}`;
  return murmur64(Buffer.from(text, "utf8")).toString(16).toUpperCase().padStart(16, "0");
}

export async function recordStep(
  host: DeploymentHost,
  recorder: DeploymentRecorder,
  step: Step,
  work: () => Promise<ProviderReply>,
): Promise<Json | undefined> {
  const began = host.now();
  const record = (
    state: OperationRecord["provisioningState"],
    statusCode: string,
    statusMessage: unknown,
  ): Promise<void> =>
    recorder.operation({
      operationId: stepId(step),
      provisioningOperation: step.kind,
      provisioningState: state,
      timestamp: host.now(),
      durationMilliseconds: host.now() - began,
      statusCode,
      statusMessage,
      target: step.target,
    });
  await record("Running", "", undefined);
  let reply: ProviderReply;
  try {
    reply = await work();
  } catch (error) {
    // An aborted wait carries the reason why it was aborted.
    const reason =
      error instanceof Error && error.cause instanceof HoldfastError && !(error instanceof HoldfastError)
        ? error.cause
        : error;
    const status = reason instanceof HoldfastError ? reason.status : 500;
    const state = isErrorCode(reason, canceledCode) ? "Canceled" : "Failed";
    await record(state, statusName(status), { status: state, error: errorBody(reason) });
    throw error;
  }
  await record("Succeeded", statusName(reply.statusCode), undefined);
  return reply.body;
}

function statusName(status: number): string {
  return statusNames[status] ?? String(status);
}

export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly target?: string;
  readonly details?: readonly ErrorBody[];
}

/** What a client may see of a failure. */
export function errorBody(error: unknown): ErrorBody {
  if (!(error instanceof HoldfastError)) {
    return {
      code: "InternalServerError",
      message: "The operation failed inside the service; its log has the details.",
    };
  }
  return {
    code: error.code,
    message: error.sentence,
    ...(error.target === undefined ? {} : { target: error.target }),
    ...(error.details.length === 0 ? {} : { details: error.details.map(errorBody) }),
  };
}
