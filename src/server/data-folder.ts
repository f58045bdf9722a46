// What stands in the data folder, and where. One page, because commands look for it from outside.
//
//   control.sqlite   the control data (unless --database-url)
//   keys/platform.key  32 bytes that seal secrets at rest; without it the service cannot start again
//   node-id          the name under which this folder's process holds leases
//   tls/             the local authority and the leaf
//   admin.json       the administrator's credentials, mode 0600
//   run.json         the running service: endpoint and process
//   blobs/           what is in storage accounts
//   vaults/ collections/ hot/  stores of backups, unless they are elsewhere
//   disks/           managed disks and snapshots
//   logs/            the records of workspaces: journal, Parquet, manifest
//   az/              the Azure CLI's own folder for this service

import { join } from "node:path";
import { z } from "zod";
import { defineErrors } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";
import { isAlive } from "../lib/processes.ts";
import { newGuid, randomBytes } from "../lib/random.ts";

const dataErrors = defineErrors({
  ServiceNotRunning: { status: 503, remedy: "Start it with ./holdfast up, or name its folder with --data DIR." },
  DataFolderInvalid: { status: 500 },
});

export interface DataFolder {
  readonly root: string;
  readonly database: string;
  readonly platformKey: string;
  readonly nodeId: string;
  readonly tls: string;
  readonly admin: string;
  readonly run: string;
  readonly az: string;
  readonly blobs: string;
  readonly logs: string;
}

export function dataFolder(root: string): DataFolder {
  return {
    root,
    database: join(root, "control.sqlite"),
    platformKey: join(root, "keys", "platform.key"),
    nodeId: join(root, "node-id"),
    tls: join(root, "tls"),
    admin: join(root, "admin.json"),
    run: join(root, "run.json"),
    az: join(root, "az"),
    blobs: join(root, "blobs"),
    logs: join(root, "logs"),
  };
}

const runSchema = z.object({
  pid: z.number(),
  endpoint: z.string(),
  ca: z.string(),
  tenantId: z.string(),
  subscriptionId: z.string(),
});
const adminSchema = z.object({
  clientId: z.string(),
  clientSecret: z.string(),
  username: z.string(),
  password: z.string(),
  tenantId: z.string(),
  subscriptionId: z.string(),
});

export type RunningService = z.output<typeof runSchema>;
export type AdminCredentials = z.output<typeof adminSchema>;

/** The service that runs on a data folder. */
export async function findService(root: string): Promise<RunningService> {
  const folder = dataFolder(root);
  const running = await readJson(folder.run, runSchema);
  if (running === undefined || !isAlive(running.pid)) throw dataErrors.ServiceNotRunning(`No service runs on ${root}.`);
  return running;
}

export async function readAdmin(root: string): Promise<AdminCredentials | undefined> {
  return readJson(dataFolder(root).admin, adminSchema);
}

export async function writeAdmin(root: string, admin: AdminCredentials): Promise<void> {
  await disk.writeDurably(dataFolder(root).admin, `${JSON.stringify(admin, undefined, 2)}\n`, 0o600);
}

export async function writeRun(root: string, running: RunningService): Promise<void> {
  await disk.writeDurably(dataFolder(root).run, `${JSON.stringify(running)}\n`, 0o600);
}

export async function removeRun(root: string): Promise<void> {
  await disk.remove(dataFolder(root).run);
}

/** Who this folder's process is among those that share a database; stays over restarts. */
export async function ensureNodeId(root: string): Promise<string> {
  const path = dataFolder(root).nodeId;
  if ((await disk.status(path)) !== undefined) return (await disk.read(path)).toString("utf8").trim();
  const id = `node-${newGuid()}`;
  await disk.writeDurably(path, `${id}\n`);
  return id;
}

/** The key that seals secrets at rest; made once, never replaced in silence. */
export async function ensurePlatformKey(root: string, isNewDatabase: boolean): Promise<Buffer> {
  const folder = dataFolder(root);
  const status = await disk.status(folder.platformKey);
  if (status !== undefined) {
    const key = await disk.read(folder.platformKey);
    if (key.length !== 32)
      throw dataErrors.DataFolderInvalid(
        `${folder.platformKey} must hold 32 bytes and holds ${key.length}. Restore it from a backup.`,
      );
    return key;
  }
  if (!isNewDatabase) {
    throw dataErrors.DataFolderInvalid(
      `${folder.platformKey} is missing, and the control data holds secrets that only it opens. Restore the key from a backup of the data folder.`,
    );
  }
  await disk.makeDirectory(join(root, "keys"));
  const key = randomBytes(32);
  await disk.writeDurably(folder.platformKey, key, 0o600);
  return key;
}

async function readJson<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema> | undefined> {
  if ((await disk.status(path)) === undefined) return undefined;
  try {
    return schema.parse(JSON.parse((await disk.read(path)).toString("utf8")));
  } catch (cause) {
    throw dataErrors.DataFolderInvalid(`${path} cannot be read. Delete it and start the service again.`, { cause });
  }
}
