// The service as a whole: opens the data folder, puts the parts together, listens, and ends in order.

import type { Hono } from "hono";
import { hostname } from "node:os";
import { createDispatcher } from "../arm/dispatch.ts";
import { createLocations } from "../arm/locations.ts";
import { createOperationRunner } from "../arm/operations/runner.ts";
import { createPaging } from "../arm/paging.ts";
import type { Caller } from "../arm/request.ts";
import type { CompiledRoute } from "../arm/routes.ts";
import { createThrottle } from "../arm/throttle.ts";
import { removeOldActivity } from "../arm/activity/activity.ts";
import { recordOperationEnd } from "../arm/activity/operation-end.ts";
import { customerKeys } from "../backup/keys/customer-key.ts";
import { captureDiskKeys } from "../backup/keys/capture-disk-keys.ts";
import type { VaultCaller } from "../keys/access.ts";
import { ownIdentityOf } from "../providers/recoveryservices/vaults/own-identity.ts";
import { openBackupService } from "../backup/service.ts";
import { platformKeyOf } from "../backup/stores/store-key.ts";
import { openStores } from "../backup/stores/stores.ts";
import { openBlobs, type Blobs } from "../blobs/blobs.ts";
import { writeByUrl } from "../blobs/write-by-url.ts";
import { holdDataFolder } from "../db/data-folder.ts";
import { openDatabase, type Database } from "../db/database.ts";
import { endLeasesOf } from "../db/leases.ts";
import { purgeMessages } from "../db/outbox.ts";
import { purgeEvents } from "../events/retention.ts";
import { reportingVmSnapshot } from "../extension/report.ts";
import { openDisks } from "../disks/disks.ts";
import { listTenants } from "../identity/directory/tenants.ts";
import { openIdentity, type Identity } from "../identity/identity.ts";
import { challengeOf } from "../identity/tokens/verifier.ts";
import { openKeyVaults, type KeyVaults } from "../keys/key-vaults.ts";
import { openInventory } from "../inventory/inventory.ts";
import { offsetFileClock, systemClock } from "../lib/clock.ts";
import { HoldfastError } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";
import { secretBox } from "../lib/secret-box.ts";
import { openLogs, type Logs } from "../logs/logs.ts";
import { maintainCollections } from "../providers/compute/restore-points/collection-stores.ts";
import { retentionOf } from "../providers/operationalinsights/tables.ts";
import { describeVault } from "../providers/recoveryservices/vaults/vault-document.ts";
import { describeMachine } from "../providers/recoveryservices/restore/machine-description.ts";
import { createInProcessClient } from "../providers/resources/deployments/in-process-client.ts";
import { registerJobsExport } from "../providers/recoveryservices/jobs/export/jobs-export.ts";
import { registerRestoreJobs } from "../providers/recoveryservices/restore/restore-job.ts";
import { createApp } from "./app.ts";
import { mountBlobs } from "./blob-endpoint.ts";
import { ensureCertificate, givenCertificate } from "./certificates.ts";
import {
  dataFolder,
  ensureNodeId,
  ensurePlatformKey,
  removeRun,
  writeAdmin,
  writeRun,
  type RunningService,
} from "./data-folder.ts";
import { listen } from "./listener.ts";
import { createLog, type Log } from "./log.ts";
import { mountLogs } from "./logs-endpoint.ts";
import { mountDownloads } from "./download-endpoint.ts";
import { createMetrics } from "./metrics.ts";
import { runMonitoring } from "./monitoring.ts";
import { assembleProviders, type ProviderServices } from "./providers.ts";
import { openRestores } from "./restores.ts";
import { listenAddress, type Settings } from "./settings.ts";
import { mountVaults, vaultCaller, vaultUrls } from "./vault-endpoint.ts";

export interface Service {
  readonly running: RunningService;
  readonly log: Log;
  /** Every route that is served. */
  readonly routes: readonly CompiledRoute[];
  /** Resolves when everything has ended; work under way is handed back. */
  stop(): Promise<void>;
}

/** Each job reads disks and compresses what it reads: more of them at once make none of them sooner. */
const backupLimits = { server: 4, vault: 4, host: 4 };
const drainMilliseconds = 5000;
const maintenanceMilliseconds = 3_600_000;
/** How long the stream keeps what every subscriber has seen: for live views and late questions. */
const eventDays = 30;
/** How long a message that was delivered, or given up, stays to be looked at and sent again. */
const messageDays = 30;

