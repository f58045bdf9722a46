import { sql } from "kysely";
import type { Database } from "../db/database.ts";

/** Small steps, so that no other write waits long. */
const stepSize = 2_000;

/**
 * Drops events that are older than `occurredBefore`, but none that a registered subscriber has yet to
 * see, and never the newest, which holds the place where numbering goes on. Returns how many.
 */
export async function purgeEvents(database: Database, occurredBefore: number, signal?: AbortSignal): Promise<number> {
  let purged = 0;
  for (;;) {
    signal?.throwIfAborted();
    const step = await purgeStep(database, occurredBefore);
    purged += step;
    if (step < stepSize) return purged;
  }
}

function purgeStep(database: Database, occurredBefore: number): Promise<number> {
  return database.transaction(async (trx) => {
    const { newest } = await trx
      .selectFrom("events")
      .select(({ fn }) => fn.coalesce(fn.max("position"), sql<number>`0`).as("newest"))
      .executeTakeFirstOrThrow();
    const { slowest } = await trx
      .selectFrom("event_subscribers")
      .select(({ fn }) => fn.coalesce(fn.min("position"), sql<number>`${newest}`).as("slowest"))
      .executeTakeFirstOrThrow();
    // From the oldest on up to the first that must stay: positions are kept without holes between.
    const oldest = await trx
      .selectFrom("events")
      .select(["position", "occurred_at"])
      .orderBy("position")
      .limit(stepSize)
      .execute();
    const stays = oldest.findIndex(
      (event) => event.occurred_at >= occurredBefore || event.position > slowest || event.position >= newest,
    );
    const doomed = stays === -1 ? oldest : oldest.slice(0, stays);
    const through = doomed.at(-1)?.position;
    if (through === undefined) return 0;
    await trx.deleteFrom("events").where("position", "<=", through).execute();
    await trx.updateTable("event_retention").set({ purged_through: through }).execute();
    return doomed.length;
  });
}
