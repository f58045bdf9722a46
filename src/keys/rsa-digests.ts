// RSA signatures over a digest that the client has computed already. Node's `sign` wants the message,
// so the padding (RFC 8017) is made here and the key is used on it as it is.

import {
  constants,
  createHash,
  privateEncrypt,
  publicDecrypt,
  publicEncrypt,
  timingSafeEqual,
  type KeyObject,
} from "node:crypto";
import { randomBytes } from "../lib/random.ts";

/** DER of DigestInfo up to the digest. */
const digestInfo: Readonly<Record<string, string>> = {
  sha256: "3031300d060960864801650304020105000420",
  sha384: "3041300d060960864801650304020205000430",
  sha512: "3051300d060960864801650304020305000440",
};

export function signPkcs1(key: KeyObject, hash: string, digest: Uint8Array): Buffer {
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, withInfo(hash, digest));
}

export function verifyPkcs1(key: KeyObject, hash: string, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    const opened = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
    const expected = withInfo(hash, digest);
    return opened.length === expected.length && timingSafeEqual(opened, expected);
  } catch {
    return false; // whatever does not open is no signature
  }
}

export function signPss(key: KeyObject, hash: string, digest: Uint8Array, bits: number): Buffer {
  const salt = randomBytes(digest.length);
  const length = Math.ceil((bits - 1) / 8);
  const inner = innerHash(hash, digest, salt);
  const block = Buffer.concat([Buffer.alloc(length - inner.length - salt.length - 2), Buffer.of(1), salt]);
  const masked = xor(block, mask(hash, inner, block.length));
  masked[0] = (masked[0] ?? 0) & (0xff >> (8 * length - (bits - 1)));
  const encoded = Buffer.concat([masked, inner, Buffer.of(0xbc)]);
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, padTo(encoded, bits / 8));
}

export function verifyPss(
  key: KeyObject,
  hash: string,
  digest: Uint8Array,
  signature: Uint8Array,
  bits: number,
): boolean {
  const length = Math.ceil((bits - 1) / 8);
  let encoded: Buffer;
  try {
    encoded = publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, signature).subarray(-length);
  } catch {
    return false; // too long, or not below the modulus
  }
  if (encoded.at(-1) !== 0xbc) return false;
  const inner = encoded.subarray(-digest.length - 1, -1);
  const masked = encoded.subarray(0, length - digest.length - 1);
  const block = xor(masked, mask(hash, inner, masked.length));
  block[0] = (block[0] ?? 0) & (0xff >> (8 * length - (bits - 1)));
  const saltAt = block.length - digest.length;
  if (saltAt < 1 || block[saltAt - 1] !== 1 || block.subarray(0, saltAt - 1).some((byte) => byte !== 0)) return false;
  return timingSafeEqual(inner, innerHash(hash, digest, block.subarray(saltAt)));
}

function withInfo(hash: string, digest: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(digestInfo[hash] ?? "", "hex"), digest]);
}

function innerHash(hash: string, digest: Uint8Array, salt: Uint8Array): Buffer {
  return createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
}

/** MGF1. */
function mask(hash: string, seed: Uint8Array, length: number): Buffer {
  const pieces: Buffer[] = [];
  for (let counter = 0, made = 0; made < length; counter += 1) {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(counter);
    const piece = createHash(hash).update(seed).update(number).digest();
    pieces.push(piece);
    made += piece.length;
  }
  return Buffer.concat(pieces).subarray(0, length);
}

function xor(left: Uint8Array, right: Uint8Array): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)));
}

function padTo(bytes: Buffer, length: number): Buffer {
  return Buffer.concat([Buffer.alloc(length - bytes.length), bytes]);
}
