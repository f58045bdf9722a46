// Points that the stores hold and no row knows: a deletion that broke off between the two. What an open
// job has just made is left alone.

import type { Database } from "../../db/database.ts";
import { openStatuses } from "../jobs/job.ts";
import { detailsOf } from "../run/point-content.ts";
import { listPoints } from "../../store/index.ts";
import type { OpenVaults } from "../stores/stores.ts";
import type { Vault } from "../vaults/vaults.ts";
import { deleteStored } from "./retain-item.ts";

export async function sweepPoints(
  database: Database,
  opened: OpenVaults,
  vault: Pick<Vault, "key">,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const swept: string[] = [];
  for (const store of opened.hot === undefined ? [opened.vault] : [opened.hot, opened.vault]) {
    // The stores are read first: whatever is made meanwhile is not among these.
    const { points } = await listPoints(store, undefined, signal);
    const rows = await database.kysely
      .selectFrom("recovery_points")
      .select(["store_point", "is_in_snapshot_tier"])
      .where("vault_key", "=", vault.key)
      .execute();
    const isHot = store === opened.hot;
    const known = new Set(
      rows.filter((row) => !isHot || row.is_in_snapshot_tier === 1).map(({ store_point }) => store_point),
    );
    const open = await database.kysely
      .selectFrom("jobs")
      .select("id")
      .where("vault_key", "=", vault.key)
      .where("status", "in", openStatuses)
      .execute();
    const openJobs = new Set(open.map(({ id }) => id));
    for (const point of points) {
      const details = detailsOf(point);
      if (details === undefined || known.has(point.name) || openJobs.has(details.job)) continue;
      await deleteStored(store, point.name, signal);
      swept.push(point.name);
    }
  }
  return swept;
}
