// `restore`, and asking beforehand whether one would be accepted.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { endOperation, startOperation } from "../../../arm/operations/operation.ts";
import { tryParseResourceId } from "../../../arm/resource-id.ts";
import { createJob } from "../../../backup/jobs/create-job.ts";
import { getPoint } from "../../../backup/points/point.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import { jobTypeOf, tasksOf } from "../../../backup/restore/restore-input.ts";
import { isoTime } from "../../../lib/clock.ts";
import { HoldfastError } from "../../../lib/errors.ts";
import { itemOf, pointPath } from "../protection/item-paths.ts";
import { jobReply } from "../jobs/operations.ts";
import { operationRoutes } from "../jobs/operation-routes.ts";
import { planRestore } from "./restore-plan.ts";
import { checked, parseRestore, restoreRequestSchema } from "./restore-request.ts";
import type { RestoreServices } from "./restore-services.ts";
import { apiVersions, doerOf, namespace, vaultIdOf, vaultOf, vaultPath } from "../vaults/vault-paths.ts";

const validate = `${vaultPath}/backupTriggerValidateOperation`;
const validateNow = `${vaultPath}/backupValidateOperation`;

export function restorePart(services: RestoreServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "vaults/backupValidateOperation", apiVersions }],
    routes: [
      { method: "POST", path: `${pointPath}/restore`, handle: (request) => restore(services, request) },
      { method: "POST", path: validateNow, handle: async (request) => ok(await validation(services, request)) },
      { method: "POST", path: validate, handle: (request) => beginValidation(services, request) },
      ...operationRoutes(services, vaultPath, {
        status: "backupValidateOperationsStatuses",
        result: "backupValidateOperationResults",
      }),
    ],
  };
}

async function restore(services: RestoreServices, request: ArmRequest): Promise<ArmReply> {
  const { database } = services;
  const asked = parseRestore(request);
  const vault = await vaultOf(database.kysely, request);
  const item = await itemOf(database.kysely, vault, request);
  const names = { itemKey: item.key, pointId: param(request, "point") };
  const planned = await planRestore(services, request, names, asked);
  const { target } = planned.input;
  return database.transaction(async (trx) => {
    // Retention may have taken it meanwhile.
    const point = await getPoint(trx, item.key, names.pointId);
    const job = await createJob(trx, {
      vault,
      operation: "Restore",
      item: { key: item.key, name: item.friendlyName, container: item.containerName },
      // Only replacing disks works on the machine itself; other restores run beside backups.
      ...(target.kind === "replace" ? { exclusiveKey: item.machineKey } : {}),
      ...(planned.hostId === undefined ? {} : { hostId: planned.hostId }),
      tasks: tasksOf(target),
      properties: { "Job Type": jobTypeOf(target), "Recovery point time ": isoTime(point.takenAt) },
      input: planned.input,
      isUserTriggered: true,
      isCancellable: true,
      by: doerOf(request),
    });
    return jobReply(services, trx, request, item.id, job);
  });
}

const validateBody = z.looseObject({
  objectType: z.literal("ValidateIaasVMRestoreOperationRequest"),
  restoreRequest: restoreRequestSchema,
});

/** Says what would be refused, without doing anything. */
async function validation(services: RestoreServices, request: ArmRequest): Promise<object> {
  // The SDK sends the request bare, others inside `properties`.
  const wrapped = z.object({ properties: validateBody }).safeParse(request.body);
  const { restoreRequest } = wrapped.success ? wrapped.data.properties : parseBody(request, validateBody);
  const { kysely } = services.database;
  const vault = await vaultOf(kysely, request);
  try {
    const asked = checked(restoreRequest);
    const item = await kysely
      .selectFrom("recovery_points")
      .select("item_key")
      .where("id", "=", pointNameOf(asked.recoveryPointId))
      .where("vault_key", "=", vault.key)
      .executeTakeFirst();
    const pointId = pointNameOf(asked.recoveryPointId);
    if (item === undefined)
      throw restoreErrors.UserErrorRecoveryPointNotFound(`The vault has no recovery point '${pointId}'.`);
    await planRestore(services, request, { itemKey: item.item_key, pointId }, { ...asked, recoveryPointId: pointId });
    return { validateOperationResponse: { validationResults: [] } };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return {
      validateOperationResponse: {
        validationResults: [
          {
            code: error.code,
            message: error.message,
            recommendations: error.remedy === undefined ? [] : [error.remedy],
          },
        ],
      },
    };
  }
}

function pointNameOf(idOrName: string | undefined): string {
  if (idOrName === undefined) return "";
  return tryParseResourceId(idOrName)?.name ?? idOrName;
}

async function beginValidation(services: RestoreServices, request: ArmRequest): Promise<ArmReply> {
  const { database } = services;
  const result = await validation(services, request);
  return database.transaction(async (trx) => {
    const id = await startOperation(trx, database.clock, {
      kind: "backup.validate",
      subscriptionId: param(request, "subscriptionId"),
      resourceId: vaultIdOf(request),
      input: {},
      caller: request.caller,
      correlationId: request.correlationId,
    });
    await endOperation(trx, database.clock, id, {
      status: "Succeeded",
      result: { objectType: "OperationStatusValidateOperationExtendedInfo", ...result },
    });
    const base = `${request.origin}${vaultIdOf(request)}`;
    const version = `?api-version=${encodeURIComponent(request.apiVersion)}`;
    return {
      status: 202,
      headers: {
        "Azure-AsyncOperation": `${base}/backupValidateOperationsStatuses/${id}${version}`,
        Location: `${base}/backupValidateOperationResults/${id}${version}`,
        "Retry-After": "1",
      },
    };
  });
}
