import { z } from "zod";
import { keyErrors } from "../errors.ts";
import { importedKeySchema, type KeyShown } from "../key-material.ts";
import { decrypt, encrypt, signDigest, verifyDigest, type KeyOperation } from "../key-operations.ts";
import { changePolicy, createKey, importJwk, openKey, policyOf, rotateKey } from "../keys.ts";
import { changeVersion, findNamed, getVersion, notFound } from "../objects.ts";
import { rotationPolicySchema } from "../rotation-policy.ts";
import {
  attributesSchema,
  parse,
  permitted,
  stated,
  tagsSchema,
  type VaultContext,
  type VaultReply,
  type VaultRoute,
} from "./context.ts";
import { objectRoutes } from "./object-routes.ts";
import { idOf, keyBundle } from "./wire.ts";

const one = "keys/{name}";

export const keyRoutes: readonly VaultRoute[] = [
  { method: "POST", path: `${one}/create`, run: create },
  { method: "PUT", path: one, run: importKey },
  { method: "GET", path: one, run: show },
  { method: "GET", path: `${one}/{version}`, run: show },
  { method: "PATCH", path: one, run: update },
  { method: "PATCH", path: `${one}/{version}`, run: update },
  { method: "POST", path: `${one}/rotate`, run: rotate },
  { method: "GET", path: `${one}/rotationpolicy`, run: showPolicy },
  { method: "PUT", path: `${one}/rotationpolicy`, run: putPolicy },
  ...(["encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify"] as const).map((operation): VaultRoute => ({
    method: "POST",
    path: `${one}/{version}/${operation}`,
    run: (context) => use(context, operation),
  })),
  // The client may leave the version away; its path then has two slashes in a row, or none.
  ...(["encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify"] as const).map((operation): VaultRoute => ({
    method: "POST",
    path: `${one}/${operation}`,
    run: (context) => use(context, operation),
  })),
  ...objectRoutes("key"),
];

const createSchema = z.object({
  kty: z.enum(["RSA", "RSA-HSM", "EC", "EC-HSM", "oct", "oct-HSM"]),
  key_size: z.int().nullish(),
  crv: z.string().nullish(),
  key_ops: z.array(z.string()).nullish(),
  attributes: attributesSchema,
  tags: tagsSchema,
});

async function create(context: VaultContext): Promise<VaultReply> {
  const at = await permitted(context, "key", "create");
  const { kty, key_size, crv, key_ops, attributes, tags } = parse(context, createSchema);
  const options = { size: key_size ?? undefined, curve: crv ?? undefined };
  const request = {
    attributes: { enabled: true, ...stated(attributes) },
    tags: tags ?? {},
    operations: key_ops ?? undefined,
  };
  return { status: 200, body: keyBundle(context, await createKey(context.store, at, kty, options, request)) };
}

const importSchema = z.object({
  key: importedKeySchema,
  hsm: z.boolean().nullish(),
  Hsm: z.boolean().nullish(),
  attributes: attributesSchema,
  tags: tagsSchema,
});

async function importKey(context: VaultContext): Promise<VaultReply> {
  const at = await permitted(context, "key", "import");
  const { key, attributes, tags } = parse(context, importSchema);
  const request = {
    attributes: { enabled: true, ...stated(attributes) },
    tags: tags ?? {},
    operations: key.key_ops ?? undefined,
  };
  return { status: 200, body: keyBundle(context, await importJwk(context.store, at, key, request)) };
}

async function show(context: VaultContext): Promise<VaultReply> {
  const at = await permitted(context, "key", "get");
  return {
    status: 200,
    body: keyBundle(context, await getVersion<KeyShown>(context.store.database.kysely, at, context.params["version"])),
  };
}

const updateSchema = z.object({
  key_ops: z.array(z.enum(["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"])).nullish(),
  attributes: attributesSchema,
  tags: tagsSchema,
});

async function update(context: VaultContext): Promise<VaultReply> {
  const at = await permitted(context, "key", "update");
  const { key_ops, attributes, tags } = parse(context, updateSchema);
  const changed = await context.store.database.transaction(async (trx) => {
    const version = await getVersion<KeyShown>(trx, at, context.params["version"]);
    const { shown } = version;
    return changeVersion(trx, version, {
      ...shown,
      attributes: { ...shown.attributes, ...stated(attributes) },
      tags: tags ?? shown.tags,
      operations: key_ops ?? shown.operations,
    });
  });
  return { status: 200, body: keyBundle(context, changed) };
}

async function rotate(context: VaultContext): Promise<VaultReply> {
  return {
    status: 200,
    body: keyBundle(context, await rotateKey(context.store, await permitted(context, "key", "rotate"))),
  };
}

async function showPolicy(context: VaultContext): Promise<VaultReply> {
  const at = await permitted(context, "key", "getrotationpolicy");
  const named = await findNamed<KeyShown>(context.store.database.kysely, at);
  if (named === undefined || named.deletion !== undefined) throw notFound(at);
  return {
    status: 200,
    body: { id: `${context.base}/keys/${named.current.name}/rotationpolicy`, ...policyOf(named.policy) },
  };
}

async function putPolicy(context: VaultContext): Promise<VaultReply> {
  const at = await permitted(context, "key", "setrotationpolicy");
  const policy = parse(context, rotationPolicySchema);
  await changePolicy(context.store, at, policy);
  return { status: 200, body: { id: `${context.base}/keys/${at.name}/rotationpolicy`, ...policy } };
}

const base64url = z
  .string()
  .regex(/^[A-Za-z0-9_-]*={0,2}$/, "must be base64url")
  .max(8192);
const useSchema = z.object({ alg: z.string(), value: base64url.optional(), digest: base64url.optional() });

async function use(context: VaultContext, operation: KeyOperation): Promise<VaultReply> {
  const at = await permitted(context, "key", operation);
  const { alg, value, digest } = parse(context, useSchema);
  const { key, version } = await openKey(context.store, at, context.params["version"], operation);
  const bytes = (name: string, text: string | undefined): Buffer => {
    if (text === undefined) throw keyErrors.BadParameter(`Property ${name} is required.`);
    return Buffer.from(text, "base64url");
  };
  if (operation === "verify") {
    return { status: 200, body: { value: verifyDigest(key, alg, bytes("digest", digest), bytes("value", value)) } };
  }
  const input = bytes("value", value);
  const result =
    operation === "sign"
      ? signDigest(key, alg, input)
      : operation === "encrypt" || operation === "wrapKey"
        ? encrypt(key, alg, input)
        : decrypt(key, alg, input);
  return { status: 200, body: { kid: idOf(context, version), value: result.toString("base64url") } };
}
