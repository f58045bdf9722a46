// Points that the stores hold and no row knows: a deletion that broke off between the two, or a job that
// ended between its point and its row. What an open job has just made is left alone, and so is whatever no
// job of this vault has made: an attach may still be bringing it back, or have failed to.

import type { Database } from "../../db/database.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { isDamage } from "../../store/damage.ts";
import { readPoint, type PointName, type Vault as Store } from "../../store/index.ts";
import { listPointNames } from "../../store/points/points.ts";
import { openStatuses, type JobStatus } from "../jobs/job.ts";
import { detailsOf } from "../run/point-content.ts";
import type { OpenVaults } from "../stores/stores.ts";
import type { Vault } from "../vaults/vaults.ts";
import { deleteStored } from "./delete-stored.ts";

type VaultKey = Pick<Vault, "key">;

export async function sweepPoints(
  database: Database,
  opened: OpenVaults,
  vault: VaultKey,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const swept: string[] = [];
  for (const store of opened.hot === undefined ? [opened.vault] : [opened.hot, opened.vault]) {
    const isHot = store === opened.hot;
    // The store is read first: whatever is made meanwhile is not among these.
    const names = await listPointNames(store, "points", undefined, signal);
    const known = await knownPoints(database, vault, isHot);
    const orphans: PointName[] = [];
    for (const name of names) {
      if (!known.has(name) && (await isOfEndedJob(database, vault, store, name, signal))) orphans.push(name);
    }
    if (orphans.length === 0) continue;
    // Once more, after their jobs were seen to have ended: a row that such a job has written is there by now.
    const knownNow = await knownPoints(database, vault, isHot);
    for (const name of orphans) {
      if (!knownNow.has(name) && (await deleteStored(store, name, signal))) swept.push(name);
    }
  }
  return swept;
}

async function knownPoints(database: Database, vault: VaultKey, isHot: boolean): Promise<ReadonlySet<string>> {
  const rows = await database.kysely
    .selectFrom("recovery_points")
    .select(["store_point", "is_in_snapshot_tier"])
    .where("vault_key", "=", vault.key)
    .execute();
  return new Set(rows.filter((row) => !isHot || row.is_in_snapshot_tier === 1).map(({ store_point }) => store_point));
}

async function isOfEndedJob(
  database: Database,
  vault: VaultKey,
  store: Store,
  name: PointName,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const details = await detailsIn(store, name, signal);
  if (details === undefined) return false;
  const job = await database.kysely
    .selectFrom("jobs")
    .select("status")
    .where("id", "=", details.job)
    .where("vault_key", "=", vault.key)
    .executeTakeFirst();
  return job !== undefined && !openStatuses.some((open) => open === (job.status as JobStatus));
}

async function detailsIn(store: Store, name: PointName, signal: AbortSignal | undefined) {
  try {
    return detailsOf(await readPoint(store, name, "points", signal));
  } catch (error) {
    // It went meanwhile, or nobody can say whose it is.
    if (isErrorCode(error, "PointMissing") || isDamage(error)) return undefined;
    throw error;
  }
}
