// Who can wrap the vault key. A provider names its key before anything is tried, so that a key of
// another vault is told apart from a damaged one.

import { createCipheriv, createDecipheriv, createHmac, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { randomBytes } from "../../lib/random.ts";
import { storeErrors } from "../errors.ts";
import { deriveKey } from "./vault-keys.ts";

export type SlotKind = "file" | "service" | "passphrase" | "recovery";

export interface WrapContext {
  readonly vaultId: Buffer;
  readonly slot: string;
}

export interface KeyProvider {
  readonly kind: SlotKind;
  /** Stored with the wrapped key; undefined where it cannot be known before the salt is (passphrases). */
  readonly keyId: string | undefined;
  wrap(vaultKey: Uint8Array, context: WrapContext): Promise<WrappedKey>;
  /** Fails with WrongKey. */
  unwrap(wrapped: WrappedKey, context: WrapContext): Promise<Buffer>;
}

export interface WrappedKey {
  readonly wrapped: Buffer;
  readonly salt?: Buffer;
  readonly cost?: ScryptCost;
}

export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** The platform's key: 32 random bytes in a file that the vault's place does not hold. */
export function keyFromBytes(key: Uint8Array, kind: "file" | "recovery" = "file"): KeyProvider {
  if (key.length !== 32) {
    throw storeErrors.KeyDamaged(`A vault key file holds 32 bytes; this key has ${key.length}.`);
  }
  const kek = Buffer.from(key);
  return {
    kind,
    keyId: createHmac("sha256", kek).update("holdfast 1 key id").digest("hex").slice(0, 16),
    wrap: async (vaultKey, context) => ({ wrapped: wrapWith(kek, vaultKey, context) }),
    unwrap: async ({ wrapped }, context) => unwrapWith(kek, wrapped, context),
  };
}

export interface KeyService {
  readonly keyId: string;
  wrap(key: Uint8Array): Promise<Uint8Array>;
  unwrap(wrapped: Uint8Array): Promise<Uint8Array>;
}

/** A key that never leaves its service: Key Vault and its like. */
export function keyFromService(service: KeyService): KeyProvider {
  return {
    kind: "service",
    keyId: service.keyId,
    wrap: async (vaultKey) => ({ wrapped: Buffer.from(await service.wrap(vaultKey)) }),
    unwrap: async ({ wrapped }, context) => {
      const key = Buffer.from(await service.unwrap(wrapped));
      if (key.length !== 32) {
        throw storeErrors.WrongKey(`The key service gave ${key.length} bytes for the slot ${context.slot}, not 32.`);
      }
      return key;
    },
  };
}

const defaultCost: ScryptCost = { N: 1 << 17, r: 8, p: 1 };
const stretch = promisify<string, Buffer, number, object, Buffer>(scrypt);

export function keyFromPassphrase(passphrase: string, cost: ScryptCost = defaultCost): KeyProvider {
  if (passphrase.length < 8) {
    throw storeErrors.KeyDamaged(`A passphrase has at least 8 characters; this one has ${passphrase.length}.`);
  }
  const derive = async (salt: Buffer, { N, r, p }: ScryptCost): Promise<Buffer> =>
    stretch(passphrase.normalize("NFC"), salt, 32, { N, r, p, maxmem: 256 * N * r });
  return {
    kind: "passphrase",
    keyId: undefined,
    wrap: async (vaultKey, context) => {
      const salt = randomBytes(32);
      return { wrapped: wrapWith(await derive(salt, cost), vaultKey, context), salt, cost };
    },
    unwrap: async ({ wrapped, salt, cost: used }, context) => {
      if (salt === undefined || used === undefined || !isBearable(used)) {
        throw storeErrors.WrongKey(`The slot ${context.slot} does not say how its passphrase is stretched.`);
      }
      return unwrapWith(await derive(salt, used), wrapped, context);
    },
  };
}

/** A config from outside may not make us work for hours or take all memory. */
const isBearable = ({ N, r, p }: ScryptCost): boolean =>
  N >= 2 && N <= 1 << 20 && (N & (N - 1)) === 0 && r >= 1 && r <= 16 && p >= 1 && p <= 4;

function wrapWith(kek: Buffer, key: Uint8Array, context: WrapContext): Buffer {
  return sealKey(deriveKey(kek, context.vaultId, Buffer.from("holdfast 1 kek")), key, wrapData(context));
}

function unwrapWith(kek: Buffer, wrapped: Buffer, context: WrapContext): Buffer {
  const key = openKey(deriveKey(kek, context.vaultId, Buffer.from("holdfast 1 kek")), wrapped, wrapData(context));
  if (key === undefined) {
    throw storeErrors.WrongKey(
      `The key does not open the slot ${context.slot} of vault ${context.vaultId.toString("hex")}.`,
    );
  }
  return key;
}

const wrapData = ({ vaultId, slot }: WrapContext): Buffer => Buffer.concat([vaultId, Buffer.from(slot, "utf8")]);

/** nonce ‖ ciphertext ‖ tag */
export function sealKey(key: Uint8Array, secret: Uint8Array, context: Uint8Array): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(context);
  return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
}

export function openKey(key: Uint8Array, sealed: Buffer, context: Uint8Array): Buffer | undefined {
  if (sealed.length < 28) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12));
  decipher.setAAD(context);
  decipher.setAuthTag(sealed.subarray(sealed.length - 16));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(12, sealed.length - 16)), decipher.final()]);
  } catch {
    return undefined;
  }
}
