// Both tiers of the vault as whoever holds its recovery key sees them, without the service.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../src/lib/clock.ts";
import { dataFolder } from "../../../src/server/data-folder.ts";
import { openFsStore } from "../../../src/store/backends/fs.ts";
import {
  collect,
  defaultLimits,
  describeVault,
  keyFromBytes,
  openVault,
  parseRecoveryKey,
  type Vault,
} from "../../../src/store/index.ts";
import { ageStore } from "../age-store.ts";
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

/** Twenty days pass for what was deleted or condemned. */
export async function ageTiers(world: World): Promise<void> {
  for (const tier of await openTiers(world)) {
    await using opened = tier;
    await ageStore(opened.vault, opened.folder, 20 * 86_400_000);
  }
}

/** All that nobody needs goes now, and what dead writers have left. */
export async function collectAll({ vault }: Tier): Promise<void> {
  const limits = { ...defaultLimits, windowMilliseconds: -1, patienceMilliseconds: -1, abnormalFraction: 1 };
  for (let round = 0; round < 4; round += 1) await collect(vault, { limits });
}
