// What can be done with a key: a table of Azure's algorithms, each for one type of key.

import { constants, createCipheriv, createDecipheriv, privateDecrypt, publicEncrypt } from "node:crypto";
import { keyErrors } from "./errors.ts";
import { signEc, verifyEc } from "./ec-digests.ts";
import { plainType, privateKeyOf, publicKeyOf, symmetricKeyOf, type KeyShown } from "./key-material.ts";
import { signPkcs1, signPss, verifyPkcs1, verifyPss } from "./rsa-digests.ts";

export interface OpenKey {
  readonly shown: KeyShown;
  readonly secret: Uint8Array;
}

export type KeyOperation = "encrypt" | "decrypt" | "wrapKey" | "unwrapKey" | "sign" | "verify";

interface Encryption {
  readonly type: "RSA" | "oct";
  encrypt(key: OpenKey, bytes: Uint8Array): Buffer;
  decrypt(key: OpenKey, bytes: Uint8Array): Buffer;
}

interface Signing {
  readonly type: "RSA" | "EC";
  readonly digestBytes: number;
  sign(key: OpenKey, digest: Uint8Array): Buffer;
  verify(key: OpenKey, digest: Uint8Array, signature: Uint8Array): boolean;
}

const encryptions: Readonly<Record<string, Encryption>> = {
  "RSA-OAEP": rsa({ padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" }),
  "RSA-OAEP-256": rsa({ padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" }),
  RSA1_5: rsa({ padding: constants.RSA_PKCS1_PADDING }),
  A128KW: keyWrap(128),
  A192KW: keyWrap(192),
  A256KW: keyWrap(256),
};

const signings: Readonly<Record<string, Signing>> = {
  RS256: pkcs1("sha256", 32),
  RS384: pkcs1("sha384", 48),
  RS512: pkcs1("sha512", 64),
  PS256: pss("sha256", 32),
  PS384: pss("sha384", 48),
  PS512: pss("sha512", 64),
  ES256: ecdsa("P-256", 32),
  ES384: ecdsa("P-384", 48),
  ES512: ecdsa("P-521", 64),
  ES256K: ecdsa("P-256K", 32),
};

export function encrypt(key: OpenKey, algorithm: string, bytes: Uint8Array): Buffer {
  return attempt(key, algorithm, encryptions, (one) => one.encrypt(key, bytes));
}

export function decrypt(key: OpenKey, algorithm: string, bytes: Uint8Array): Buffer {
  return attempt(key, algorithm, encryptions, (one) => one.decrypt(key, bytes));
}

export function signDigest(key: OpenKey, algorithm: string, digest: Uint8Array): Buffer {
  return attempt(key, algorithm, signings, (one) => one.sign(key, checkDigest(algorithm, one, digest)));
}

export function verifyDigest(key: OpenKey, algorithm: string, digest: Uint8Array, signature: Uint8Array): boolean {
  return attempt(key, algorithm, signings, (one) => one.verify(key, checkDigest(algorithm, one, digest), signature));
}

export function checkUsable(shown: KeyShown, operation: KeyOperation, now: number): void {
  const refuse = (why: string, inner: string): Error =>
    keyErrors.Forbidden(`Operation ${operation} is not allowed on this key: ${why}.`, { facts: { inner } });
  if (!shown.attributes.enabled) throw refuse("it is disabled", "KeyDisabled");
  if (!shown.operations.some((one) => one.toLowerCase() === operation.toLowerCase()))
    throw refuse(`its key_ops are ${shown.operations.join(", ")}`, "KeyOperationForbidden");
  const { nbf, exp } = shown.attributes;
  // What was encrypted while the key was good can still be opened and checked.
  const isLooking = operation === "decrypt" || operation === "unwrapKey" || operation === "verify";
  if (!isLooking && nbf !== undefined && now < nbf * 1000) throw refuse("it is not valid yet", "KeyNotYetValid");
  if (!isLooking && exp !== undefined && now >= exp * 1000) throw refuse("it has expired", "KeyExpired");
}

function attempt<Entry extends { type: string }, Result>(
  key: OpenKey,
  algorithm: string,
  table: Readonly<Record<string, Entry>>,
  work: (entry: Entry) => Result,
): Result {
  const entry = Object.hasOwn(table, algorithm) ? table[algorithm] : undefined;
  if (entry === undefined)
    throw keyErrors.BadParameter(
      `The algorithm '${algorithm.slice(0, 30)}' is not one of ${Object.keys(table).join(", ")}.`,
    );
  const type = plainType(key.shown.kty);
  if (entry.type !== type)
    throw keyErrors.BadParameter(
      `Key and signing algorithm are incompatible. Key type is '${type}', and algorithm '${algorithm}' is for ${entry.type}.`,
    );
  try {
    return work(entry);
  } catch (cause) {
    if (cause instanceof Error && "status" in cause) throw cause;
    // Never why: that would tell an attacker about the padding.
    throw keyErrors.BadParameter(`The parameter is incorrect: ${algorithm} cannot be applied to the value.`, { cause });
  }
}

function checkDigest(algorithm: string, { digestBytes }: Signing, digest: Uint8Array): Uint8Array {
  if (digest.length !== digestBytes)
    throw keyErrors.BadParameter(
      `Invalid length of 'value': ${digest.length} bytes. ${algorithm} requires ${digestBytes} bytes, encoded with base64url.`,
    );
  return digest;
}

function rsa(padding: { padding: number; oaepHash?: string }): Encryption {
  return {
    type: "RSA",
    encrypt: ({ secret }, bytes) => publicEncrypt({ key: publicKeyOf(secret), ...padding }, bytes),
    decrypt: ({ secret }, bytes) => privateDecrypt({ key: privateKeyOf(secret), ...padding }, bytes),
  };
}

/** RFC 3394. */
function keyWrap(bits: number): Encryption {
  const cipher = `id-aes${bits}-wrap`;
  const iv = Buffer.from("a6a6a6a6a6a6a6a6", "hex");
  const keyOf = ({ secret }: OpenKey): Buffer => {
    const key = symmetricKeyOf(secret);
    if (key.length * 8 !== bits)
      throw keyErrors.BadParameter(`A${bits}KW needs a key of ${bits} bits, this one has ${key.length * 8}.`);
    return key;
  };
  return {
    type: "oct",
    encrypt: (key, bytes) => {
      const wrap = createCipheriv(cipher, keyOf(key), iv);
      return Buffer.concat([wrap.update(bytes), wrap.final()]);
    },
    decrypt: (key, bytes) => {
      const unwrap = createDecipheriv(cipher, keyOf(key), iv);
      return Buffer.concat([unwrap.update(bytes), unwrap.final()]);
    },
  };
}

function pkcs1(hash: string, digestBytes: number): Signing {
  return {
    type: "RSA",
    digestBytes,
    sign: ({ secret }, digest) => signPkcs1(privateKeyOf(secret), hash, digest),
    verify: ({ secret }, digest, signature) => verifyPkcs1(publicKeyOf(secret), hash, digest, signature),
  };
}

function pss(hash: string, digestBytes: number): Signing {
  return {
    type: "RSA",
    digestBytes,
    sign: ({ secret, shown }, digest) => signPss(privateKeyOf(secret), hash, digest, shown.bits),
    verify: ({ secret, shown }, digest, signature) =>
      verifyPss(publicKeyOf(secret), hash, digest, signature, shown.bits),
  };
}

function ecdsa(curve: string, digestBytes: number): Signing {
  const check = ({ shown }: OpenKey): void => {
    if (shown.publicJwk["crv"] !== curve)
      throw keyErrors.BadParameter(
        `The key is on the curve ${shown.publicJwk["crv"] ?? ""}, the algorithm is for ${curve}.`,
      );
  };
  return {
    type: "EC",
    digestBytes,
    sign: (key, digest) => {
      check(key);
      return signEc(privateKeyOf(key.secret), digest);
    },
    verify: (key, digest, signature) => {
      check(key);
      return verifyEc(publicKeyOf(key.secret), digest, signature);
    },
  };
}
