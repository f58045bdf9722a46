// The stores of collections of restore points, tidied: what deleted points alone needed goes, and so
// does the store of a collection that is there no more.

import { listResources } from "../../../arm/resources/resource-store.ts";
import type { StoreName } from "../../../backup/stores/store-name.ts";
import { isErrorCode } from "../../../lib/errors.ts";
import { prefixes } from "../../../store/format/object-names.ts";
import { defaultLimits, collect, type Vault } from "../../../store/index.ts";
import { collectionType, type CollectionHidden } from "./rows.ts";
import type { DiskServices } from "../disk-services.ts";

/** Restore points have no undo: an hour bridges what a client may still be reading. */
const windowMilliseconds = 3_600_000;
const prefix = "collections/";

export async function maintainCollections(services: Pick<DiskServices, "database" | "stores">): Promise<void> {
  const { database, stores } = services;
  const names = await stores.list(prefix);
  // Read after the stores: a store is made only for a collection that is there.
  const collections = await listResources(database.kysely, { type: collectionType });
  const known = new Set(collections.map(({ hidden }) => prefix + (hidden as unknown as CollectionHidden).guid));
  for (const name of names) {
    try {
      if (known.has(name)) await tidy(services, name);
      else await stores.drop(name);
    } catch (error) {
      if (!isErrorCode(error, "BackupStoreInUse") && !isErrorCode(error, "CollectionBusy")) throw error;
    }
  }
}

async function tidy({ stores }: Pick<DiskServices, "stores">, name: StoreName): Promise<void> {
  await using opened = await stores.open(name);
  if (!(await hasWork(opened.vault))) return;
  // Whoever deletes restore points means it, however many.
  await collect(opened.vault, { limits: { ...defaultLimits, windowMilliseconds }, allowAbnormal: true });
}

/** Deleted points, or a collection that has begun. */
async function hasWork({ store }: Vault): Promise<boolean> {
  for (const folder of [prefixes.deleted, prefixes.collect]) {
    for await (const _object of store.list(folder)) return true;
  }
  return false;
}
