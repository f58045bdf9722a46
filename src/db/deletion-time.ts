// By which time things go that were kept for some days. A clock that leaps ahead makes everything old at
// once: a flat battery, a wrong time server, and all recovery points but the newest are gone. So a leap of
// more than a day is not believed before the service has run for a day with it, long enough for somebody,
// or the time server, to set it right. What is stamped and scheduled goes by the clock as it is.

import type { Kysely, Transaction } from "kysely";
import { isoTime, monotonicMilliseconds, type Clock } from "../lib/clock.ts";
import { defineErrors } from "../lib/errors.ts";
import type { Database } from "./database.ts";
import type { Tables } from "./schema.ts";

const hour = 3_600_000;
/** More than lies between two days' work of a machine that is off at night. */
const leap = 25 * hour;
const patience = 24 * hour;
const id = "clock";

const errors = defineErrors({ ClockLeapt: { status: 500, remedy: "Set the machine's clock right if it is wrong." } });

export async function deletionTime(reader: Kysely<Tables> | Transaction<Tables>, clock: Clock): Promise<number> {
  const now = clock.now();
  const row = await reader.selectFrom("deletion_time").select("trusted_at").where("id", "=", id).executeTakeFirst();
  return row === undefined || now - row.trusted_at <= leap ? now : row.trusted_at;
}

/** One look at the clock; to be repeated every few minutes. Only the time between two looks of one process counts. */
export function clockWatch(
  database: Database,
  report: (error: unknown) => void,
  monotonic: () => number = monotonicMilliseconds,
): () => Promise<void> {
  let last: { readonly at: number; readonly watchedFor: number } | undefined;
  let isTold = false;
  return async () => {
    const at = monotonic();
    const watchedFor = await database.transaction(async (trx) => {
      const now = database.clock.now();
      const row = await trx.selectFrom("deletion_time").selectAll().where("id", "=", id).executeTakeFirst();
      const keep = async (trusted_at: number, watched_for: number): Promise<number> => {
        await trx
          .insertInto("deletion_time")
          .values({ id, trusted_at, watched_for })
          .onConflict((conflict) => conflict.column("id").doUpdateSet({ trusted_at, watched_for }))
          .execute();
        return watched_for;
      };
      if (row === undefined || now - row.trusted_at <= leap) {
        isTold = false;
        return keep(now, 0);
      }
      if (!isTold) report(leapt(row.trusted_at, now));
      isTold = true;
      const passed = last?.watchedFor === row.watched_for ? Math.round(at - last.at) : 0;
      const watched = row.watched_for + passed;
      return watched >= patience ? keep(now, 0) : keep(row.trusted_at + passed, watched);
    });
    last = { at, watchedFor };
  };
}

function leapt(from: number, to: number): Error {
  return errors.ClockLeapt(
    `The clock says ${isoTime(to)}, ${Math.round((to - from) / hour)} hours after it was looked at last. Until it has said so for a day of service, recovery points, deleted items and deleted keys are kept as if it were ${isoTime(from)}.`,
  );
}
