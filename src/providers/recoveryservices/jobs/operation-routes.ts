// The same long operation under the many paths by which clients follow it. az cuts the id from a URL
// and builds its own; the SDKs fetch what they were given.

import { getOperation, type Operation } from "../../../arm/operations/operation.ts";
import { resultReply, statusReply } from "../../../arm/operations/replies.ts";
import { armErrors } from "../../../arm/errors.ts";
import { param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import type { Route } from "../../../arm/routes.ts";
import type { RecoveryServices } from "../services.ts";
import { vaultIdOf } from "../vaults/vault-paths.ts";

/** `names`: what the two collections are called below `path`. */
export function operationRoutes(
  services: RecoveryServices,
  path: string,
  names: { readonly status: string; readonly result: string },
): Route[] {
  const follow =
    (reply: (request: ArmRequest, operation: Operation) => ArmReply) =>
    async (request: ArmRequest): Promise<ArmReply> =>
      reply(request, await vaultOperation(services, request));
  return [
    { method: "GET", path: `${path}/${names.status}/{operation}`, handle: follow(statusReply) },
    { method: "GET", path: `${path}/${names.result}/{operation}`, handle: follow(resultReply) },
  ];
}

/** An operation is seen only under the vault that it belongs to. */
export async function vaultOperation(
  { database }: Pick<RecoveryServices, "database">,
  request: ArmRequest,
): Promise<Operation> {
  const id = param(request, "operation");
  const operation = await getOperation(database.kysely, id);
  const vaultKey = vaultIdOf(request).toLowerCase();
  const subject = operation.resourceId.toLowerCase();
  if (subject === vaultKey || subject.startsWith(`${vaultKey}/`)) return operation;
  throw armErrors.OperationNotFound(`The operation '${id}' was not found in this vault.`);
}
