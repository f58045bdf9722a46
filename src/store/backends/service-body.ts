// The body of a service's answer, with an end to what we are ready to take.

import { Buffer } from "node:buffer";
import { objectErrors } from "./errors.ts";

/** No object of a vault is larger; a service that announces more is not believed. */
const largestObject = 256 * 1024 * 1024;

/** Reads exactly `expected` bytes; anything else is a broken answer, worth another try. */
export async function readBody(body: AsyncIterable<Uint8Array>, expected: number, name: string): Promise<Buffer> {
  if (expected > largestObject) {
    throw objectErrors.StoreFailed(`${name} has ${expected} bytes; no object of a vault is that large.`);
  }
  const target = Buffer.allocUnsafeSlow(expected);
  let filled = 0;
  for await (const chunk of body) {
    if (filled + chunk.length > expected) break;
    target.set(chunk, filled);
    filled += chunk.length;
  }
  if (filled === expected) return target;
  throw objectErrors.StoreUnreachable(`The answer for ${name} broke off: ${filled} of ${expected} bytes came.`);
}
