// What clients of older generations ask of a vault: its integrity key, the certificates of agents and
// the identities that are registered with it, and which parts could be reached by private links.

import * as z from "zod";
import { X509Certificate } from "node:crypto";
import type { Provider } from "../../../arm/provider.ts";
import { noContent, ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { checkPreconditions, preconditionsOf } from "../../../arm/preconditions.ts";
import {
  deleteResource,
  findResource,
  getResource,
  putResource,
  resourceNotFound,
} from "../../../arm/resources/resource-store.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { randomBytes } from "../../../lib/random.ts";
import { operationRoutes } from "../jobs/operation-routes.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "./vault-paths.ts";

const extended = `${vaultPath}/extendedInformation/vaultExtendedInfo`;

export function vaultExtrasPart(services: RecoveryServices): Provider {
  const change = (request: ArmRequest): Promise<ArmReply> => putExtended(services, request);
  return {
    namespace,
    resourceTypes: [
      { name: "vaults/extendedInformation", apiVersions },
      { name: "vaults/certificates", apiVersions },
      { name: "vaults/registeredIdentities", apiVersions },
      { name: "vaults/privateLinkResources", apiVersions },
    ],
    routes: [
      { method: "GET", path: extended, handle: (request) => showExtended(services, request) },
      { method: "PUT", path: extended, handle: change },
      { method: "PATCH", path: extended, handle: change },
      {
        method: "PUT",
        path: `${vaultPath}/certificates/{certificate}`,
        handle: (request) => putCertificate(services, request),
      },
      {
        method: "DELETE",
        path: `${vaultPath}/registeredIdentities/{identity}`,
        handle: (request) => unregister(services, request),
      },
      {
        method: "GET",
        path: `${vaultPath}/privateLinkResources`,
        handle: async (request) => ok({ value: privateLinks(await vaultOf(services.database.kysely, request)) }),
      },
      {
        method: "GET",
        path: `${vaultPath}/privateLinkResources/{link}`,
        handle: async (request) => {
          const links = privateLinks(await vaultOf(services.database.kysely, request));
          const wanted = param(request, "link").toLowerCase();
          const found = links.find(({ name }) => name.toLowerCase() === wanted);
          if (found === undefined) throw resourceNotFound(request.resourceId);
          return ok(found);
        },
      },
      ...operationRoutes(services, vaultPath, { status: "operationStatus", result: "operationResults" }),
    ],
  };
}

interface ExtendedProperties {
  readonly algorithm: string;
}

/** The integrity key is the clients' own: they encrypt with it and must get it back. */
async function showExtended({ database, secretBox }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  await vaultOf(database.kysely, request);
  const info = await getResource<ExtendedProperties, { sealedKey: string }>(database.kysely, request.resourceId);
  return ok(renderExtended(info, secretBox.open(Buffer.from(info.hidden.sealedKey, "base64")).toString("utf8")));
}

const extendedBody = z.object({
  properties: z.object({
    integrityKey: z.string().min(1).max(4096).nullish(),
    algorithm: z.string().max(100).nullish(),
  }),
});

async function putExtended({ database, secretBox }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { integrityKey, algorithm } = parseBody(request, extendedBody).properties;
  return database.transaction(async (trx) => {
    await vaultOf(trx, request);
    const before = await findResource<ExtendedProperties, { sealedKey: string }>(trx, request.resourceId);
    checkPreconditions(preconditionsOf(request), before?.etag, request.resourceId);
    const known = before && secretBox.open(Buffer.from(before.hidden.sealedKey, "base64")).toString("utf8");
    const key = integrityKey ?? known ?? randomBytes(16).toString("base64");
    const { resource } = await putResource(
      trx,
      {
        id: before?.id ?? request.resourceId,
        properties: { algorithm: algorithm ?? before?.properties.algorithm ?? "None" },
        hidden: { sealedKey: secretBox.seal(Buffer.from(key, "utf8")).toString("base64") },
      },
      { caller: request.caller, clock: database.clock },
    );
    return ok(renderExtended(resource as unknown as Resource<ExtendedProperties>, key));
  });
}

function renderExtended(
  { id, name, type, etag, properties }: Resource<ExtendedProperties, unknown>,
  key: string,
): object {
  return { id, name, type, etag, properties: { integrityKey: key, algorithm: properties.algorithm } };
}

const certificateBody = z.object({
  properties: z.object({ authType: z.string().max(50).nullish(), certificate: z.string().max(64_000) }),
});

/** An agent's certificate is looked at and kept with the vault; no agent signs in with it here. */
async function putCertificate(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { database } = services;
  const certificate = readCertificate(parseBody(request, certificateBody).properties.certificate);
  return database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    const shown = {
      authType: "AzureActiveDirectory",
      certificate: certificate.raw.toString("base64"),
      friendlyName: certificate.subject.split("\n").at(-1) ?? "",
      issuer: certificate.issuer,
      subject: certificate.subject,
      thumbprint: certificate.fingerprint.replaceAll(":", ""),
      validFrom: new Date(certificate.validFrom).toISOString(),
      validTo: new Date(certificate.validTo).toISOString(),
      resourceId: resourceNumber(vault),
      aadAuthority: `${request.origin}/${services.tenantId}`,
      aadTenantId: services.tenantId,
      servicePrincipalClientId: request.caller.applicationId,
      servicePrincipalObjectId: request.caller.principalId,
      azureManagementEndpointAudience: request.origin,
    };
    const by = { caller: request.caller, clock: database.clock };
    const { resource } = await putResource(trx, { id: request.resourceId, properties: shown }, by);
    const { id, name, type, properties } = resource;
    return ok({ id, name, type, properties });
  });
}

function readCertificate(text: string): X509Certificate {
  try {
    const bytes = Buffer.from(text, "base64");
    return new X509Certificate(text.includes("-----BEGIN") ? text : bytes);
  } catch (cause) {
    throw vaultErrors.BMSUserErrorInvalidInput(
      "'properties.certificate' is not an X.509 certificate. Send it as base64 of its DER bytes.",
      { target: "properties.certificate", cause },
    );
  }
}

/** Clients want a number: the first 52 bits of the vault's own id. */
function resourceNumber({ guid }: Vault): number {
  return Number.parseInt(guid.replaceAll("-", "").slice(0, 13), 16);
}

/** Certificates are what is registered; taking back what is not there is no failure. */
async function unregister({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  await database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    await deleteResource(trx, `${vault.id}/certificates/${param(request, "identity")}`);
  });
  return noContent();
}

function privateLinks(vault: Vault): { id: string; name: string; type: string; properties: object }[] {
  return ["AzureBackup", "AzureBackup_secondary", "AzureSiteRecovery"].map((name) => ({
    id: `${vault.id}/privateLinkResources/${name}`,
    name,
    type: `${namespace}/vaults/privateLinkResources`,
    properties: { groupId: name, requiredMembers: [], requiredZoneNames: [] },
  }));
}
