// Asking a job to stop. Whoever works on it hears of it; a job that nobody has taken up yet ends at its
// first look.

import { scopeOf } from "../../db/transaction.ts";
import type { Doer } from "../vaults/policies.ts";
import type { Vault, Writer } from "../vaults/vaults.ts";
import { jobsChannel } from "./create-job.ts";
import { jobErrors } from "./errors.ts";
import { tellOfJob } from "./job-events.ts";
import type { Job } from "./job.ts";
import { getJob } from "./read-jobs.ts";

/** Throws BMSUserErrorJobNotCancellable in a state in which it cannot be. Twice is as good as once. */
export async function cancelJob(trx: Writer, vault: Pick<Vault, "key">, id: string, by: Doer): Promise<Job> {
  const job = await getJob(trx, vault, id);
  if (job.status === "Cancelling") return job;
  if (job.status !== "InProgress" || !job.isCancellable) {
    const why = job.status === "InProgress" ? "is past the phase in which it can be cancelled" : `is ${job.status}`;
    throw jobErrors.BMSUserErrorJobNotCancellable(`The job ${job.id} (${job.operation}) ${why}.`, { target: job.id });
  }
  await trx.updateTable("jobs").set({ status: "Cancelling" }).where("id", "=", job.id).execute();
  const cancelling: Job = { ...job, status: "Cancelling" };
  tellOfJob(trx, "job.changed", { ...cancelling, ...by });
  scopeOf(trx).tell(jobsChannel);
  return cancelling;
}
