// Following live, without a name: a portal page that is open, a command that prints what happens. The
// caller keeps the position; nothing is stored, and retention does not wait for it.

import type { Database } from "../db/database.ts";
import { openDoorbell } from "../db/doorbell.ts";
import { eventErrors } from "./errors.ts";
import { eventsChannel } from "./event.ts";
import { newestPosition, readEvents, type EventPage } from "./read.ts";

export interface TailOptions {
  /** The position of the last event seen, or "now". */
  readonly after: number | "now";
  readonly types?: readonly string[];
}

const pageSize = 100;
const lookAgainMilliseconds = 1_000;

/**
 * Pages of events as they come, until `signal`. The next page is read when the caller asks for it, so
 * a slow one costs no memory. Throws EventsGone when what follows `after` has been purged.
 */
export async function* tailEvents(
  database: Database,
  { after, types }: TailOptions,
  signal: AbortSignal,
): AsyncGenerator<EventPage, void, undefined> {
  using doorbell = openDoorbell(database.notices, eventsChannel);
  let position = after === "now" ? await newestPosition(database) : after;
  while (!signal.aborted) {
    const page = await readEvents(database, position, pageSize, types);
    // Looked at after the read: what was purged in between must not look like "nothing happened".
    await refusePurged(database, position);
    if (page.position === position) {
      await doorbell.wait(lookAgainMilliseconds, signal);
      continue;
    }
    position = page.position;
    if (page.events.length > 0) yield page;
  }
}

async function refusePurged(database: Database, position: number): Promise<void> {
  const { purged_through: purgedThrough } = await database.kysely
    .selectFrom("event_retention")
    .select("purged_through")
    .executeTakeFirstOrThrow();
  if (position < purgedThrough) {
    throw eventErrors.EventsGone(`Events up to ${purgedThrough} are gone; ${position} is before them.`);
  }
}
