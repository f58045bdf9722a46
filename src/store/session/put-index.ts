// Index objects: encoded, sealed and stored under the hash of their bytes.

import { contentName } from "../format/content-name.ts";
import { encodeIndex, type IndexedPackEntries } from "../format/index-object.ts";
import { objectKinds } from "../format/layout.ts";
import { indexName } from "../format/object-names.ts";
import { seal } from "../format/sealed.ts";
import type { Vault } from "../vault.ts";
import { putOnce, type PutOnceOptions } from "./put-once.ts";

/** `replaces`: what is in it of other index objects, by their hashes. Gives its hash when it is durable. */
export async function putIndex(
  { store, keys }: Pick<Vault, "store" | "keys">,
  replaces: readonly string[],
  packs: readonly IndexedPackEntries[],
  options: PutOnceOptions,
): Promise<string> {
  const sealed = seal(keys, objectKinds.index, "", encodeIndex(replaces, packs));
  const hash = contentName(sealed);
  await putOnce(store, indexName(hash), sealed, hash, options);
  return hash;
}
