// Keys: made, imported, rotated, used.

import type { z } from "zod";
import { keyErrors } from "./errors.ts";
import { checkUsable, type KeyOperation, type OpenKey } from "./key-operations.ts";
import {
  importKey,
  makeKey,
  plainType,
  type importedKeySchema,
  type KeyPair,
  type KeyShown,
  type KeyType,
} from "./key-material.ts";
import {
  addVersion,
  findNamed,
  getVersion,
  notFound,
  setPolicy,
  type Attributes,
  type ObjectName,
  type Version,
} from "./objects.ts";
import { expiryOf, noRotation, rotatesAt, rotationPolicySchema, type RotationPolicy } from "./rotation-policy.ts";
import type { KeyStore } from "./store.ts";
import type { Writer } from "./vaults.ts";

export interface KeyRequest {
  readonly attributes: Attributes;
  readonly tags: Readonly<Record<string, string>>;
  readonly operations?: readonly string[];
}

const operationsOf: Readonly<Record<"RSA" | "EC" | "oct", readonly string[]>> = {
  RSA: ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"],
  EC: ["sign", "verify"],
  oct: ["wrapKey", "unwrapKey", "encrypt", "decrypt"],
};

export async function createKey(
  store: KeyStore,
  at: ObjectName,
  kty: KeyType,
  options: { size?: number; curve?: string },
  request: KeyRequest,
): Promise<Version<KeyShown>> {
  const pair = await makeKey(kty, options);
  return store.database.transaction((trx) => keep(store, trx, at, kty, pair, request));
}

export async function importJwk(
  store: KeyStore,
  at: ObjectName,
  jwk: z.output<typeof importedKeySchema>,
  request: KeyRequest,
): Promise<Version<KeyShown>> {
  const pair = importKey(jwk);
  return store.database.transaction((trx) => keep(store, trx, at, jwk.kty, pair, request));
}

/** A new version like the newest one; its expiry is the policy's. */
export async function rotateKey(store: KeyStore, at: ObjectName): Promise<Version<KeyShown>> {
  const named = await findNamed<KeyShown>(store.database.kysely, at);
  if (named === undefined || named.deletion !== undefined) throw notFound(at);
  const { kty, bits, publicJwk, operations, tags } = named.current.shown;
  const pair = await makeKey(kty, { size: bits, curve: publicJwk["crv"] });
  const expiresAt = expiryOf(policyOf(named.policy), store.database.clock.now());
  const attributes: Attributes = {
    enabled: true,
    ...(expiresAt === undefined ? {} : { exp: Math.floor(expiresAt / 1000) }),
  };
  return store.database.transaction((trx) => keep(store, trx, at, kty, pair, { attributes, tags, operations }));
}

/** Opens a key for one operation, or says why not. */
export async function openKey(
  store: KeyStore,
  at: ObjectName,
  version: string | undefined,
  operation: KeyOperation,
): Promise<{ key: OpenKey; version: Version<KeyShown> }> {
  const found = await getVersion<KeyShown>(store.database.kysely, at, version);
  checkUsable(found.shown, operation, store.database.clock.now());
  return { key: { shown: found.shown, secret: store.secretBox.open(found.sealed) }, version: found };
}

export function policyOf(text: string | undefined): RotationPolicy {
  return text === undefined ? noRotation : rotationPolicySchema.parse(JSON.parse(text));
}

export async function changePolicy(store: KeyStore, at: ObjectName, policy: RotationPolicy): Promise<void> {
  await store.database.transaction(async (trx) => {
    await getVersion(trx, at, undefined);
    await setPolicy(trx, at, JSON.stringify(policy));
  });
}

/** Rotates every key whose policy says that it is time. */
export async function rotateDueKeys(store: KeyStore): Promise<number> {
  const { kysely, clock } = store.database;
  const rows = await kysely
    .selectFrom("key_vault_names")
    .selectAll()
    .where("kind", "=", "key")
    .where("policy", "is not", null)
    .where("deleted_at", "is", null)
    .execute();
  let rotated = 0;
  for (const row of rows) {
    const at: ObjectName = { vault: row.vault, kind: "key", name: row.name };
    const named = await findNamed<KeyShown>(kysely, at);
    if (named === undefined) continue;
    const { exp } = named.current.shown.attributes;
    const due = rotatesAt(policyOf(named.policy), named.current.createdAt, exp === undefined ? undefined : exp * 1000);
    if (due === undefined || due > clock.now()) continue;
    await rotateKey(store, at);
    rotated += 1;
  }
  return rotated;
}

function keep(
  store: KeyStore,
  trx: Writer,
  at: ObjectName,
  kty: KeyType,
  pair: KeyPair,
  request: KeyRequest,
): Promise<Version<KeyShown>> {
  const possible = operationsOf[plainType(kty)];
  const operations = request.operations ?? possible;
  const wrong = operations.find((operation) => !possible.includes(operation));
  if (wrong !== undefined)
    throw keyErrors.BadParameter(
      `key_ops has '${wrong.slice(0, 30)}'; a key of type ${kty} can ${possible.join(", ")}.`,
    );
  const shown: KeyShown = {
    kty,
    operations,
    publicJwk: pair.publicJwk,
    bits: pair.bits,
    attributes: request.attributes,
    tags: request.tags,
  };
  return addVersion(trx, at, shown, store.secretBox.seal(pair.secret));
}
