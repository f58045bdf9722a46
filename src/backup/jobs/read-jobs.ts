// Jobs as lists and one by one. Lists go from the newest to the oldest.

import type { JobRow } from "../../db/schema/backup.ts";
import type { Reader, Vault } from "../vaults/vaults.ts";
import { jobErrors } from "./errors.ts";
import { jobFromRow, openStatuses, type Job } from "./job.ts";

export interface JobFilter {
  readonly status?: string;
  readonly operation?: string;
  /** Started at or after, at or before. */
  readonly from?: number;
  readonly to?: number;
}

type VaultKey = Pick<Vault, "key">;

export async function getJob(reader: Reader, vault: VaultKey, id: string): Promise<Job> {
  const row = await reader
    .selectFrom("jobs")
    .selectAll()
    .where("id", "=", id.toLowerCase())
    .where("vault_key", "=", vault.key)
    .executeTakeFirst();
  if (row !== undefined) return jobFromRow(row);
  throw jobErrors.BMSUserErrorJobNotFound(`The vault has no job '${id.slice(0, 100)}'.`, { target: id });
}

/** Those after the job with this key in the list's order. */
export async function listJobs(
  reader: Reader,
  vault: VaultKey,
  filter: JobFilter,
  page: { readonly after?: string; readonly limit: number },
): Promise<Job[]> {
  let select = reader.selectFrom("jobs").selectAll().where("vault_key", "=", vault.key);
  if (filter.status !== undefined) select = select.where("status", "=", filter.status);
  if (filter.operation !== undefined) select = select.where("operation", "=", filter.operation);
  if (filter.from !== undefined) select = select.where("started_at", ">=", filter.from);
  if (filter.to !== undefined) select = select.where("started_at", "<=", filter.to);
  if (page.after !== undefined) {
    const [startedAt = "", id = ""] = page.after.split("/");
    // The first condition lets the index begin where the page does.
    select = select
      .where("started_at", "<=", Number(startedAt))
      .where(({ eb, or, and }) =>
        or([
          eb("started_at", "<", Number(startedAt)),
          and([eb("started_at", "=", Number(startedAt)), eb("id", "<", id)]),
        ]),
      );
  }
  const rows = await select.orderBy("started_at", "desc").orderBy("id", "desc").limit(page.limit).execute();
  return rows.map(jobFromRow);
}

/** How many of each status began since then. */
export async function countJobs(reader: Reader, vault: VaultKey, since: number): Promise<ReadonlyMap<string, number>> {
  const rows = await reader
    .selectFrom("jobs")
    .select(({ fn }) => ["status", fn.countAll<number>().as("count")])
    .where("vault_key", "=", vault.key)
    .where("started_at", ">=", since)
    .groupBy("status")
    .execute();
  return new Map(rows.map(({ status, count }) => [status, Number(count)]));
}

/** Its place in the list. */
export function jobKey({ startedAt, id }: Pick<Job, "startedAt" | "id">): string {
  return `${startedAt}/${id}`;
}

/** The jobs of an item that have not ended. */
export async function openJobsOf(reader: Reader, itemKey: string): Promise<Job[]> {
  const rows: JobRow[] = await reader
    .selectFrom("jobs")
    .selectAll()
    .where("item_key", "=", itemKey)
    .where("status", "in", openStatuses)
    .execute();
  return rows.map(jobFromRow);
}
