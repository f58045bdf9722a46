// The two hashes of names that templates rely on to be the same everywhere: uniqueString (a 64-bit
// variant of MurmurHash3 made of two 32-bit lanes, in base 32) and guid (a version 5 UUID).

import { createHash } from "node:crypto";
import { any, type BuiltInTable, eager } from "./built-in.ts";
import { textAt } from "./arguments.ts";

export const hashFunctions: BuiltInTable = {
  uniqueString: eager(1, any, (args, _context, name) =>
    uniqueString(args.map((_, index) => textAt(name, args, index)).join("-")),
  ),
  guid: eager(1, any, (args, _context, name) => nameGuid(args.map((_, index) => textAt(name, args, index)).join("-"))),
};

export function uniqueString(text: string): string {
  return base32(murmur64(Buffer.from(text, "utf8")));
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** Thirteen digits of five bits, the highest first; the last one holds the four bits that remain. */
function base32(value: bigint): string {
  let rest = value;
  let text = "";
  for (let digit = 0; digit < 13; digit += 1) {
    text += alphabet[Number(rest >> 59n)] ?? "";
    rest = BigInt.asUintN(64, rest << 5n);
  }
  return text;
}

const firstFactor = 0x239b961b;
const secondFactor = 0xab0e9789;

export function murmur64(bytes: Buffer): bigint {
  const { length } = bytes;
  let low = 0;
  let high = 0;
  let at = 0;
  for (; at + 8 <= length; at += 8) {
    low ^= mix(bytes.readUInt32LE(at), firstFactor, 15, secondFactor);
    low = (Math.imul(rotate(low, 19) + high, 5) + 0x561ccd1b) | 0;
    high ^= mix(bytes.readUInt32LE(at + 4), secondFactor, 17, firstFactor);
    high = (Math.imul(rotate(high, 13) + low, 5) + 0x0bcaa747) | 0;
  }
  const tail = length - at;
  if (tail > 0) low ^= mix(bytes.readUIntLE(at, Math.min(tail, 4)), firstFactor, 15, secondFactor);
  if (tail > 4) high ^= mix(bytes.readUIntLE(at + 4, tail - 4), secondFactor, 17, firstFactor);
  low ^= length;
  high ^= length;
  low = (low + high) | 0;
  high = (high + low) | 0;
  low = finish(low);
  high = finish(high);
  low = (low + high) | 0;
  high = (high + low) | 0;
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function mix(block: number, first: number, rotation: number, second: number): number {
  return Math.imul(rotate(Math.imul(block, first), rotation), second);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function finish(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

const namespace = Buffer.from("11fb06fb712d4ddd98c7e71bbd588830", "hex");

export function nameGuid(text: string): string {
  const digest = createHash("sha1").update(namespace).update(text, "utf8").digest().subarray(0, 16);
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  const hex = digest.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
