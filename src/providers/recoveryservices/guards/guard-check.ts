// The resource guard at work: a critical operation goes through when the request names the guard's
// request for it and the caller may use the guard, or when a deletion was unlocked before.

import { findResource } from "../../../arm/resources/resource-store.ts";
import type { ArmRequest } from "../../../arm/request.ts";
import { isErrorCode } from "../../../lib/errors.ts";
import { defaultRequest, guardedOperations, takeUnlock, type GuardedOperation } from "../../../backup/vaults/guard.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import type { Reader, Vault, Writer } from "../../../backup/vaults/vaults.ts";
import { mayDo } from "../may-do.ts";
import type { RecoveryServices } from "../services.ts";

/**
 * Throws unless the operation may be done. Call it in the transaction that does it: an unlocked deletion
 * is used up by it. `request.body.properties.resourceGuardOperationRequests` is read from the request.
 */
export async function requireGuard(
  services: RecoveryServices,
  trx: Writer,
  vault: Vault,
  operation: GuardedOperation,
  request: ArmRequest,
): Promise<void> {
  const guardId = vault.settings.guard?.resourceGuardResourceId;
  if (guardId === undefined || !(await isGuarded(trx, guardId, operation))) return;
  if (namedRequests(request.body).includes(defaultRequest(guardId, operation).toLowerCase())) {
    await mayUseGuard(services, request, guardId, operation);
    return;
  }
  if (request.method === "DELETE" && (await takeUnlock(trx, vault, request.caller.principalId, operation))) return;
  throw vaultErrors.UserErrorResourceGuardOperationForbidden(
    `The operation '${guardedOperations[operation].operation}' on ${vault.id} is protected by the resource guard ${guardId}.`,
    {
      target: guardId,
      remedy:
        request.method === "DELETE"
          ? `Call backupResourceGuardProxies/VaultProxy/unlockDelete with '${defaultRequest(guardId, operation)}' first, as somebody who may use the guard.`
          : `Name '${defaultRequest(guardId, operation)}' in properties.resourceGuardOperationRequests, as somebody who may use the guard.`,
    },
  );
}

/** A guard that is gone protects on: otherwise deleting it would be the way around it. */
export async function isGuarded(reader: Reader, guardId: string, operation: GuardedOperation): Promise<boolean> {
  const { operation: name, isMandatory } = guardedOperations[operation];
  if (isMandatory) return true;
  const guard = await findResource<GuardProperties>(reader, guardId);
  const excluded = guard?.properties.vaultCriticalOperationExclusionList ?? [];
  return !excluded.some((one) => one.toLowerCase() === name.toLowerCase());
}

export interface GuardProperties {
  readonly vaultCriticalOperationExclusionList: readonly string[];
  readonly description?: string;
}

/** Whether the caller may do what the guard holds back: reading the guard is not enough. */
export async function mayUseGuard(
  services: RecoveryServices,
  request: ArmRequest,
  guardId: string,
  operation: GuardedOperation,
): Promise<void> {
  const action = `Microsoft.DataProtection/resourceGuards/${guardedOperations[operation].requests}/action`;
  try {
    await mayDo(services, request, action, guardId);
  } catch (error) {
    if (!isErrorCode(error, "AuthorizationFailed")) throw error;
    throw vaultErrors.UserErrorResourceGuardOperationForbidden(
      `The client '${request.caller.name}' may not perform '${action}' on the resource guard ${guardId}.`,
      {
        target: guardId,
        cause: error,
        remedy: "Ask the guard's owner for the right for as long as the operation takes.",
      },
    );
  }
}

function namedRequests(body: unknown): readonly string[] {
  const member = (value: unknown, name: string): unknown =>
    typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  const list =
    member(member(body, "properties"), "resourceGuardOperationRequests") ??
    member(body, "resourceGuardOperationRequests");
  return Array.isArray(list) ? list.map((one) => String(one).toLowerCase()) : [];
}
