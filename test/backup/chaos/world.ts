// What the rounds of the chaos test work on: one machine of two disks in a vault with a snapshot tier and
// a customer's key, a data folder that outlives every service, and a clock that only the test moves.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../../src/lib/time.ts";
import { startTestService, type Answer, type TestService } from "../../support/service.ts";
import { makeMachine, writeDisk, type WireJob, type WirePoint } from "../rig.ts";

const version = "api-version=2023-06-01";
const names = "iaasvmcontainerv2%3Blab%3Bvm1";
const item = `/backupFabrics/Azure/protectionContainers/IaasVMContainer%3B${names}/protectedItems/VM%3B${names}`;
const open = ["InProgress", "Cancelling"];

export interface World extends AsyncDisposable {
  /** The data folder of the service. */
  readonly data: string;
  readonly machine: string;
  readonly restores: string;
  readonly recoveryKey: string;
  /** Ids of two keys without version. */
  readonly keys: readonly string[];
  start(faults?: string): Promise<TestService>;
  /** Below the vault. */
  vault(service: TestService, method: string, path: string, body?: unknown): Promise<Answer>;
  readonly item: string;
  advance(seconds: number): void;
  /** By the service's clock. */
  now(): number;
  /** Other content from here on. */
  changeDisks(): void;
  /** One SHA-256 for each disk. */
  contents(): string[];
}

export const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

export async function makeWorld(): Promise<World> {
  const root = mkdtempSync(join(tmpdir(), "holdfast-chaos-"));
  const [data, images, restores] = ["data", "images", "restores"].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  for (const folder of [images, restores]) mkdirSync(folder);
  const machine = makeMachine(images, "vm1", 2);
  const clock = join(root, "clock");
  let offset = 0;
  let changes = 0;
  writeFileSync(clock, "0");
  const start = (faults?: string): Promise<TestService> =>
    startTestService({
      data,
      keepData: true,
      args: ["--test-clock", clock],
      env: {
        HOLDFAST_ALLOW_TEST_CLOCK: "1",
        HOLDFAST_RESTORE_FOLDERS: restores,
        ...(faults === undefined ? {} : { HOLDFAST_FAULTS: faults }),
      },
    });
  const group = (service: TestService): string => `/subscriptions/${service.admin.subscriptionId}/resourceGroups/lab`;
  const vault: World["vault"] = (service, method, path, body) =>
    service.call(
      method,
      `${group(service)}/providers/Microsoft.RecoveryServices/vaults/v1${path}${path.includes("?") ? "&" : "?"}${version}`,
      { body },
    );
  const world = {
    data,
    machine,
    restores,
    item,
    start,
    vault,
    advance: (seconds: number) => {
      offset += seconds;
      writeFileSync(clock, String(offset));
    },
    now: () => Date.now() + offset * 1000,
    changeDisks: () => {
      changes += 1;
      for (const disk of ["disk0.raw", "disk1.raw"])
        writeDisk(join(machine, disk), (changes % 48) * 65_536, randomBytes(65_536));
    },
    contents: () => ["disk0.raw", "disk1.raw"].map((disk) => sha256(readFileSync(join(machine, disk)))),
    [Symbol.asyncDispose]: async () => rmSync(root, { recursive: true, force: true }),
  };
  await using service = await start();
  const made = await furnish(service, group(service), images);
  return { ...world, ...made };
}

/** The vault with everything in it, and a first recovery point. */
async function furnish(
  service: TestService,
  group: string,
  images: string,
): Promise<Pick<World, "recoveryKey" | "keys">> {
  const good = async (method: string, path: string, body: unknown = {}): Promise<Answer> => {
    const answer = await service.call(method, `${path}?${path.includes("/keys/") ? "api-version=7.4" : version}`, {
      body,
    });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  const vaultId = `${group}/providers/Microsoft.RecoveryServices/vaults/v1`;
  const keyVault = `${group}/providers/Microsoft.KeyVault/vaults/chaos`;
  await good("PUT", group, { location: "eastus" });
  await good("PUT", `${group}/providers/Microsoft.Holdfast/hosts/shelf`, {
    location: "eastus",
    properties: { kind: "images", path: images },
  });
  await good("PUT", vaultId, {
    location: "eastus",
    identity: { type: "SystemAssigned" },
    sku: { name: "Standard" },
    properties: {},
  });
  const { principalId } = (await good("PATCH", vaultId, { identity: { type: "SystemAssigned" } })).json.identity;
  await good("PUT", `${vaultId}/providers/Microsoft.Holdfast/vaultSettings/default`, {
    properties: { place: { location: { kind: "folder" }, hot: { kind: "folder" } } },
  });
  const filter = encodeURIComponent(`servicePrincipalNames/any(c:c eq '${service.admin.clientId}')`);
  const me = (await service.call("GET", `/v1.0/servicePrincipals?$filter=${filter}`)).json.value[0].id as string;
  const grant = (objectId: string): object => ({
    tenantId: service.admin.tenantId,
    objectId,
    permissions: { keys: ["all"], secrets: [] },
  });
  await good("PUT", keyVault, {
    location: "eastus",
    properties: {
      tenantId: service.admin.tenantId,
      sku: { family: "A", name: "standard" },
      accessPolicies: [grant(me), grant(principalId)],
    },
  });
  const keys: string[] = [];
  for (const name of ["first", "second"]) {
    const { json } = await good("POST", `/vaults/chaos/keys/${name}/create`, { kty: "RSA", key_size: 2048 });
    keys.push((json.key.kid as string).split("/").slice(0, -1).join("/"));
  }
  const { json } = await good("POST", `${vaultId}/providers/Microsoft.Holdfast/recoveryKey`);
  const answer = await service.call("PUT", `${vaultId}${item}?${version}`, {
    body: {
      properties: {
        policyId: `${vaultId}/backupPolicies/DefaultPolicy`,
        sourceResourceId: `${group}/providers/Microsoft.Compute/virtualMachines/vm1`,
      },
    },
  });
  assert.equal(answer.status, 202, answer.text);
  return { recoveryKey: json.recoveryKey as string, keys };
}

export async function jobsOf(world: World, service: TestService): Promise<WireJob[]> {
  const answer = await world.vault(service, "GET", "/backupJobs?$top=1000");
  assert.equal(answer.status, 200, answer.text);
  return answer.json.value as WireJob[];
}

/** Every job has ended. */
export function settled(world: World, service: TestService): Promise<WireJob[]> {
  return waitFor(
    "every job to end",
    async () => {
      const jobs = await jobsOf(world, service);
      return jobs.some(({ properties }) => open.includes(properties.status)) ? undefined : jobs;
    },
    120_000,
    100,
  );
}

export async function pointsOf(world: World, service: TestService): Promise<WirePoint[]> {
  return (await world.vault(service, "GET", `${world.item}/recoveryPoints?$top=1000`)).json.value as WirePoint[];
}
