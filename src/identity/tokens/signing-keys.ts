// The keys that tokens are signed with. One signs; the ones before it only verify, until the last
// token that they signed is dead; then they go. They stand in the database (the private half sealed),
// so that every process signs with the same key and knows the others' at once.

import { createPrivateKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { calculateJwkThumbprint, importJWK, type CryptoKey, type JWK } from "jose";
import type { Database } from "../../db/database.ts";
import { monotonicMilliseconds } from "../../lib/clock.ts";
import type { SecretBox } from "../../lib/secret-box.ts";

export const signingAlgorithm = "RS256";

export interface SigningKeys {
  /** The key that signs now; a new one when its time is over. */
  current(): Promise<SigningKey>;
  /** The public half, if the key still verifies. */
  find(kid: string): Promise<VerifyingKey | undefined>;
  /** What the JWKS shows: every key that still verifies, newest first. */
  published(): Promise<JWK[]>;
  /** Removes keys whose last token is dead. */
  prune(): Promise<void>;
}

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
}

export type VerifyingKey = CryptoKey | Uint8Array;

export interface SigningKeyOptions {
  readonly database: Database;
  readonly secretBox: SecretBox;
  readonly rotation: KeyRotation;
}

export interface KeyRotation {
  /** How long a key signs. */
  readonly signsFor: number;
  /** The longest life of a token; an old key verifies that much longer. */
  readonly longestToken: number;
}

export const defaultRotation: KeyRotation = { signsFor: 30 * 86_400_000, longestToken: 86_400_000 };

interface StoredKey {
  readonly kid: string;
  readonly jwk: JWK;
  readonly sealed: Uint8Array;
  readonly signsUntil: number;
  readonly verifiesUntil: number;
}

const modulusLength = 2048;
const newKeyPair = promisify(generateKeyPair);

/** An unknown kid in a token is a reason to look at the database again, but not for every forgery. */
const reloadEvery = 200;

export function openSigningKeys({ database, secretBox, rotation }: SigningKeyOptions): SigningKeys {
  let known: StoredKey[] | undefined;
  let loadedAt = Number.NEGATIVE_INFINITY;
  let rotating: Promise<void> | undefined;
  const opened = new Map<string, { signing?: SigningKey; verifying?: VerifyingKey }>();

  const load = async (): Promise<StoredKey[]> => {
    loadedAt = monotonicMilliseconds();
    known = await readKeys(database);
    for (const kid of opened.keys()) if (!known.some((key) => key.kid === kid)) opened.delete(kid);
    return known;
  };

  const rotate = async (): Promise<void> => {
    if (signingNow(await load(), database.clock.now()) !== undefined) return;
    const made = await makeKey();
    await database.transaction(async (trx) => {
      const now = database.clock.now();
      const rows = await trx.selectFrom("signing_keys").select("signs_until").where("signs_until", ">", now).execute();
      // Another process was faster: its key serves us too.
      if (rows.length > 0) return;
      const signsUntil = now + rotation.signsFor;
      await trx
        .insertInto("signing_keys")
        .values({
          kid: made.kid,
          public_jwk: JSON.stringify(made.jwk),
          private_key: secretBox.seal(made.pkcs8),
          created_at: now,
          signs_until: signsUntil,
          verifies_until: signsUntil + rotation.longestToken,
        })
        .execute();
    });
    await load();
  };

  return {
    current: async () => {
      const now = database.clock.now();
      let key = signingNow(known ?? (await load()), now);
      if (key === undefined) {
        rotating ??= rotate().finally(() => {
          rotating = undefined;
        });
        await rotating;
        key = signingNow(known ?? [], database.clock.now());
        if (key === undefined) throw new Error("no signing key after making one");
      }
      const cached = opened.get(key.kid) ?? {};
      opened.set(key.kid, cached);
      cached.signing ??= {
        kid: key.kid,
        privateKey: createPrivateKey({ key: secretBox.open(key.sealed), format: "der", type: "pkcs8" }),
      };
      return cached.signing;
    },
    find: async (kid) => {
      let key = (known ?? (await load())).find((one) => one.kid === kid);
      if (key === undefined && monotonicMilliseconds() - loadedAt > reloadEvery) {
        key = (await load()).find((one) => one.kid === kid);
      }
      if (key === undefined || key.verifiesUntil <= database.clock.now()) return undefined;
      const cached = opened.get(kid) ?? {};
      opened.set(kid, cached);
      cached.verifying ??= await importJWK(key.jwk, signingAlgorithm);
      return cached.verifying;
    },
    published: async () => {
      const now = database.clock.now();
      return (await load()).filter(({ verifiesUntil }) => verifiesUntil > now).map(({ jwk }) => jwk);
    },
    prune: async () => {
      await database.kysely.deleteFrom("signing_keys").where("verifies_until", "<=", database.clock.now()).execute();
      await load();
    },
  };
}

function signingNow(keys: readonly StoredKey[], now: number): StoredKey | undefined {
  return keys.find(({ signsUntil }) => signsUntil > now);
}

async function readKeys(database: Database): Promise<StoredKey[]> {
  const rows = await database.kysely
    .selectFrom("signing_keys")
    .selectAll()
    .orderBy("created_at", "desc")
    .orderBy("kid")
    .execute();
  return rows.map((row) => ({
    kid: row.kid,
    jwk: JSON.parse(row.public_jwk) as JWK,
    sealed: row.private_key,
    signsUntil: row.signs_until,
    verifiesUntil: row.verifies_until,
  }));
}

async function makeKey(): Promise<{ kid: string; jwk: JWK; pkcs8: Buffer }> {
  const { publicKey, privateKey } = await newKeyPair("rsa", { modulusLength });
  const parameters = publicKey.export({ format: "jwk" }) as JWK;
  const kid = await calculateJwkThumbprint(parameters);
  return {
    kid,
    jwk: { ...parameters, kid, use: "sig", alg: signingAlgorithm },
    pkcs8: privateKey.export({ format: "der", type: "pkcs8" }),
  };
}
