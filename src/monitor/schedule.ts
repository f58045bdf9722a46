// What is done once in a while, wherever in the installation: by a mark in the control data, under a
// lease, so that it is done once and not once in each process.

import type { Database } from "../db/database.ts";
import { assertLeaseHeld, withLease } from "../db/leases.ts";
import { sleep } from "../lib/time.ts";

export interface PeriodicWork {
  /** Names its mark; never reuse one for something else. */
  readonly name: string;
  readonly everyMilliseconds: number;
  run(signal: AbortSignal): Promise<void>;
}

const leaseMilliseconds = 60_000;
const lookEveryMilliseconds = 5_000;

/** Works until `signal`. The first time is at once. */
export async function runPeriodically(
  { database, holder, report }: { database: Database; holder: string; report: (error: unknown) => void },
  work: PeriodicWork,
  signal: AbortSignal,
): Promise<void> {
  const terms = { name: `periodic/${work.name}`, milliseconds: leaseMilliseconds, holder };
  while (!signal.aborted) {
    try {
      if (await isDue(database, work)) {
        await withLease(
          database,
          terms,
          async (lease, held) => {
            if (!(await isDue(database, work))) return;
            const at = database.clock.now();
            await work.run(held);
            const mark = { name: work.name, at };
            await database.transaction(async (trx) => {
              await assertLeaseHeld(trx, lease);
              await trx
                .insertInto("monitor_marks")
                .values(mark)
                .onConflict((conflict) => conflict.column("name").doUpdateSet(mark))
                .execute();
            });
          },
          signal,
        );
      }
    } catch (error) {
      if (!signal.aborted) report(error);
    }
    await sleep(lookEveryMilliseconds, signal).catch(() => {});
  }
}

async function isDue(database: Database, { name, everyMilliseconds }: PeriodicWork): Promise<boolean> {
  const mark = await database.kysely
    .selectFrom("monitor_marks")
    .select("at")
    .where("name", "=", name)
    .executeTakeFirst();
  return mark === undefined || database.clock.now() >= mark.at + everyMilliseconds;
}
