// Windows of a store (how long what was deleted can be had back, how long an unused pack stays) go by the
// store's own clock, which no test can move. So what lies in it is made older.

import { utimesSync, statSync } from "node:fs";
import { join } from "node:path";
import { condemnedPacks, readCollectionRecords } from "../../src/store/collect/records.ts";
import { objectKinds } from "../../src/store/format/layout.ts";
import { seal } from "../../src/store/format/sealed.ts";
import type { Vault } from "../../src/store/index.ts";

/** `folder`: where the store is. */
export async function ageStore(vault: Vault, folder: string, milliseconds: number): Promise<void> {
  for await (const { name } of vault.store.list("deleted/")) {
    const then = (statSync(join(folder, name)).mtimeMs - milliseconds) / 1000;
    utimesSync(join(folder, name), then, then);
  }
  const records = await readCollectionRecords(vault.store, vault.keys);
  const newest = records.findLast(({ step }) => step === "condemned");
  if (newest === undefined) return;
  const condemned = [...condemnedPacks(records).values()].map((pack) => ({ ...pack, at: pack.at - milliseconds }));
  const content = Buffer.from(JSON.stringify({ v: 1, condemned }));
  await vault.store.put(newest.name, seal(vault.keys, objectKinds.collection, newest.name, content));
}
