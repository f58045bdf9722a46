// `backupJobsExport`: the jobs of a vault as one file, JSON and a workbook, that whoever asked may fetch by
// URL for a day. The signature is made when the result is read: it is kept nowhere.

import * as z from "zod";
import { startOperation, type Operation } from "../../../../arm/operations/operation.ts";
import { resultReply, retryAfterSeconds } from "../../../../arm/operations/replies.ts";
import type { OperationHandler } from "../../../../arm/operations/runner.ts";
import { parseFilter } from "../../../../arm/filter.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../../../arm/request.ts";
import { idKey } from "../../../../arm/resource-id.ts";
import type { Provider } from "../../../../arm/provider.ts";
import { jobKey, listJobs, type JobFilter } from "../../../../backup/jobs/read-jobs.ts";
import type { Job } from "../../../../backup/jobs/job.ts";
import type { Vault } from "../../../../backup/vaults/vaults.ts";
import { ensureOwnAccount } from "../../../../blobs/own-account.ts";
import { deleteContainer, listContainers } from "../../../../blobs/rows/container.ts";
import type { RestoreServices } from "../../restore/restore-services.ts";
import { namespace, vaultIdOf, vaultOf, vaultPath } from "../../vaults/vault-paths.ts";
import { vaultOperation } from "../operation-routes.ts";
import { readFilter } from "../jobs-filter.ts";
import { renderJob } from "../jobs-shape.ts";
import { jobsWorkbook } from "./jobs-workbook.ts";

const kind = "backup.exportJobs";
const account = "jobexports";
const jsonBlob = "jobs.json";
const workbookBlob = "jobs.xlsx";
const dayMilliseconds = 86_400_000;
const jobsAtOnce = 500;

const inputSchema = z.object({ filter: z.string().optional() });

/** Before operations are taken up. */
export async function registerJobsExport(services: RestoreServices): Promise<void> {
  await ensureOwnAccount(services.database, services.blobs, account);
  services.operations.register(kind, (work) => write(services, work));
}

export function jobsExportPart(services: RestoreServices): Provider {
  return {
    namespace,
    resourceTypes: [],
    routes: [
      { method: "POST", path: `${vaultPath}/backupJobsExport`, handle: (request) => begin(services, request) },
      {
        method: "GET",
        path: `${vaultPath}/backupJobs/operationResults/{operation}`,
        handle: (request) => result(services, request),
      },
    ],
  };
}

async function begin({ database, operations }: RestoreServices, request: ArmRequest): Promise<ArmReply> {
  const vault = await vaultOf(database.kysely, request);
  const filter = request.query.get("$filter");
  // A filter that cannot be read is refused now.
  readFilter(parseFilter(filter));
  const id = await database.transaction((trx) =>
    startOperation(trx, database.clock, {
      kind,
      subscriptionId: param(request, "subscriptionId"),
      resourceId: vault.id,
      input: filter === undefined ? {} : { filter },
      caller: request.caller,
      correlationId: request.correlationId,
    }),
  );
  operations.wake();
  const base = `${request.origin}${vaultIdOf(request)}`;
  const version = `?api-version=${encodeURIComponent(request.apiVersion)}`;
  return {
    status: 202,
    headers: {
      "Azure-AsyncOperation": `${base}/backupOperations/${id}${version}`,
      Location: `${base}/backupJobs/operationResults/${id}${version}`,
      "Retry-After": retryAfterSeconds,
    },
  };
}

async function write(
  services: RestoreServices,
  { operation, signal }: Parameters<OperationHandler>[0],
): Promise<undefined> {
  const { database, blobs } = services;
  await forgetOld(services);
  const filter = readFilter(parseFilter(inputSchema.parse(operation.input).filter));
  const place = { account, container: operation.id };
  await blobs.ensureContainer(place);
  const vault = { id: operation.resourceId, key: idKey(operation.resourceId) };
  const jobs = (): AsyncIterable<Job> => jobsOf(services, vault, filter);
  const now = database.clock.now();
  const json = jsonArray(jobs(), (job) => renderJob(vault, job, now));
  await blobs.write({ ...place, name: jsonBlob }, "application/json", json, signal);
  await blobs.write({ ...place, name: workbookBlob }, workbookType, jobsWorkbook(jobs(), now), signal);
  return undefined;
}

/** None when no job can match the filter. */
async function* jobsOf(
  { database }: RestoreServices,
  vault: Pick<Vault, "key">,
  filter: JobFilter | undefined,
): AsyncGenerator<Job> {
  if (filter === undefined) return;
  let page: { after?: string; limit: number } = { limit: jobsAtOnce };
  for (;;) {
    const some = await listJobs(database.kysely, vault, filter, page);
    yield* some;
    const last = some.at(-1);
    if (some.length < jobsAtOnce || last === undefined) return;
    page = { ...page, after: jobKey(last) };
  }
}

const workbookType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

async function* jsonArray(jobs: AsyncIterable<Job>, render: (job: Job) => object): AsyncGenerator<Uint8Array> {
  let separator = "[";
  for await (const job of jobs) {
    yield Buffer.from(`${separator}${JSON.stringify(render(job))}`);
    separator = ",\n";
  }
  yield Buffer.from(separator === "[" ? "[]" : "]");
}

/** What was exported more than a day ago is opened by no URL any more. */
async function forgetOld({ database, blobs }: Pick<RestoreServices, "database" | "blobs">): Promise<void> {
  const before = database.clock.now() - dayMilliseconds;
  await database.transaction(async (trx) => {
    const containers = await listContainers(trx, account, { prefix: "", limit: 1000 });
    for (const container of containers.filter(({ createdAt }) => createdAt < before))
      await deleteContainer(trx, blobs.store.files, container);
  });
}

async function result(services: RestoreServices, request: ArmRequest): Promise<ArmReply> {
  const operation = await vaultOperation(services, request);
  if (operation.status !== "Succeeded" || operation.kind !== kind) return resultReply(request, operation);
  return ok({
    statusCode: "OK",
    headers: {},
    operation: { objectType: "ExportJobsOperationResultInfo", ...(await links(services, operation)) },
  });
}

/** Each blob and the key that opens it for reading. */
async function links({ blobs, database }: RestoreServices, { id, endedAt }: Operation): Promise<object> {
  const expiresAt = (endedAt ?? database.clock.now()) + dayMilliseconds;
  const [json, workbook] = await Promise.all(
    [jsonBlob, workbookBlob].map(async (name) => {
      const url = await blobs.sasUrl({ account, container: id, name }, { permissions: "r", expiresAt });
      const [blob = "", key = ""] = url.split("?");
      return { blob, key };
    }),
  );
  return {
    blobUrl: json?.blob,
    blobSasKey: json?.key,
    excelFileBlobUrl: workbook?.blob,
    excelFileBlobSasKey: workbook?.key,
  };
}
