// `backupJobs`: what the backup service did and does.

import { allowOnly, filterTime, parseFilter, requiredEquals, type Filter } from "../../../arm/filter.ts";
import type { Provider } from "../../../arm/provider.ts";
import { armErrors } from "../../../arm/errors.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { cancelJob } from "../../../backup/jobs/cancel-job.ts";
import { jobOperations, jobStatuses } from "../../../backup/jobs/job.ts";
import { getJob, jobKey, listJobs, type JobFilter } from "../../../backup/jobs/read-jobs.ts";
import { renderJob } from "./jobs-shape.ts";
import { operationRoutes } from "./operation-routes.ts";
import { endedReply } from "./operations.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, doerOf, namespace, vaultOf, vaultPath } from "../vaults/vault-paths.ts";

const path = `${vaultPath}/backupJobs`;
const one = `${path}/{job}`;

export function jobsPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "vaults/backupJobs", apiVersions }],
    routes: [
      { method: "GET", path, handle: (request) => list(services, request) },
      { method: "GET", path: one, handle: (request) => show(services, request) },
      { method: "POST", path: `${one}/cancel`, handle: (request) => cancel(services, request) },
      ...operationRoutes(services, one, { status: "operationsStatus", result: "operationResults" }),
    ],
  };
}

async function list(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { database, paging } = services;
  const vault = await vaultOf(database.kysely, request);
  const filter = readFilter(parseFilter(request.query.get("$filter")));
  const page = paging.read(request);
  const jobs =
    filter === undefined
      ? []
      : await listJobs(database.kysely, vault, filter, {
          limit: page.limit + 1,
          ...(page.after === undefined ? {} : { after: page.after }),
        });
  const now = database.clock.now();
  return paging.reply(request, page, jobs, jobKey, (job) => renderJob(vault, job, now));
}

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

async function show({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const vault = await vaultOf(database.kysely, request);
  const job = await getJob(database.kysely, vault, param(request, "job"));
  return ok(renderJob(vault, job, database.clock.now()));
}

async function cancel(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  return services.database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    const job = await cancelJob(trx, vault, param(request, "job"), doerOf(request));
    return endedReply(services, trx, request, `${vault.id}/backupJobs/${job.id}`, undefined);
  });
}
