// `$filter` of lists of jobs, and the times that the filters of the backup service name.

import { armErrors } from "../../../arm/errors.ts";
import { allowOnly, filterTime, requiredEquals, type Filter } from "../../../arm/filter.ts";
import { jobOperations, jobStatuses } from "../../../backup/jobs/job.ts";
import type { JobFilter } from "../../../backup/jobs/read-jobs.ts";

/** Undefined when no job can match. */
export function readFilter(filter: Filter): JobFilter | undefined {
  allowOnly(filter, ["backupManagementType", "endTime", "operation", "startTime", "status", "jobId"]);
  const management = requiredEquals(filter, "backupManagementType");
  if (management !== undefined && String(management).toLowerCase() !== "azureiaasvm") return undefined;
  const status = requiredEquals(filter, "status");
  const operation = requiredEquals(filter, "operation");
  const from = requiredTime(filter, "startTime");
  const to = requiredTime(filter, "endTime");
  const canonical = (value: unknown, known: readonly string[]): string =>
    known.find((name) => name.toLowerCase() === String(value).toLowerCase()) ?? String(value);
  return {
    ...(status === undefined ? {} : { status: canonical(status, jobStatuses) }),
    ...(operation === undefined ? {} : { operation: canonical(operation, jobOperations) }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

export function requiredTime(filter: Filter, field: string): number | undefined {
  const value = requiredEquals(filter, field);
  if (value === undefined) return undefined;
  const time = filterTime(String(value));
  if (time !== undefined) return time;
  throw armErrors.InvalidFilterInQueryString(
    `The time '${String(value).slice(0, 100)}' of '${field}' is none. Write it as '2026-01-31 12:00:00 AM' or in ISO 8601.`,
    { target: "$filter" },
  );
}
