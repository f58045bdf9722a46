// What QEMU counts of the guest's writes.

import { z } from "zod";
import type { GuestWrites } from "../host.ts";
import { checkAnswer } from "./block-devices.ts";
import type { QmpConnection, QmpOptions } from "./qmp.ts";

const count = z.number().nonnegative();
const statisticsSchema = z
  .array(
    z.object({
      stats: z.object({
        wr_operations: count,
        wr_total_time_ns: count,
        flush_operations: count,
        flush_total_time_ns: count,
      }),
    }),
  )
  .max(1000);

export async function readGuestWrites(qmp: QmpConnection, options: QmpOptions = {}): Promise<GuestWrites> {
  const answer = await qmp.command("query-blockstats", undefined, options);
  let operations = 0;
  let nanoseconds = 0;
  for (const { stats } of checkAnswer(statisticsSchema, answer, "query-blockstats")) {
    operations += stats.wr_operations + stats.flush_operations;
    nanoseconds += stats.wr_total_time_ns + stats.flush_total_time_ns;
  }
  return { operations, nanoseconds };
}
