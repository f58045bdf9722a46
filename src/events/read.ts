import { sql } from "kysely";
import type { Database } from "../db/database.ts";
import { eventFromRow, type StoredEvent } from "./event.ts";

export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** Where to go on: past the last event, also past those that the types left out. */
  readonly position: number;
}

/** The next events behind `after`, in order; `types` chooses, all when absent. */
export async function readEvents(
  database: Database,
  after: number,
  limit: number,
  types?: readonly string[],
): Promise<EventPage> {
  const page = database.kysely
    .selectFrom("events")
    .selectAll()
    .where("position", ">", after)
    .orderBy("position")
    .limit(limit);
  const rows = await page.execute();
  const wanted = types === undefined ? rows : rows.filter(({ type }) => types.includes(type));
  return { events: wanted.map(eventFromRow), position: rows.at(-1)?.position ?? after };
}

/** The position of the newest event, 0 before the first. */
export async function newestPosition(database: Database): Promise<number> {
  const { newest } = await database.kysely
    .selectFrom("events")
    .select(({ fn }) => fn.coalesce(fn.max("position"), sql<number>`0`).as("newest"))
    .executeTakeFirstOrThrow();
  return newest;
}
