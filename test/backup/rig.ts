// A service in this process with a folder of disk images for a host, a vault, and a clock that the test
// may move. What a client does goes over the wire.

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, openSync, closeSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../src/lib/time.ts";
import { startService, type Service } from "../../src/server/service.ts";
import { readSettings } from "../../src/server/settings.ts";
import { clientFor } from "../support/client.ts";
import type { Answer } from "../support/service.ts";

export interface Rig extends AsyncDisposable {
  readonly service: Service;
  readonly data: string;
  readonly images: string;
  readonly group: string;
  readonly vaultId: string;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Below the rig's vault. */
  vault(method: string, path: string, body?: unknown): Promise<Answer>;
  machineId(name: string): string;
  itemPath(name: string): string;
  /** Protects the machine and waits for the job. */
  protect(name: string, policy?: string, more?: object): Promise<void>;
  /** Ends with the job that the request has begun. */
  job(answer: Answer): Promise<WireJob>;
  backUp(name: string, expiry?: string): Promise<WireJob>;
  points(name: string): Promise<WirePoint[]>;
  item(name: string): Promise<Answer>;
  advance(milliseconds: number): Promise<void>;
  now(): number;
}

export interface WireJob {
  readonly name: string;
  readonly properties: {
    readonly operation: string;
    readonly status: string;
    readonly actionsInfo: readonly string[];
    readonly errorDetails: readonly { readonly errorString: string; readonly recommendations: readonly string[] }[];
    readonly extendedInfo: {
      readonly tasksList: readonly { readonly taskId: string; readonly status: string }[];
      readonly propertyBag: Readonly<Record<string, string>>;
      readonly internalPropertyBag: Readonly<Record<string, string>>;
    };
  };
}

export interface WirePoint {
  readonly name: string;
  readonly properties: {
    readonly recoveryPointTime: string;
    readonly recoveryPointType: string;
    readonly recoveryPointTierDetails: readonly { readonly type: string; readonly status: string }[];
    readonly recoveryPointDiskConfiguration: { readonly includedDiskList: readonly { readonly lun: number }[] };
    readonly recoveryPointProperties: {
      readonly expiryTime: string | null;
      readonly ruleName: string;
      readonly isSoftDeleted: boolean;
    };
    readonly holdfast: { readonly isBroken: boolean; readonly jobId: string };
  };
}

const mebibyte = 1024 ** 2;

/** A folder of raw images; the first one is the system disk. */
export function makeMachine(images: string, name: string, disks = 1): string {
  const folder = join(images, name);
  mkdirSync(folder, { recursive: true });
  for (let number = 0; number < disks; number += 1) {
    const path = join(folder, `disk${number}.raw`);
    execFileSync("truncate", ["-s", String(4 * mebibyte), path]);
    writeDisk(path, 0, randomBytes(mebibyte));
  }
  return folder;
}

export function writeDisk(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

export interface RigOptions {
  readonly machines?: Readonly<Record<string, number>>;
  /** Seconds since the epoch at which the service believes to start. */
  readonly startAt?: number;
  /** More settings, as the environment gives them. */
  readonly environment?: Readonly<Record<string, string>>;
}

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const data = mkdtempSync(join(tmpdir(), "holdfast-backup-"));
  const images = mkdtempSync(join(tmpdir(), "holdfast-images-"));
  for (const [name, disks] of Object.entries(options.machines ?? { vm1: 2 })) makeMachine(images, name, disks);
  const clockFile = join(data, "clock");
  let offset = options.startAt === undefined ? 0 : options.startAt - Date.now() / 1000;
  writeFileSync(clockFile, String(offset));
  const service = await startService(
    await readSettings(
      { data: join(data, "service"), listen: "127.0.0.1:0", testClock: clockFile },
      { HOLDFAST_LOG_LEVEL: "error", HOLDFAST_ALLOW_TEST_CLOCK: "1", ...options.environment },
    ),
  );
  let client = await clientFor(service.running, join(data, "service"));
  const group = `/subscriptions/${service.running.subscriptionId}/resourceGroups/lab`;
  const call = (method: string, path: string, body?: unknown): Promise<Answer> =>
    client.call(method, `${path}${path.includes("?") ? "&" : "?"}api-version=2023-06-01`, { body });
  const good = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await call(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  await good("PUT", group, { location: "eastus" });
  await good("PUT", `${group}/providers/Microsoft.Holdfast/hosts/shelf`, {
    location: "eastus",
    properties: { kind: "images", path: images },
  });
  const vaultId = `${group}/providers/Microsoft.RecoveryServices/vaults/v1`;
  await good("PUT", vaultId, { location: "eastus", sku: { name: "Standard" }, properties: {} });
  const vault = (method: string, path: string, body?: unknown): Promise<Answer> =>
    call(method, `${vaultId}${path}`, body);
  const machineId = (name: string): string => `${group}/providers/Microsoft.Compute/virtualMachines/${name}`;
  const itemPath = (name: string): string =>
    `/backupFabrics/Azure/protectionContainers/IaasVMContainer%3Biaasvmcontainerv2%3Blab%3B${name}/protectedItems/VM%3Biaasvmcontainerv2%3Blab%3B${name}`;

  const job = async (answer: Answer): Promise<WireJob> => {
    if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`);
    const operation = String(answer.headers["azure-asyncoperation"]).split("/").at(-1)?.split("?")[0] ?? "";
    const { json } = await vault("GET", `/backupOperations/${operation}`);
    const id = json.properties.jobId as string;
    return waitFor(
      `job ${id}`,
      async () => {
        const found = (await vault("GET", `/backupJobs/${id}`)).json as WireJob;
        return ["InProgress", "Cancelling"].includes(found.properties.status) ? undefined : found;
      },
      120_000,
      30,
    );
  };
  const rig: Rig = {
    service,
    data: join(data, "service"),
    images,
    group,
    vaultId,
    call,
    vault,
    machineId,
    itemPath,
    job,
    protect: async (name, policy = "DefaultPolicy", more = {}) => {
      const ended = await job(
        await vault("PUT", itemPath(name), {
          properties: {
            protectedItemType: "Microsoft.Compute/virtualMachines",
            policyId: `${vaultId}/backupPolicies/${policy}`,
            sourceResourceId: machineId(name),
            ...more,
          },
        }),
      );
      if (ended.properties.status !== "Completed") throw new Error(JSON.stringify(ended.properties));
    },
    backUp: async (name, expiry) =>
      job(
        await vault("POST", `${itemPath(name)}/backup`, {
          properties: { objectType: "IaasVMBackupRequest", recoveryPointExpiryTimeInUTC: expiry },
        }),
      ),
    points: async (name) => (await vault("GET", `${itemPath(name)}/recoveryPoints`)).json.value as WirePoint[],
    item: (name) => vault("GET", itemPath(name)),
    advance: async (milliseconds) => {
      offset += milliseconds / 1000;
      writeFileSync(clockFile, String(offset));
      // The clock reads its file at least each 250 ms.
      await new Promise((resolve) => setTimeout(resolve, 300));
      // The old token has expired meanwhile.
      client = await clientFor(service.running, join(data, "service"));
    },
    now: () => Date.now() + offset * 1000,
    [Symbol.asyncDispose]: async () => {
      await service.stop();
      rmSync(data, { recursive: true, force: true });
      rmSync(images, { recursive: true, force: true });
    },
  };
  return rig;
}