export async function startService(settings: Settings): Promise<Service> {
  const clock = settings.testClock === undefined ? systemClock : offsetFileClock(settings.testClock);
  const log = createLog(settings.logLevel);
  const folder = dataFolder(settings.data);
  await using ends = new AsyncDisposableStack();

  // What is opened here is closed in the opposite order, also when a later step fails.
  ends.use(await holdDataFolder(settings.data, systemClock));
  const database = ends.use(
    await openDatabase({
      file: folder.database,
      url: settings.databaseUrl,
      clock,
      report: (error) => log.warn({ err: error }, "a database connection broke"),
    }),
  );
  const isNew = (await listTenants(database.kysely)).length === 0;
  const platformKey = await ensurePlatformKey(settings.data, isNew);
  // This process holds the folder, so its predecessor is dead: what that one worked on is free at once.
  const node = await ensureNodeId(settings.data);
  await endLeasesOf(database, node);

  const certificate =
    settings.tls === undefined
      ? await ensureCertificate(folder.tls, settings.hostNames)
      : await givenCertificate(settings.tls.certificate, settings.tls.key);
  let origins: readonly string[] = [];
  const identity = openIdentity({
    database,
    secretBox: secretBox(platformKey),
    origins: () => origins,
    portalRedirectUris: () => origins.map((origin) => `${origin}/`),
    addressOf: (context) =>
      (context.env as { incoming: { socket: { remoteAddress?: string } } }).incoming.socket.remoteAddress ?? "",
    onSignIn: (signIn) => log.info({ signIn }, "sign-in"),
  });
  const { tenantId, subscriptionIds } = await identity.ensureBootstrap(
    {
      tenantName: "Holdfast",
      domain: "holdfast.local",
      tenantId: settings.tenantId,
      subscriptions: settings.subscriptions.length > 0 ? settings.subscriptions : [{ name: "Holdfast" }],
    },
    (secrets) => writeAdmin(settings.data, secrets),
  );
  await identity.openSigningKey();
  const subscriptionId = subscriptionIds[0] ?? "";

  const operations = ends.use(
    createOperationRunner({
      database,
      holder: node,
      atOnce: settings.limits.operationsAtOnce,
      onEnd: (trx, operation, outcome) => recordOperationEnd(trx, clock, operation, outcome),
      report: (error, operation) =>
        log.error(
          { err: error, operation: operation?.id, kind: operation?.kind },
          "a long operation failed inside the service",
        ),
    }),
  );
  const vaultUrl = await vaultUrls(() => origins[0] ?? "https://localhost");
  const keyVaults = openKeyVaults({ database, secretBox: secretBox(platformKey), vaultUrl });
  const vaultCallerOf = (principalId: string): Promise<VaultCaller> => vaultCaller(identity, database, principalId);
  const blobs = ends.use(
    await openBlobs({
      database,
      secretBox: secretBox(platformKey),
      folder: folder.blobs,
      origin: () => origins[0] ?? "",
      report: (error) => log.error({ err: error }, "blobs"),
    }),
  );
  const stores = ends.use(
    openStores({
      folder: folder.root,
      database,
      secretBox: secretBox(platformKey),
      places: settings.places,
      keyOf: platformKeyOf(
        platformKey,
        customerKeys(() => keyVaults, vaultCallerOf),
      ),
    }),
  );
  const disks = ends.use(
    await openDisks({
      folder: folder.root,
      database,
      blobs,
      stores,
      report: (error) => log.error({ err: error }, "disks"),
    }),
  );
  const logs = ends.use(
    openLogs({
      folder: folder.logs,
      disk,
      testClock: settings.testClock,
      memoryLimitMiB: settings.limits.logsMemoryMiB,
      report: (error) => log.error({ err: error }, "logs"),
    }),
  );
  const inventory = ends.use(
    openInventory({ database, holder: node, report: (error) => log.error({ err: error }, "inventory") }),
  );
  const backup = ends.use(
    openBackupService({
      database,
      inventory,
      stores,
      holder: node,
      limits: backupLimits,
      consistencyAgent: reportingVmSnapshot(database, secretBox(platformKey), (...blob) => writeByUrl(blobs, ...blob)),
      describeMachine: (machine) => describeMachine(database, machine),
      describeVault: (vault) => describeVault(database, vault),
      captureDiskKeys: async (vault, shape) =>
        captureDiskKeys(keyVaults, async () => vaultCallerOf(await ownIdentityOf(database, vault)), shape),
      watchesClock: settings.testClock === undefined,
      report: (error) => log.error({ err: error }, "backup"),
    }),
  );
  const restores = ends.use(
    await openRestores({
      settings,
      database,
      stores,
      certificate,
      report: (error) => log.error({ err: error }, "file recovery"),
    }),
  );
  const inProcess = createInProcessClient();
  const services: ProviderServices = {
    ...restores,
    blobs,
    stores,
    vaultUses: [backup.vaultUse],
    disks,
    keyVaults,
    vaultCallerOf,
    logs,
    inventory,
    inProcess,
    secretBox: secretBox(platformKey),
    database,
    paging: createPaging(platformKey),
    locations: createLocations(settings.siteName),
    access: identity.access,
    operations,
    tenantId,
  };
  registerRestoreJobs(services, backup.jobs.register);
  await registerJobsExport(services);
  const directory = assembleProviders(services);
  const dispatcher = createDispatcher({
    database,
    directory,
    throttle: createThrottle(
      { perSecond: settings.limits.requestsPerSecond, burst: settings.limits.burst },
      systemClock,
    ),
    authenticate: inProcess.authenticate((authorization, tenant) =>
      authenticate(identity, origins[0] ?? "", tenantId, authorization, tenant),
    ),
    authorize: (caller, action, scope) =>
      identity.access.check({ principal: { objectId: caller.principalId, name: caller.name }, action, scope }),
    report: (error, requestId, correlationId) =>
      log.error({ err: error, requestId, correlationId }, "a request failed inside the service"),
  });
  inProcess.connect(dispatcher);
  await operations.start();
  inventory.start();
  await backup.start();

  const ending = new AbortController();
  const app = createApp({
    dispatcher,
    mounted: [identity.identityRoutes, identity.graphRoutes, mountLogs(logs, identity, database, tenantId, log)],
    dataPlanes: [
      mountBlobs(blobs, identity, () => origins, tenantId, log),
      mountVaults(keyVaults, identity, database, () => origins, log),
      mountDownloads(restores.downloads, restores.fileSessions, log),
    ],
    metrics: createMetrics(),
    log,
    bodyBytes: settings.limits.bodyBytes,
    requestsAtOnce: settings.limits.requestsAtOnce,
    isReady: async () => !ending.signal.aborted && (await answers(database)),
    ending: ending.signal,
  });
  const { host, port } = listenAddress(settings);
  const listener = await listen(
    { fetch: app.fetch as Hono["fetch"] },
    { host, port, certificate: certificate.certificate, key: certificate.key },
  );
  ends.defer(() => listener.drain(drainMilliseconds));
  origins = originsOf(listener.port, settings.hostNames);

  const monitoring = runMonitoring(
    { database, access: identity.access, logs, blobs, holder: node, log },
    ending.signal,
  );
  ends.defer(() => {
    ending.abort(new Error("the service is ending"));
    return monitoring;
  });

  const maintenance = setInterval(
    () => void maintain(identity, blobs, services, keyVaults, logs, database, log),
    maintenanceMilliseconds,
  );
  maintenance.unref();
  ends.defer(() => clearInterval(maintenance));

  const running: RunningService = {
    pid: process.pid,
    endpoint: origins[0] ?? "",
    ca: certificate.authorityFile,
    tenantId,
    subscriptionId,
  };
  await writeRun(settings.data, running);
  ends.defer(() => removeRun(settings.data));
  ends.defer(() => ending.abort(new Error("the service is ending")));
  const owned = ends.move();
  return { running, log, routes: dispatcher.table.routes, stop: () => owned.disposeAsync() };
}

