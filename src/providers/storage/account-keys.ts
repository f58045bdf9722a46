// Keys and signatures of an account, for those who may have them.

import { z } from "zod";
import { findAccount, replaceKey, type Account } from "../../blobs/rows/account.ts";
import { sasVersion, signAccount, signService } from "../../blobs/sas/make-sas.ts";
import { isoTime } from "../../lib/clock.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { resourceNotFound } from "../../arm/resources/resource-store.ts";
import type { Route } from "../../arm/routes.ts";
import type { StorageServices } from "./services.ts";
import { storageErrors } from "./errors.ts";

const one =
  "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.Storage/storageAccounts/{name}";

export function keyRoutes(services: StorageServices): Route[] {
  const account = (request: ArmRequest): Promise<Account> => accountOf(services, request);
  return [
    {
      method: "POST",
      path: `${one}/listKeys`,
      effect: "write",
      handle: async (request) => keysReply(await account(request)),
    },
    { method: "POST", path: `${one}/regenerateKey`, handle: (request) => regenerate(services, request) },
    {
      method: "POST",
      path: `${one}/listAccountSas`,
      handle: async (request) => accountSas(await account(request), request),
    },
    {
      method: "POST",
      path: `${one}/listServiceSas`,
      handle: async (request) => serviceSas(await account(request), request),
    },
  ];
}

/** The account that the request's resource is; the id decides, not the name alone. */
export async function accountOf({ database, blobs }: StorageServices, request: ArmRequest): Promise<Account> {
  const account = await findAccount(database.kysely, blobs.store.secretBox, param(request, "name").toLowerCase());
  const id = request.resourceId.split("/").slice(0, 9).join("/");
  if (account === undefined || account.scope.toLowerCase() !== id.toLowerCase()) throw resourceNotFound(id);
  return account;
}

function keysReply(account: Account): ArmReply {
  const creationTime = isoTime(account.createdAt);
  return ok({
    keys: account.keys.map((value, index) => ({
      keyName: `key${index + 1}`,
      value,
      permissions: "FULL",
      creationTime,
    })),
  });
}

const whichKey = z.object({ keyName: z.enum(["key1", "key2"]) });

async function regenerate(services: StorageServices, request: ArmRequest): Promise<ArmReply> {
  const { keyName } = parseBody(request, whichKey);
  const { name } = await accountOf(services, request);
  await services.database.transaction((trx) =>
    replaceKey(trx, services.blobs.store.secretBox, name, keyName === "key1" ? 0 : 1),
  );
  return keysReply(await accountOf(services, request));
}

const sasTime = z.iso.datetime({ offset: true });
const accountSasBody = z.object({
  signedServices: z.string(),
  signedResourceTypes: z.string(),
  signedPermission: z.string(),
  signedIp: z.string().optional(),
  signedProtocol: z.string().optional(),
  signedStart: sasTime.optional(),
  signedExpiry: sasTime,
  keyToSign: z.enum(["key1", "key2"]).optional(),
});

function accountSas(account: Account, request: ArmRequest): ArmReply {
  const asked = parseBody(request, accountSasBody);
  const fields = new Map([
    ["sv", sasVersion],
    ["ss", asked.signedServices],
    ["srt", asked.signedResourceTypes],
    ["sp", asked.signedPermission],
    ["st", wireTime(asked.signedStart)],
    ["se", wireTime(asked.signedExpiry)],
    ["sip", asked.signedIp ?? ""],
    ["spr", asked.signedProtocol ?? ""],
  ]);
  return ok({ accountSasToken: signAccount(keyOf(account, asked.keyToSign), account.name, fields) });
}

const serviceSasBody = z.object({
  canonicalizedResource: z.string(),
  signedResource: z.enum(["b", "c"]).optional(),
  signedPermission: z.string().optional(),
  signedIp: z.string().optional(),
  signedProtocol: z.string().optional(),
  signedStart: sasTime.optional(),
  signedExpiry: sasTime.optional(),
  signedIdentifier: z.string().max(64).optional(),
  keyToSign: z.enum(["key1", "key2"]).optional(),
  rscc: z.string().optional(),
  rscd: z.string().optional(),
  rsce: z.string().optional(),
  rscl: z.string().optional(),
  rsct: z.string().optional(),
});

function serviceSas(account: Account, request: ArmRequest): ArmReply {
  const asked = parseBody(request, serviceSasBody);
  const match = /^\/blob\/([^/]+)\/([^/]+)(?:\/(.+))?$/.exec(asked.canonicalizedResource);
  if (match?.[1] !== account.name || match[2] === undefined) {
    throw storageErrors.InvalidValuesForRequestParameters(
      `canonicalizedResource must be /blob/${account.name}/CONTAINER[/BLOB].`,
      { target: "canonicalizedResource" },
    );
  }
  const resource = asked.signedResource ?? (match[3] === undefined ? "c" : "b");
  const target = {
    account: account.name,
    container: match[2],
    ...(resource === "b" && match[3] !== undefined ? { blob: match[3] } : {}),
  };
  const fields = new Map([
    ["sv", sasVersion],
    ["sr", resource],
    ["si", asked.signedIdentifier ?? ""],
    ["sp", asked.signedPermission ?? ""],
    ["st", wireTime(asked.signedStart)],
    ["se", wireTime(asked.signedExpiry)],
    ["sip", asked.signedIp ?? ""],
    ["spr", asked.signedProtocol ?? ""],
    ...(["rscc", "rscd", "rsce", "rscl", "rsct"] as const).map((name): [string, string] => [name, asked[name] ?? ""]),
  ]);
  return ok({ serviceSasToken: signService(keyOf(account, asked.keyToSign), target, fields) });
}

function keyOf(account: Account, name: "key1" | "key2" | undefined): string {
  return account.keys[name === "key2" ? 1 : 0];
}

function wireTime(text: string | undefined): string {
  return text === undefined ? "" : isoTime(Date.parse(text)).replace(/\.\d{3}Z$/, "Z");
}
