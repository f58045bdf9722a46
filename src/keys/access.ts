// Who may do what in a vault: by the vault's access policies, or by roles, never by both.

import { keyErrors } from "./errors.ts";
import type { Vault } from "./vaults.ts";

export type ObjectKind = "key" | "secret";

export interface VaultCaller {
  readonly objectId: string;
  readonly groups: readonly string[];
  /** The application by which it came; unknown where the service itself acts for it. */
  readonly applicationId?: string;
  /** Whether a role has the data action at the scope. */
  may(action: string, scope: string): Promise<boolean>;
}

interface Right {
  /** What an access policy calls it. */
  readonly policy: string;
  /** What a role calls it, below Microsoft.KeyVault/vaults/. */
  readonly action: string;
}

export const rights = {
  key: {
    get: { policy: "get", action: "keys/read" },
    list: { policy: "list", action: "keys/read" },
    create: { policy: "create", action: "keys/create/action" },
    import: { policy: "import", action: "keys/import/action" },
    update: { policy: "update", action: "keys/update/action" },
    delete: { policy: "delete", action: "keys/delete" },
    recover: { policy: "recover", action: "keys/recover/action" },
    purge: { policy: "purge", action: "keys/purge/action" },
    backup: { policy: "backup", action: "keys/backup/action" },
    restore: { policy: "restore", action: "keys/restore/action" },
    encrypt: { policy: "encrypt", action: "keys/encrypt/action" },
    decrypt: { policy: "decrypt", action: "keys/decrypt/action" },
    wrapKey: { policy: "wrapkey", action: "keys/wrap/action" },
    unwrapKey: { policy: "unwrapkey", action: "keys/unwrap/action" },
    sign: { policy: "sign", action: "keys/sign/action" },
    verify: { policy: "verify", action: "keys/verify/action" },
    rotate: { policy: "rotate", action: "keys/rotate/action" },
    getrotationpolicy: { policy: "getrotationpolicy", action: "keyrotationpolicies/read" },
    setrotationpolicy: { policy: "setrotationpolicy", action: "keyrotationpolicies/write" },
  },
  secret: {
    get: { policy: "get", action: "secrets/getSecret/action" },
    list: { policy: "list", action: "secrets/readMetadata/action" },
    set: { policy: "set", action: "secrets/setSecret/action" },
    update: { policy: "set", action: "secrets/update/action" },
    delete: { policy: "delete", action: "secrets/delete" },
    recover: { policy: "recover", action: "secrets/recover/action" },
    purge: { policy: "purge", action: "secrets/purge/action" },
    backup: { policy: "backup", action: "secrets/backup/action" },
    restore: { policy: "restore", action: "secrets/restore/action" },
  },
} as const satisfies Record<ObjectKind, Record<string, Right>>;

export async function checkRight(
  vault: Vault,
  caller: VaultCaller,
  kind: ObjectKind,
  right: Right,
  name: string | undefined,
): Promise<void> {
  const allowed = vault.settings.enableRbacAuthorization
    ? await byRole(vault, caller, kind, right, name)
    : byPolicy(vault, caller, kind, right);
  if (allowed) return;
  const missing = vault.settings.enableRbacAuthorization
    ? `Microsoft.KeyVault/vaults/${right.action}`
    : `${kind}s/${right.policy}`;
  throw keyErrors.Forbidden(
    `The user, group or application '${caller.objectId}' does not have ${kind}s ${right.policy} permission on key vault '${vault.name}' (${missing}).`,
    { facts: { inner: vault.settings.enableRbacAuthorization ? "ForbiddenByRbac" : "ForbiddenByPolicy" } },
  );
}

function byRole(
  vault: Vault,
  caller: VaultCaller,
  kind: ObjectKind,
  right: Right,
  name: string | undefined,
): Promise<boolean> {
  return caller.may(
    `Microsoft.KeyVault/vaults/${right.action}`,
    name === undefined ? vault.scope : `${vault.scope}/${kind}s/${name}`,
  );
}

function byPolicy(vault: Vault, caller: VaultCaller, kind: ObjectKind, right: Right): boolean {
  const who = new Set([caller.objectId, ...caller.groups].map((id) => id.toLowerCase()));
  return vault.settings.accessPolicies.some((policy) => {
    if (!who.has(policy.objectId.toLowerCase())) return false;
    // A policy for somebody who comes by one application holds for no other.
    const by = policy.applicationId ?? "";
    if (by !== "" && by.toLowerCase() !== caller.applicationId?.toLowerCase()) return false;
    const granted = (kind === "key" ? policy.permissions.keys : policy.permissions.secrets) ?? [];
    return granted.some(
      (permission) => permission.toLowerCase() === "all" || permission.toLowerCase() === right.policy,
    );
  });
}
