// `backupJobs`: what the backup service did and does.

import { parseFilter } from "../../../arm/filter.ts";
import type { Provider } from "../../../arm/provider.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { cancelJob } from "../../../backup/jobs/cancel-job.ts";
import { getJob, jobKey, listJobs, type JobFilter } from "../../../backup/jobs/read-jobs.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { readFilter } from "./jobs-filter.ts";
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
  return listPage(services, request, await vaultOf(services.database.kysely, request), {});
}

/** The vault's jobs that the request's filter and `fixed` both let through. */
export async function listPage(
  { database, paging }: RecoveryServices,
  request: ArmRequest,
  vault: Vault,
  fixed: JobFilter,
): Promise<ArmReply> {
  const filter = readFilter(parseFilter(request.query.get("$filter")));
  const page = paging.read(request);
  const jobs =
    filter === undefined
      ? []
      : await listJobs(
          database.kysely,
          vault,
          { ...filter, ...fixed },
          { limit: page.limit + 1, ...(page.after === undefined ? {} : { after: page.after }) },
        );
  const now = database.clock.now();
  return paging.reply(request, page, jobs, jobKey, (job) => renderJob(vault, job, now));
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
