// The identities that a vault acts as: one of its own, made and removed with it, and ones that stand as
// resources of their own. Clients compare the kinds literally, the space in the combined one included.

import { armErrors } from "../../../arm/errors.ts";
import { idKey } from "../../../arm/resource-id.ts";
import { findResource, type Writer } from "../../../arm/resources/resource-store.ts";
import type { JsonObject } from "../../../arm/resources/resource.ts";
import {
  createManagedIdentity,
  deleteServicePrincipal,
  findServicePrincipal,
} from "../../../identity/directory/service-principals.ts";

export interface IdentityChange {
  /** The `identity` of the request; undefined leaves everything as it is. */
  readonly asked: JsonObject | undefined;
  readonly before: JsonObject | undefined;
  readonly tenantId: string;
  readonly resourceId: string;
  readonly name: string;
  /** Throws unless the caller may give this identity away. */
  readonly mayAssign: (identityId: string) => Promise<void>;
}

type Assigned = Readonly<Record<string, { readonly principalId: string; readonly clientId: string }>>;

export async function settleIdentity(trx: Writer, change: IdentityChange): Promise<JsonObject | undefined> {
  const { asked, before } = change;
  if (asked === undefined) return before;
  const { system, user } = readKind(asked["type"]);
  const own = await settleOwn(trx, change, system);
  const assigned = user ? await settleAssigned(trx, change) : {};
  if (user && Object.keys(assigned).length === 0) {
    throw armErrors.InvalidRequestContent("identity.type names UserAssigned, but userAssignedIdentities has none.", {
      target: "identity.userAssignedIdentities",
    });
  }
  const type = system ? (user ? "SystemAssigned, UserAssigned" : "SystemAssigned") : user ? "UserAssigned" : "None";
  return { type, ...own, ...(user ? { userAssignedIdentities: assigned } : {}) };
}

/** With the vault goes the identity that nobody else has, and no other principal. */
export async function removeOwnIdentity(
  trx: Writer,
  { tenantId, resourceId }: Pick<IdentityChange, "tenantId" | "resourceId">,
  identity: JsonObject | undefined,
): Promise<void> {
  const id = identity?.["principalId"];
  if (typeof id !== "string") return;
  const principal = await findServicePrincipal(trx, tenantId, id);
  if (principal !== undefined && idKey(principal.resourceId) === idKey(resourceId))
    await deleteServicePrincipal(trx, principal);
}

function readKind(type: unknown): { system: boolean; user: boolean } {
  const parts = String(type ?? "")
    .toLowerCase()
    .split(",")
    .map((part) => part.trim());
  const known = ["systemassigned", "userassigned", "none"];
  if (!parts.every((part) => known.includes(part))) {
    throw armErrors.InvalidRequestContent(
      `identity.type is '${String(type).slice(0, 80)}'. Write None, SystemAssigned, UserAssigned or 'SystemAssigned, UserAssigned'.`,
      { target: "identity.type" },
    );
  }
  return { system: parts.includes("systemassigned"), user: parts.includes("userassigned") };
}

async function settleOwn(trx: Writer, change: IdentityChange, wanted: boolean): Promise<JsonObject> {
  const { before, tenantId, resourceId, name } = change;
  if (!wanted) {
    await removeOwnIdentity(trx, change, before);
    return {};
  }
  const known = before?.["principalId"];
  const principalId =
    typeof known === "string"
      ? known
      : (await createManagedIdentity(trx, { tenantId, displayName: name, resourceId })).id;
  return { principalId, tenantId };
}

/** A patch names what it adds, and with null what it takes away. */
async function settleAssigned(trx: Writer, { asked, before, mayAssign }: IdentityChange): Promise<Assigned> {
  const kept = (before?.["userAssignedIdentities"] ?? {}) as Assigned;
  const named = Object.entries((asked?.["userAssignedIdentities"] ?? {}) as JsonObject);
  const assigned = new Map(Object.entries(kept));
  for (const [id, value] of named) {
    const key = [...assigned.keys()].find((known) => known.toLowerCase() === id.toLowerCase());
    if (value === null) {
      if (key !== undefined) assigned.delete(key);
      continue;
    }
    if (key !== undefined) continue;
    const identity = await findResource(trx, id);
    if (identity?.type.toLowerCase() !== "microsoft.managedidentity/userassignedidentities") {
      throw armErrors.InvalidRequestContent(`There is no user-assigned identity '${id.slice(0, 300)}'.`, {
        target: "identity.userAssignedIdentities",
      });
    }
    await mayAssign(identity.id);
    assigned.set(identity.id, {
      principalId: String(identity.properties["principalId"]),
      clientId: String(identity.properties["clientId"]),
    });
  }
  return Object.fromEntries(assigned);
}
