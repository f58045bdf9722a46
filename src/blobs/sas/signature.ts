// Signatures under an account's key. Comparison takes the same time wherever two differ.

import { createHmac, timingSafeEqual } from "node:crypto";

/** `key` in base64, the signature too. */
export function sign(key: string, text: string): string {
  return createHmac("sha256", Buffer.from(key, "base64")).update(text, "utf8").digest("base64");
}

export function isSignedBy(key: string, text: string, signature: string): boolean {
  const expected = Buffer.from(sign(key, text), "base64");
  const given = Buffer.from(signature, "base64");
  return given.length === expected.length && timingSafeEqual(given, expected);
}
