// Telling what is wrong with the bytes of a vault from what is wrong with the way to them.

import { HoldfastError } from "../lib/errors.ts";

const damage: ReadonlySet<string> = new Set([
  "ObjectDamaged",
  "ObjectMissing",
  "ObjectTooShort",
  "BlobMissing",
  "ForeignObject",
  "FormatFromTheFuture",
  "EpochMissing",
]);

/** Whether this says that bytes are bad or gone, rather than that we could not ask. */
export function isDamage(error: unknown): boolean {
  return error instanceof HoldfastError && damage.has(error.code);
}
