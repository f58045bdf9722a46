// Locks. A lock on a scope holds for everything below it: CanNotDelete refuses deletes, ReadOnly
// refuses every change. A delete also fails on locks that stand below what would be deleted.

import type { Reader } from "./resources/resource-store.ts";
import { fromRow } from "./resources/resource.ts";
import { armErrors } from "./errors.ts";
import { enclosingScopes, idKey } from "./resource-id.ts";

export const lockType = "Microsoft.Authorization/locks";

export interface LockProperties {
  readonly level: "CanNotDelete" | "ReadOnly";
  readonly notes?: string;
  readonly owners?: readonly { readonly applicationId: string }[];
}

export interface FoundLock {
  readonly id: string;
  readonly scope: string;
  readonly level: LockProperties["level"];
}

export async function checkLocks(
  reader: Reader,
  resourceId: string,
  effect: "write" | "delete",
  action: string,
): Promise<void> {
  // Taking a lock away is itself a delete, and must stay possible.
  if (action.toLowerCase().startsWith(`${lockType.toLowerCase()}/`)) return;
  const scopes = enclosingScopes(resourceId).map(idKey);
  const above = await reader
    .selectFrom("resources")
    .selectAll()
    .where("type_key", "=", lockType.toLowerCase())
    .where("parent_key", "in", scopes)
    .execute();
  const below = effect === "delete" ? await locksBelow(reader, resourceId) : [];
  const blocking = [...above.map((row) => toLock(row.id, fromRow<LockProperties>(row).properties)), ...below].filter(
    (lock) => effect === "delete" || lock.level === "ReadOnly",
  );
  if (blocking.length === 0) return;
  const scopesText = [...new Set(blocking.map((lock) => lock.scope))].join(", ");
  throw armErrors.ScopeLocked(
    `The scope '${resourceId}' cannot perform ${effect} operation because following scope(s) are locked: '${scopesText}'. Please remove the lock and try again.`,
    { target: blocking[0]?.id },
  );
}

export async function locksBelow(reader: Reader, scope: string): Promise<FoundLock[]> {
  const key = idKey(scope);
  const rows = await reader
    .selectFrom("resources")
    .selectAll()
    .where("type_key", "=", lockType.toLowerCase())
    .where("key", ">", `${key}/`)
    .where("key", "<", `${key}0`)
    .execute();
  return rows.map((row) => toLock(row.id, fromRow<LockProperties>(row).properties));
}

function toLock(id: string, properties: LockProperties): FoundLock {
  return { id, scope: id.slice(0, id.toLowerCase().lastIndexOf("/providers/")), level: properties.level };
}
