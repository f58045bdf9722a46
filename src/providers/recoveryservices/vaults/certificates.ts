// The certificates of backup agents, and the identities that are registered with a vault by them.

import { X509Certificate } from "node:crypto";
import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { noContent, ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { deleteResource, putResource } from "../../../arm/resources/resource-store.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "./vault-paths.ts";

export function certificatesPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [
      { name: "vaults/certificates", apiVersions },
      { name: "vaults/registeredIdentities", apiVersions },
    ],
    routes: [
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
    ],
  };
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
    if (text.includes("-----BEGIN")) return new X509Certificate(text);
    const bytes = Buffer.from(text, "base64");
    // Some clients encode twice; the DER of a certificate begins with 0x30, its base64 with a letter.
    return new X509Certificate(bytes[0] === 0x30 ? bytes : Buffer.from(bytes.toString("latin1"), "base64"));
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
