// Multi-user authorisation: a resource guard that belongs to somebody else stands before the critical
// operations of a vault. Here is which operations those are, and how a consent to a deletion is kept.

import { scopeOf } from "../../db/transaction.ts";
import type { Vault, Writer } from "./vaults.ts";

export const guardedOperations = {
  deleteProtection: {
    operation: "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/delete",
    requests: "deleteProtectedItemRequests",
    isMandatory: false,
  },
  updateProtection: {
    operation: "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/write",
    requests: "updateProtectedItemRequests",
    isMandatory: false,
  },
  updatePolicy: {
    operation: "Microsoft.RecoveryServices/vaults/backupPolicies/write",
    requests: "updateProtectionPolicyRequests",
    isMandatory: false,
  },
  deleteGuardMapping: {
    operation: "Microsoft.RecoveryServices/vaults/backupResourceGuardProxies/delete",
    requests: "deleteResourceGuardProxyRequests",
    isMandatory: true,
  },
  getSecurityPin: {
    operation: "Microsoft.RecoveryServices/vaults/backupSecurityPIN/action",
    requests: "getBackupSecurityPINRequests",
    isMandatory: false,
  },
  weakenProtection: {
    operation: "Microsoft.RecoveryServices/vaults/backupconfig/write",
    requests: "disableSoftDeleteRequests",
    isMandatory: true,
  },
} as const;

export type GuardedOperation = keyof typeof guardedOperations;

/** The request of a guard that stands for one operation. */
export function defaultRequest(guardId: string, operation: GuardedOperation): string {
  return `${guardId}/${guardedOperations[operation].requests}/default`;
}

interface Unlock {
  readonly until: number;
  readonly principalId: string;
  readonly operations: readonly GuardedOperation[];
}

const unlockMilliseconds = 10 * 60_000;

/** Opens the next deletion of this kind for this principal. Returns until when. */
export async function unlockDeletion(
  trx: Writer,
  vault: Vault,
  principalId: string,
  operations: readonly GuardedOperation[],
): Promise<number> {
  const until = scopeOf(trx).clock.now() + unlockMilliseconds;
  const unlock: Unlock = { until, principalId, operations };
  await trx
    .updateTable("vaults")
    .set({ unlock: JSON.stringify(unlock) })
    .where("key", "=", vault.key)
    .execute();
  return until;
}

/** Takes the consent: it holds once. */
export async function takeUnlock(
  trx: Writer,
  vault: Vault,
  principalId: string,
  operation: GuardedOperation,
): Promise<boolean> {
  const row = await trx.selectFrom("vaults").select("unlock").where("key", "=", vault.key).executeTakeFirst();
  if (row === undefined || row.unlock === null) return false;
  const unlock = JSON.parse(row.unlock) as Unlock;
  const holds =
    unlock.until > scopeOf(trx).clock.now() &&
    unlock.principalId === principalId &&
    unlock.operations.includes(operation);
  if (holds) await trx.updateTable("vaults").set({ unlock: null }).where("key", "=", vault.key).execute();
  return holds;
}
