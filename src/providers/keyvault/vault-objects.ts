// Keys and secrets as resources of their vault, so that templates can make them. Values go in here and
// never come out: reading one needs the vault's own endpoint and its rights.

import { z } from "zod";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { resourceNotFound } from "../../arm/resources/resource-store.ts";
import type { Route } from "../../arm/routes.ts";
import type { ObjectKind } from "../../keys/access.ts";
import type { KeyShown } from "../../keys/key-material.ts";
import { createKey } from "../../keys/keys.ts";
import {
  getVersion,
  listNames,
  listVersions,
  type Attributes,
  type ObjectName,
  type Version,
} from "../../keys/objects.ts";
import { setSecret, type SecretShown } from "../../keys/secrets.ts";
import { findVault, type Vault } from "../../keys/vaults.ts";
import type { KeyVaultServices } from "./services.ts";

const vault =
  "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.KeyVault/vaults/{name}";

export function vaultObjectRoutes(services: KeyVaultServices): Route[] {
  return [
    { method: "GET", path: `${vault}/secrets`, handle: (request) => list(services, request, "secret") },
    { method: "GET", path: `${vault}/secrets/{object}`, handle: (request) => show(services, request, "secret") },
    {
      method: "PUT",
      path: `${vault}/secrets/{object}`,
      handle: (request) => putSecret(services, request),
      check: (draft) => parseBody(draft, secretBody),
    },
    { method: "GET", path: `${vault}/keys`, handle: (request) => list(services, request, "key") },
    { method: "GET", path: `${vault}/keys/{object}`, handle: (request) => show(services, request, "key") },
    { method: "GET", path: `${vault}/keys/{object}/versions`, handle: (request) => versions(services, request) },
    {
      method: "GET",
      path: `${vault}/keys/{object}/versions/{version}`,
      handle: (request) => show(services, request, "key"),
    },
    {
      method: "PUT",
      path: `${vault}/keys/{object}`,
      handle: (request) => putKey(services, request),
      check: (draft) => parseBody(draft, keyBody),
    },
  ];
}

async function vaultOf({ database }: KeyVaultServices, request: ArmRequest): Promise<Vault> {
  const found = await findVault(database.kysely, param(request, "name"));
  const id = request.resourceId.split("/").slice(0, 9).join("/");
  if (found === undefined || found.scope.toLowerCase() !== id.toLowerCase()) throw resourceNotFound(id);
  return found;
}

async function locate(
  services: KeyVaultServices,
  request: ArmRequest,
  kind: ObjectKind,
): Promise<{ found: Vault; at: ObjectName }> {
  const found = await vaultOf(services, request);
  return { found, at: { vault: found.name, kind, name: param(request, "object") } };
}

async function list(services: KeyVaultServices, request: ArmRequest, kind: ObjectKind): Promise<ArmReply> {
  const found = await vaultOf(services, request);
  const page = services.paging.read(request);
  const rows = await listNames(services.database.kysely, found.name, kind, false, {
    after: page.after,
    limit: page.limit + 1,
  });
  return services.paging.reply(
    request,
    page,
    rows,
    ({ current }) => current.name.toLowerCase(),
    ({ current }) => render(services, found, current),
  );
}

async function versions(services: KeyVaultServices, request: ArmRequest): Promise<ArmReply> {
  const { found, at } = await locate(services, request, "key");
  const page = services.paging.read(request);
  const rows = await listVersions(services.database.kysely, at, { after: page.after, limit: page.limit + 1 });
  return services.paging.reply(
    request,
    page,
    rows,
    ({ version }) => version,
    (version) => render(services, found, version),
  );
}

async function show(services: KeyVaultServices, request: ArmRequest, kind: ObjectKind): Promise<ArmReply> {
  const { found, at } = await locate(services, request, kind);
  return ok(render(services, found, await getVersion(services.database.kysely, at, request.params["version"])));
}

const attributes = z
  .object({ enabled: z.boolean().nullish(), nbf: z.int().nullish(), exp: z.int().nullish() })
  .nullish();
const tags = z.record(z.string(), z.string()).nullish();
const secretBody = z.object({
  tags,
  properties: z.object({ value: z.string(), contentType: z.string().nullish(), attributes }),
});

async function putSecret(services: KeyVaultServices, request: ArmRequest): Promise<ArmReply> {
  const { found, at } = await locate(services, request, "secret");
  const body = parseBody(request, secretBody);
  const { value, contentType } = body.properties;
  const shown: SecretShown = {
    attributes: settled(body.properties.attributes),
    tags: body.tags ?? {},
    contentType: contentType ?? undefined,
  };
  const version = await services.database.transaction((trx) =>
    setSecret(services.keyVaults.store, trx, at, value, shown),
  );
  return ok(render(services, found, version));
}

const keyBody = z.object({
  tags,
  properties: z.object({
    kty: z.enum(["RSA", "RSA-HSM", "EC", "EC-HSM"]).nullish(),
    keySize: z.int().nullish(),
    curveName: z.string().nullish(),
    keyOps: z.array(z.string()).nullish(),
    attributes,
  }),
});

/** As in Azure a key that is there already stays as it is. */
async function putKey(services: KeyVaultServices, request: ArmRequest): Promise<ArmReply> {
  const { found, at } = await locate(services, request, "key");
  const body = parseBody(request, keyBody);
  const existing =
    (await listVersions<KeyShown>(services.database.kysely, at, { after: undefined, limit: 1 })).length > 0;
  if (existing) return ok(render(services, found, await getVersion(services.database.kysely, at, undefined)));
  const { kty, keySize, curveName, keyOps } = body.properties;
  const options = { size: keySize ?? undefined, curve: curveName ?? undefined };
  const wanted = {
    attributes: settled(body.properties.attributes),
    tags: body.tags ?? {},
    operations: keyOps ?? undefined,
  };
  return ok(render(services, found, await createKey(services.keyVaults.store, at, kty ?? "RSA", options, wanted)));
}

function settled(given: z.output<typeof attributes>): Attributes {
  return { enabled: given?.enabled ?? true, nbf: given?.nbf ?? undefined, exp: given?.exp ?? undefined };
}

function render({ keyVaults }: KeyVaultServices, found: Vault, version: Version): object {
  const base = `${keyVaults.vaultUrl(found.name)}/${version.kind}s/${version.name}`;
  const seconds = (time: number): number => Math.floor(time / 1000);
  const common = {
    attributes: {
      ...version.shown.attributes,
      created: seconds(version.createdAt),
      updated: seconds(version.changedAt),
    },
  };
  const key = version.shown as KeyShown;
  const secret = version.shown as SecretShown;
  return {
    id: `${found.scope}/${version.kind}s/${version.name}`,
    name: version.name,
    type: `Microsoft.KeyVault/vaults/${version.kind}s`,
    tags: version.shown.tags,
    properties:
      version.kind === "key"
        ? {
            ...common,
            kty: key.kty,
            keyOps: key.operations,
            keySize: key.bits,
            curveName: key.publicJwk["crv"],
            keyUri: base,
            keyUriWithVersion: `${base}/${version.version}`,
          }
        : {
            ...common,
            contentType: secret.contentType,
            secretUri: base,
            secretUriWithVersion: `${base}/${version.version}`,
          },
  };
}
