// A vault's integrity key: clients of older generations encrypt with it and must get it back.

import * as z from "zod";
import { checkPreconditions, preconditionsOf } from "../../../arm/preconditions.ts";
import type { Provider } from "../../../arm/provider.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { findResource, getResource, putResource } from "../../../arm/resources/resource-store.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import { randomBytes } from "../../../lib/random.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "./vault-paths.ts";

const path = `${vaultPath}/extendedInformation/vaultExtendedInfo`;

export function extendedInformationPart(services: RecoveryServices): Provider {
  const change = (request: ArmRequest): Promise<ArmReply> => putExtended(services, request);
  return {
    namespace,
    resourceTypes: [{ name: "vaults/extendedInformation", apiVersions }],
    routes: [
      { method: "GET", path, handle: (request) => showExtended(services, request) },
      { method: "PUT", path, handle: change },
      { method: "PATCH", path, handle: change },
    ],
  };
}

interface ExtendedProperties {
  readonly algorithm: string;
}

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
