// The answers that begin something: 202 with an operation that has ended as soon as the job is there, as
// in Azure. az takes the last part of the header's URL, builds `backupOperations/{id}` and reads the job's
// id from it.

import { endOperation, getOperation, startOperation } from "../../../arm/operations/operation.ts";
import { retryAfterSeconds } from "../../../arm/operations/replies.ts";
import { param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import type { Provider } from "../../../arm/provider.ts";
import { armErrors } from "../../../arm/errors.ts";
import type { Job } from "../../../backup/jobs/job.ts";
import type { Writer } from "../../../backup/vaults/vaults.ts";
import { operationRoutes } from "./operation-routes.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultIdOf, vaultPath } from "../vaults/vault-paths.ts";
import { containerPath, fabricPath } from "../protection/item-paths.ts";

/** `subject`: the id under which the operation is followed; the URLs begin with it. */
export async function jobReply(
  { database }: RecoveryServices,
  trx: Writer,
  request: ArmRequest,
  subject: string,
  job: Job,
): Promise<ArmReply> {
  return endedReply({ database }, trx, request, subject, {
    objectType: "OperationStatusJobExtendedInfo",
    jobId: job.id,
  });
}

export async function endedReply(
  { database }: Pick<RecoveryServices, "database">,
  trx: Writer,
  request: ArmRequest,
  subject: string,
  result: object | undefined,
): Promise<ArmReply> {
  const id = await startOperation(trx, database.clock, {
    kind: "backup.request",
    subscriptionId: param(request, "subscriptionId"),
    resourceId: subject,
    input: {},
    caller: request.caller,
    correlationId: request.correlationId,
  });
  await endOperation(trx, database.clock, id, { status: "Succeeded", result });
  const base = `${request.origin}${subject.split("/").map(encodeURIComponent).join("/")}`;
  const version = `?api-version=${encodeURIComponent(request.apiVersion)}`;
  return {
    status: 202,
    headers: {
      "Azure-AsyncOperation": `${base}/operationsStatus/${id}${version}`,
      Location: `${base}/operationResults/${id}${version}`,
      "Retry-After": retryAfterSeconds,
    },
  };
}

export function operationsPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "vaults/backupOperations", apiVersions }],
    routes: [
      ...operationRoutes(services, vaultPath, { status: "backupOperations", result: "backupOperationResults" }),
      ...operationRoutes(services, containerPath, { status: "operationsStatus", result: "operationResults" }),
      {
        method: "GET",
        path: `${fabricPath}/operationResults/{operation}`,
        handle: (request) => discoveryResult(services, request),
      },
    ],
  };
}

/** Clients take 202 and 204 here and nothing else. */
async function discoveryResult({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const operation = await getOperation(database.kysely, param(request, "operation"));
  if (!operation.resourceId.toLowerCase().startsWith(`${vaultIdOf(request).toLowerCase()}/`)) {
    throw armErrors.OperationNotFound(`The operation '${operation.id}' was not found in this vault.`);
  }
  return { status: 204 };
}
