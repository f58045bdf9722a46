// Writes what a deployment does into its rows, under the lease of the operation that does it.

import type { Database } from "../../../db/database.ts";
import { renderError } from "../../../arm/error-body.ts";
import { asHoldfastError } from "../../../arm/operations/operation.ts";
import type { Caller } from "../../../arm/request.ts";
import { findResource, listResources, putResource, type Writer } from "../../../arm/resources/resource-store.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import type { DeploymentRecorder, DeploymentResult, OperationRecord } from "../../../arm/template/deployment-host.ts";
import { templateErrors } from "../../../arm/template/template-errors.ts";
import { isErrorCode } from "../../../lib/errors.ts";
import { isoTime } from "../../../lib/clock.ts";
import {
  type DeploymentMemory,
  type DeploymentProperties,
  isoDuration,
  operationResourceType,
  type StoredDeployment,
} from "./deployment-record.ts";

export interface RecordingTerms {
  readonly database: Database;
  readonly caller: Caller;
  readonly assertHeld: (trx: Writer) => Promise<void>;
}

export async function recorderFor(deploymentId: string, terms: RecordingTerms): Promise<DeploymentRecorder> {
  const { database, assertHeld } = terms;
  const by = { caller: terms.caller, clock: database.clock };
  const earlier = await listResources<OperationRecord>(database.kysely, {
    parent: deploymentId,
    type: operationResourceType,
  });
  const succeeded = new Set(
    earlier.filter(({ properties }) => properties.provisioningState === "Succeeded").map(({ name }) => name),
  );
  return {
    succeeded,
    operation: (record) =>
      database.transaction(async (trx) => {
        await assertHeld(trx);
        await putResource(
          trx,
          {
            id: `${deploymentId}/operations/${record.operationId}`,
            properties: record,
            provisioningState: record.provisioningState,
          },
          by,
        );
      }),
    end: (outcome) =>
      database.transaction(async (trx) => {
        await assertHeld(trx);
        await endDeployment(trx, deploymentId, outcome, terms);
      }),
  };
}

export async function endDeployment(
  trx: Writer,
  deploymentId: string,
  outcome: { readonly result: DeploymentResult } | { readonly error: unknown },
  terms: Pick<RecordingTerms, "database" | "caller">,
): Promise<void> {
  const stored: StoredDeployment | undefined = await findResource<DeploymentProperties, DeploymentMemory>(
    trx,
    deploymentId,
  );
  if (stored === undefined) return;
  const endedAt = terms.database.clock.now();
  const ending =
    "result" in outcome
      ? { outputs: outcome.result.outputs, outputResources: outcome.result.outputResources.map((id) => ({ id })) }
      : { error: renderError(asHoldfastError(outcome.error)).error };
  await putResource(
    trx,
    {
      id: stored.id,
      location: stored.location,
      envelope: stored.envelope,
      properties: { ...stored.properties, ...ending, endedAt },
      hidden: { ...stored.hidden, sealedParameters: null } satisfies DeploymentMemory,
      provisioningState: "result" in outcome ? "Succeeded" : isCanceled(outcome.error) ? "Canceled" : "Failed",
    },
    { caller: terms.caller, clock: terms.database.clock },
  );
}

export function isCanceled(error: unknown): boolean {
  return isErrorCode(error, templateErrors.DeploymentCanceled("").code);
}

export function renderOperationRecord(resource: Resource<OperationRecord, unknown>): Record<string, unknown> {
  const record = resource.properties;
  const target = record.target;
  return {
    id: resource.id,
    operationId: record.operationId,
    properties: {
      provisioningOperation: record.provisioningOperation,
      provisioningState: record.provisioningState,
      timestamp: isoTime(record.timestamp),
      duration: isoDuration(record.durationMilliseconds),
      ...(record.statusCode === "" ? {} : { statusCode: record.statusCode }),
      ...(record.statusMessage === undefined ? {} : { statusMessage: record.statusMessage }),
      ...(target === undefined
        ? {}
        : { targetResource: { id: target.id, resourceType: target.type, resourceName: target.name } }),
    },
  };
}
