// Which packs and index objects are in the store, and which packs no new point may rely on.

import type { ObjectStore } from "../backends/object-store.ts";
import { condemnedPacks, doomedPacks, readCollectionRecords } from "../collect/records.ts";
import { hashOfName, prefixes } from "../format/object-names.ts";
import type { VaultKeys } from "../keys/vault-keys.ts";
import type { PackRegistry } from "./pack-registry.ts";

export interface StoreListing {
  /** Numbers of the registry. */
  readonly present: readonly number[];
  /** Hashes of packs that are doomed or quarantined, be they there or not. */
  readonly suspect: ReadonlySet<string>;
  readonly condemned: Iterable<string>;
  /** Sizes by hash. */
  readonly indexes: ReadonlyMap<string, number>;
}

/** Packs get their numbers from the registry. */
export async function listStore(
  store: ObjectStore,
  keys: VaultKeys,
  registry: PackRegistry,
  signal?: AbortSignal,
): Promise<StoreListing> {
  // Doomed packs are listed before packs: a pack that is deleted meanwhile is then seen as doomed.
  const records = await readCollectionRecords(store, keys, signal);
  const suspect = doomedPacks(records);
  await eachHash(store, prefixes.quarantine, (hash) => suspect.add(hash), signal);
  const present: number[] = [];
  await eachHash(store, prefixes.packs, (hash, size) => present.push(registry.note(hash, size)), signal);
  const indexes = new Map<string, number>();
  await eachHash(store, prefixes.index, (hash, size) => indexes.set(hash, size), signal);
  return { present, suspect, condemned: condemnedPacks(records).keys(), indexes };
}

async function eachHash(
  store: ObjectStore,
  prefix: string,
  visit: (hash: string, size: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  for await (const { name, size } of store.list(prefix, signal)) {
    const hash = hashOfName(name);
    if (hash !== undefined) visit(hash, size);
  }
}
