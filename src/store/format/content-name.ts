// Packs and index objects are named after their own bytes, so whoever holds one can check it without a
// key. Which hash it is, the object says by its kind: BLAKE2b for packs that were written where that is
// faster than SHA-256.

import { createHash, type Hash } from "node:crypto";
import type { NameHash } from "../keys/vault-keys.ts";
import { objectKinds, type ObjectKind } from "./layout.ts";

export const packKinds: Readonly<Record<NameHash, ObjectKind>> = {
  sha256: objectKinds.pack,
  blake2b512: objectKinds.packByBlake2b,
};

/** The name that all the bytes that were given to `hash` have as an object. */
export const finishName = (hash: Hash): string => hash.digest("hex").slice(0, 64);

/** The name that an object with this content has. */
export const contentName = (content: Uint8Array): string =>
  finishName(createHash(namedBySha256(content) ? "sha256" : "blake2b512").update(content));

/** The SHA-256 of an object whose name is known to be right, as far as the name tells it. */
export const sha256InName = (content: Uint8Array, hash: string): Buffer | undefined =>
  namedBySha256(content) ? Buffer.from(hash, "hex") : undefined;

const namedBySha256 = (content: Uint8Array): boolean => content[1] !== objectKinds.packByBlake2b;
