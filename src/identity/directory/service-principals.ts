// A service principal is what an application, or a resource with a managed identity, is in a tenant:
// the object that roles are assigned to.

import { z } from "zod";
import { scopeOf } from "../../db/transaction.ts";
import { newGuid } from "../../lib/random.ts";
import { requireOwner } from "../access/last-owner.ts";
import { bumpAccessVersion } from "../access/version.ts";
import type { Reading, Writing } from "../database.ts";

export interface ServicePrincipal {
  readonly id: string;
  readonly tenantId: string;
  readonly appId: string;
  readonly kind: "Application" | "ManagedIdentity";
  readonly displayName: string;
  readonly enabled: boolean;
  /** The resource that a managed identity stands for; "" otherwise. */
  readonly resourceId: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly createdAt: number;
}

export interface NewServicePrincipal {
  readonly tenantId: string;
  readonly appId: string;
  readonly displayName: string;
  readonly kind?: ServicePrincipal["kind"];
  readonly resourceId?: string;
  readonly enabled?: boolean;
  readonly properties?: Readonly<Record<string, unknown>>;
}

const propertiesSchema = z.record(z.string(), z.unknown());

export async function createServicePrincipal(trx: Writing, wanted: NewServicePrincipal): Promise<ServicePrincipal> {
  const principal: ServicePrincipal = {
    id: newGuid(),
    tenantId: wanted.tenantId,
    appId: wanted.appId.toLowerCase(),
    kind: wanted.kind ?? "Application",
    displayName: wanted.displayName,
    enabled: wanted.enabled ?? true,
    resourceId: wanted.resourceId ?? "",
    properties: wanted.properties ?? {},
    createdAt: scopeOf(trx).clock.now(),
  };
  await trx.insertInto("directory_service_principals").values(toRow(principal)).execute();
  await bumpAccessVersion(trx);
  return principal;
}

/** A managed identity: a principal without any secret. `resourceId` says whose. */
export async function createManagedIdentity(
  trx: Writing,
  identity: { readonly tenantId: string; readonly displayName: string; readonly resourceId: string },
): Promise<ServicePrincipal> {
  return createServicePrincipal(trx, { ...identity, appId: newGuid(), kind: "ManagedIdentity" });
}

export async function updateServicePrincipal(trx: Writing, principal: ServicePrincipal): Promise<void> {
  await trx.updateTable("directory_service_principals").set(toRow(principal)).where("id", "=", principal.id).execute();
  if (!principal.enabled) await requireOwner(trx);
  await bumpAccessVersion(trx);
}

/** With its secrets, memberships and role assignments. */
export async function deleteServicePrincipal(trx: Writing, principal: ServicePrincipal): Promise<void> {
  await trx.deleteFrom("directory_client_secrets").where("owner_id", "=", principal.id).execute();
  await trx.deleteFrom("directory_service_principals").where("id", "=", principal.id).execute();
  await forgetPrincipal(trx, principal.id);
}

/** Takes a principal that is gone out of groups, owners and assignments. */
export async function forgetPrincipal(trx: Writing, id: string): Promise<void> {
  await trx.deleteFrom("directory_group_members").where("member_id", "=", id).execute();
  await trx
    .deleteFrom("directory_owners")
    .where((where) => where.or([where("object_id", "=", id), where("owner_id", "=", id)]))
    .execute();
  await trx.deleteFrom("role_assignments").where("principal_id", "=", id).execute();
  await trx.deleteFrom("refresh_tokens").where("user_id", "=", id).execute();
  await requireOwner(trx);
  await bumpAccessVersion(trx);
}

export async function findServicePrincipal(
  reading: Reading,
  tenantId: string,
  id: string,
): Promise<ServicePrincipal | undefined> {
  const row = await servicePrincipalsIn(reading, tenantId).where("id", "=", id.toLowerCase()).executeTakeFirst();
  return row && fromRow(row);
}

export async function findServicePrincipalByApp(
  reading: Reading,
  tenantId: string,
  appId: string,
): Promise<ServicePrincipal | undefined> {
  const row = await servicePrincipalsIn(reading, tenantId).where("app_id", "=", appId.toLowerCase()).executeTakeFirst();
  return row && fromRow(row);
}

export async function listServicePrincipals(reading: Reading, tenantId: string): Promise<ServicePrincipal[]> {
  return (await servicePrincipalsIn(reading, tenantId).orderBy("created_at").orderBy("id").execute()).map(fromRow);
}

function servicePrincipalsIn(reading: Reading, tenantId: string) {
  return reading.selectFrom("directory_service_principals").selectAll().where("tenant_id", "=", tenantId);
}

function toRow(principal: ServicePrincipal) {
  return {
    id: principal.id,
    tenant_id: principal.tenantId,
    app_id: principal.appId,
    kind: principal.kind as string,
    display_name: principal.displayName,
    enabled: principal.enabled ? 1 : 0,
    resource_id: principal.resourceId,
    properties: JSON.stringify(principal.properties),
    created_at: principal.createdAt,
  };
}

function fromRow(row: ReturnType<typeof toRow>): ServicePrincipal {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    appId: row.app_id,
    kind: row.kind === "ManagedIdentity" ? "ManagedIdentity" : "Application",
    displayName: row.display_name,
    enabled: row.enabled === 1,
    resourceId: row.resource_id,
    properties: propertiesSchema.parse(JSON.parse(row.properties)),
    createdAt: row.created_at,
  };
}
