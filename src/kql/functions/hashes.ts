// Hashes: xxHash64, which is hash() of the service, and digests.

import { createHash } from "node:crypto";
import { dynamicToText } from "../values/dynamic.ts";
import type { RuntimeFunction } from "./value.ts";

const p1 = 0x9e37_79b1_85eb_ca87n;
const p2 = 0xc2b2_ae3d_27d4_eb4fn;
const p3 = 0x1656_67b1_9e37_79f9n;
const p4 = 0x85eb_ca77_c2b2_ae63n;
const p5 = 0x27d4_eb2f_1656_67c5n;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, by: bigint): bigint => u64((value << by) | (value >> (64n - by)));
const round = (state: bigint, input: bigint): bigint => u64(rotate(u64(state + input * p2), 31n) * p1);
const merge = (state: bigint, value: bigint): bigint => u64((state ^ round(0n, value)) * p1 + p4);

function xxHash64(bytes: Buffer, seed = 0n): bigint {
  let at = 0;
  let hash: bigint;
  if (bytes.length >= 32) {
    let [a, b, c, d] = [u64(seed + p1 + p2), u64(seed + p2), seed, u64(seed - p1)];
    for (; at + 32 <= bytes.length; at += 32) {
      a = round(a, bytes.readBigUInt64LE(at));
      b = round(b, bytes.readBigUInt64LE(at + 8));
      c = round(c, bytes.readBigUInt64LE(at + 16));
      d = round(d, bytes.readBigUInt64LE(at + 24));
    }
    hash = u64(rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n));
    for (const lane of [a, b, c, d]) hash = merge(hash, lane);
  } else hash = u64(seed + p5);
  hash = u64(hash + BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8)
    hash = u64(rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * p1 + p4);
  if (at + 4 <= bytes.length) {
    hash = u64(rotate(hash ^ u64(BigInt(bytes.readUInt32LE(at)) * p1), 23n) * p2 + p3);
    at += 4;
  }
  for (; at < bytes.length; at += 1) hash = u64(rotate(hash ^ u64(BigInt(bytes[at] ?? 0) * p5), 11n) * p1);
  hash = u64((hash ^ (hash >> 33n)) * p2);
  hash = u64((hash ^ (hash >> 29n)) * p3);
  return hash ^ (hash >> 32n);
}

/** Numbers are hashed as their eight bytes, texts as UTF-8. */
const hash: RuntimeFunction = ([value = null, modulo]) => {
  const bytes = typeof value === "bigint" ? Buffer.alloc(8) : Buffer.from(dynamicToText(value), "utf8");
  if (typeof value === "bigint") bytes.writeBigInt64LE(value);
  const signed = BigInt.asIntN(64, xxHash64(bytes));
  if (typeof modulo !== "bigint" || modulo <= 0n) return signed;
  return ((signed % modulo) + modulo) % modulo;
};

/** The digest of nothing is nothing. */
const digest =
  (algorithm: string): RuntimeFunction =>
  ([value = null]) => {
    const content = dynamicToText(value);
    return content === "" ? "" : createHash(algorithm).update(content).digest("hex");
  };

export const hashFunctions: Readonly<Record<string, RuntimeFunction>> = {
  hash,
  hash_xxhash64: hash,
  hash_md5: digest("md5"),
  hash_sha1: digest("sha1"),
  hash_sha256: digest("sha256"),
};