/** The names under which clients reach the service; the first is the one that we print. */
function originsOf(port: number, hostNames: readonly string[]): readonly string[] {
  const suffix = port === 443 ? "" : `:${port}`;
  return ["localhost", "127.0.0.1", "[::1]", hostname(), ...hostNames].map((name) => `https://${name}${suffix}`);
}

async function authenticate(
  identity: Identity,
  origin: string,
  ownTenant: string,
  authorization: string | undefined,
  tenantId: string | undefined,
): Promise<Caller> {
  try {
    const token = await identity.tokens.verifyHeader(authorization, { audiences: identity.audiences(), tenantId });
    return {
      principalId: token.objectId,
      principalType: token.type,
      name: token.name,
      applicationId: token.appId,
      tenantId: token.tenantId,
      claims: token.claims,
    };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError(error.code, { status: error.status }, error.message, {
      cause: error,
      facts: { wwwAuthenticate: challengeOf(error, origin, tenantId ?? ownTenant) },
    });
  }
}

async function answers(database: Database): Promise<boolean> {
  try {
    await database.kysely.selectFrom("registrations").select("state").limit(1).execute();
    return true;
  } catch {
    return false;
  }
}

async function maintain(
  identity: Identity,
  blobs: Blobs,
  services: Pick<ProviderServices, "database" | "disks" | "stores">,
  keyVaults: KeyVaults,
  logs: Logs,
  database: Database,
  log: Log,
): Promise<void> {
  try {
    await identity.maintain();
    await blobs.maintain();
    await services.disks.maintain();
    await maintainCollections(services);
    await keyVaults.maintain();
    await logs.maintain(await retentionOf(database.kysely, database.clock.now()));
    await database.transaction((trx) => removeOldActivity(trx, database.clock));
    await purgeEvents(database, database.clock.now() - eventDays * 86_400_000);
    await purgeMessages(database, database.clock.now() - messageDays * 86_400_000);
  } catch (error) {
    log.error({ err: error }, "maintenance failed; it runs again in an hour");
  }
}
