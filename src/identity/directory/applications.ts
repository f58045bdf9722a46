// An application is how a client is registered: its client id, its addresses, its secrets. What it
// may do belongs to its service principal.

import { z } from "zod";
import { scopeOf } from "../../db/transaction.ts";
import { newGuid } from "../../lib/random.ts";
import type { Reading, Writing } from "../database.ts";
import { deleteServicePrincipal, findServicePrincipalByApp } from "./service-principals.ts";

export interface Application {
  readonly id: string;
  readonly tenantId: string;
  /** The client id. */
  readonly appId: string;
  readonly displayName: string;
  /** It keeps no secret: a portal, a command-line client. */
  readonly isPublic: boolean;
  readonly redirectUris: readonly string[];
  /** What clients wrote and read back, and nothing here acts on. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly createdAt: number;
}

export interface NewApplication {
  readonly tenantId: string;
  readonly displayName: string;
  readonly appId?: string;
  readonly isPublic?: boolean;
  readonly redirectUris?: readonly string[];
  readonly properties?: Readonly<Record<string, unknown>>;
}

const urisSchema = z.array(z.string());
const propertiesSchema = z.record(z.string(), z.unknown());

export async function createApplication(trx: Writing, wanted: NewApplication): Promise<Application> {
  const application: Application = {
    id: newGuid(),
    tenantId: wanted.tenantId,
    appId: wanted.appId ?? newGuid(),
    displayName: wanted.displayName,
    isPublic: wanted.isPublic ?? false,
    redirectUris: wanted.redirectUris ?? [],
    properties: wanted.properties ?? {},
    createdAt: scopeOf(trx).clock.now(),
  };
  await trx.insertInto("directory_applications").values(toRow(application)).execute();
  return application;
}

export async function updateApplication(trx: Writing, application: Application): Promise<void> {
  await trx.updateTable("directory_applications").set(toRow(application)).where("id", "=", application.id).execute();
}

/** With its secrets, its owners and its service principal. */
export async function deleteApplication(trx: Writing, application: Application): Promise<void> {
  const principal = await findServicePrincipalByApp(trx, application.tenantId, application.appId);
  if (principal !== undefined) await deleteServicePrincipal(trx, principal);
  await trx.deleteFrom("directory_client_secrets").where("owner_id", "=", application.id).execute();
  await trx.deleteFrom("directory_owners").where("object_id", "=", application.id).execute();
  await trx.deleteFrom("directory_applications").where("id", "=", application.id).execute();
}

export async function findApplication(
  reading: Reading,
  tenantId: string,
  id: string,
): Promise<Application | undefined> {
  const row = await applicationsIn(reading, tenantId).where("id", "=", id.toLowerCase()).executeTakeFirst();
  return row && fromRow(row);
}

export async function findApplicationByClientId(
  reading: Reading,
  tenantId: string,
  appId: string,
): Promise<Application | undefined> {
  const row = await applicationsIn(reading, tenantId).where("app_id", "=", appId.toLowerCase()).executeTakeFirst();
  return row && fromRow(row);
}

/** Client ids are unique over all tenants, so a sign-in that names no tenant finds its application. */
export async function findApplicationInAnyTenant(reading: Reading, appId: string): Promise<Application | undefined> {
  const row = await reading
    .selectFrom("directory_applications")
    .selectAll()
    .where("app_id", "=", appId.toLowerCase())
    .executeTakeFirst();
  return row === undefined ? undefined : fromRow(row);
}

export async function listApplications(reading: Reading, tenantId: string): Promise<Application[]> {
  return (await applicationsIn(reading, tenantId).orderBy("created_at").orderBy("id").execute()).map(fromRow);
}

function applicationsIn(reading: Reading, tenantId: string) {
  return reading.selectFrom("directory_applications").selectAll().where("tenant_id", "=", tenantId);
}

function toRow(application: Application) {
  return {
    id: application.id,
    tenant_id: application.tenantId,
    app_id: application.appId.toLowerCase(),
    display_name: application.displayName,
    is_public: application.isPublic ? 1 : 0,
    redirect_uris: JSON.stringify(application.redirectUris),
    properties: JSON.stringify(application.properties),
    created_at: application.createdAt,
  };
}

function fromRow(row: ReturnType<typeof toRow>): Application {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    appId: row.app_id,
    displayName: row.display_name,
    isPublic: row.is_public === 1,
    redirectUris: urisSchema.parse(JSON.parse(row.redirect_uris)),
    properties: propertiesSchema.parse(JSON.parse(row.properties)),
    createdAt: row.created_at,
  };
}
