// Packs that were found bad. The record makes writers store those blobs again and readers prefer
// other copies; it goes when the pack is good again or gone.

import type { ObjectStore } from "../backends/object-store.ts";
import { objectKinds } from "../format/layout.ts";
import { hashOfName, prefixes, quarantineName } from "../format/object-names.ts";
import { seal } from "../format/sealed.ts";
import type { VaultKeys } from "../keys/vault-keys.ts";

export async function quarantinePack(
  vault: { readonly store: ObjectStore; readonly keys: VaultKeys },
  hash: string,
  reason: string,
  signal?: AbortSignal,
): Promise<void> {
  const name = quarantineName(hash);
  const content = Buffer.from(JSON.stringify({ v: 1, reason }));
  await vault.store.put(name, seal(vault.keys, objectKinds.quarantine, name, content), { signal });
}

export async function quarantinedPacks(store: ObjectStore, signal?: AbortSignal): Promise<string[]> {
  const hashes: string[] = [];
  for await (const { name } of store.list(prefixes.quarantine, signal)) {
    const hash = hashOfName(name);
    if (hash !== undefined) hashes.push(hash);
  }
  return hashes;
}

export async function releasePack(store: ObjectStore, hash: string, signal?: AbortSignal): Promise<void> {
  await store.delete(quarantineName(hash), signal);
}
