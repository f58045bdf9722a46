// Both tiers of the vault as whoever holds its recovery key sees them, without the service.

import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../src/lib/clock.ts";
import { dataFolder } from "../../../src/server/data-folder.ts";
import { openFsStore } from "../../../src/store/backends/fs.ts";
import { condemnedPacks, readCollectionRecords } from "../../../src/store/collect/records.ts";
import { objectKinds } from "../../../src/store/format/layout.ts";
import { seal } from "../../../src/store/format/sealed.ts";
import {
  collect,
  defaultLimits,
  describeVault,
  keyFromBytes,
  openVault,
  parseRecoveryKey,
  type Vault,
} from "../../../src/store/index.ts";
import type { World } from "./world.ts";

export interface Tier extends AsyncDisposable {
  readonly folder: string;
  readonly vault: Vault;
}

/** The snapshot tier comes first. */
export async function openTiers(world: World): Promise<Tier[]> {
  const { root } = dataFolder(world.data);
  const places = [join(root, "hot", "vaults"), join(root, "vaults")];
  return Promise.all(
    places.map(async (parent) => {
      const folder = join(parent, readdirSync(parent)[0] ?? "");
      const key = keyFromBytes(parseRecoveryKey(world.recoveryKey), "recovery");
      const vault = await openVault(await openFsStore(folder), key, { workers: 1, clock: systemClock });
      return { folder, vault, [Symbol.asyncDispose]: () => vault[Symbol.asyncDispose]() };
    }),
  );
}

/** Keys that the service has given them. */
export async function slotsOf({ vault }: Tier): Promise<readonly string[]> {
  return (await describeVault(vault.store)).slots.map(({ name }) => name).filter((name) => name !== "recovery");
}

/** What was deleted or condemned was so twenty days ago: the store goes by its own clock, which is real. */
export async function ageTiers(world: World): Promise<void> {
  const then = Date.now() - 20 * 86_400_000;
  for (const tier of await openTiers(world)) {
    await using opened = tier;
    const { vault, folder } = opened;
    for await (const { name } of vault.store.list("deleted/")) utimesSync(join(folder, name), then / 1000, then / 1000);
    const records = await readCollectionRecords(vault.store, vault.keys);
    const condemned = [...condemnedPacks(records).values()].map((pack) => ({ ...pack, at: then }));
    const newest = records.findLast(({ step }) => step === "condemned");
    if (newest === undefined) continue;
    const content = Buffer.from(JSON.stringify({ v: 1, condemned }));
    await vault.store.put(newest.name, seal(vault.keys, objectKinds.collection, newest.name, content));
  }
}

/** All that nobody needs goes now, and what dead writers have left. */
export async function collectAll({ vault }: Tier): Promise<void> {
  const limits = { ...defaultLimits, windowMilliseconds: -1, patienceMilliseconds: -1, abnormalFraction: 1 };
  for (let round = 0; round < 4; round += 1) await collect(vault, { limits });
}
