// The service is killed at every arrow of a backup, in turn. Started again it brings each job to its end:
// one point for one job, every point whole, nothing left on the host.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { detailsOf } from "../../src/backup/run/point-content.ts";
import { waitFor } from "../../src/lib/time.ts";
import { dataFolder } from "../../src/server/data-folder.ts";
import { openFsStore } from "../../src/store/backends/fs.ts";
import { keyFromBytes, listPoints, openVault, verify } from "../../src/store/index.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { makeMachine, writeDisk, type WireJob } from "./rig.ts";

const faults = [
  "job.taken-up",
  "capture.snapshot-open",
  "backup.transfer-begun",
  "capture.before-point",
  "capture.after-point",
  "backup.point-recorded",
  "job.before-end",
  "capture.after-marks",
  "backup.after-capture",
  "job.after-end",
];
const rounds = process.env["HOLDFAST_TEST_LONG"] === "1" ? 200 : 6;
const version = "api-version=2023-06-01";
const group = (service: TestService): string => `/subscriptions/${service.admin.subscriptionId}/resourceGroups/lab`;
const vaultOf = (service: TestService): string => `${group(service)}/providers/Microsoft.RecoveryServices/vaults/v1`;
const name = "iaasvmcontainerv2%3Blab%3Bvm1";
const item = `/backupFabrics/Azure/protectionContainers/IaasVMContainer%3B${name}/protectedItems/VM%3B${name}`;

async function jobsOf(service: TestService): Promise<WireJob[]> {
  const answer = await service.call("GET", `${vaultOf(service)}/backupJobs?${version}`);
  return (answer.json.value as WireJob[]).filter(({ properties }) => properties.operation === "Backup");
}

test(`${rounds} kills at fault points: each backup ends once, and every point is whole`, async () => {
  const data = mkdtempSync(join(tmpdir(), "holdfast-chaos-"));
  const images = mkdtempSync(join(tmpdir(), "holdfast-images-"));
  const folder = makeMachine(images, "vm1", 2);
  try {
    {
      await using service = await startTestService({ data, keepData: true });
      await service.call("PUT", `${group(service)}?${version}`, { body: { location: "eastus" } });
      await service.call("PUT", `${group(service)}/providers/Microsoft.Holdfast/hosts/shelf?${version}`, {
        body: { location: "eastus", properties: { kind: "images", path: images } },
      });
      await service.call("PUT", `${vaultOf(service)}?${version}`, {
        body: { location: "eastus", sku: { name: "Standard" }, properties: {} },
      });
      const done = await service.call("PUT", `${vaultOf(service)}${item}?${version}`, {
        body: {
          properties: {
            policyId: `${vaultOf(service)}/backupPolicies/DefaultPolicy`,
            sourceResourceId: `${group(service)}/providers/Microsoft.Compute/virtualMachines/vm1`,
          },
        },
      });
      assert.equal(done.status, 202, done.text);
    }
    // Nine backups by hand a day: further ones wait for the next day of a clock that we move.
    const clock = join(images, ".clock");
    for (let round = 0; round < rounds; round += 1) {
      const fault = faults[round % faults.length] ?? "";
      const offset = round * 6 * 3600;
      writeFileSync(clock, String(offset));
      const env = { HOLDFAST_ALLOW_TEST_CLOCK: "1" };
      const args = ["--test-clock", clock];
      writeDisk(join(folder, "disk0.raw"), (round % 200) * 4096, randomBytes(4096));
      const before = await killed(data, args, { ...env, HOLDFAST_FAULTS: `${fault}=kill@1` });
      await using second = await startTestService({ data, keepData: true, args, env });
      const jobs = await waitFor(
        `the jobs after ${fault}`,
        async () => {
          const found = await jobsOf(second);
          const open = found.some(({ properties }) => ["InProgress", "Cancelling"].includes(properties.status));
          return open ? undefined : found;
        },
        60_000,
        200,
      );
      assert.ok(jobs.length >= before, fault);
      for (const { properties } of jobs)
        assert.ok(properties.status.startsWith("Completed"), `${fault}: ${JSON.stringify(properties)}`);
      const listed = (await second.call("GET", `${vaultOf(second)}${item}/recoveryPoints?${version}&$top=1000`)).json
        .value as { name: string; properties: { holdfast: { jobId: string } } }[];
      const byJob = listed.map(({ properties }) => properties.holdfast.jobId);
      assert.equal(new Set(byJob).size, byJob.length, `${fault}: one point for one job`);
      await second.stop();
      await checkStore(
        data,
        listed.map(({ name }) => name),
      );
      assert.deepEqual(
        readdirSync(folder).filter((file) => !file.startsWith("disk")),
        [],
      );
    }
  } finally {
    rmSync(data, { recursive: true, force: true });
    rmSync(images, { recursive: true, force: true });
  }
});

/** Runs the service until the fault has killed it, and answers how many backups there were before. */
async function killed(data: string, args: readonly string[], env: Record<string, string>): Promise<number> {
  let service: TestService;
  try {
    service = await startTestService({ data, keepData: true, args, env });
  } catch {
    // A scheduled run met the fault before the service was ready.
    return 0;
  }
  const died = new Promise<void>((resolve) => service.process.once("exit", () => resolve()));
  const before = (await jobsOf(service).catch(() => [])).length;
  await service
    .call("POST", `${vaultOf(service)}${item}/backup?${version}`, {
      body: { properties: { objectType: "IaasVMBackupRequest" } },
    })
    .catch(() => undefined);
  if (service.process.exitCode === null && service.process.signalCode === null) await died;
  return before;
}

/** Every point opens to its last byte, and each listed one is there. */
async function checkStore(data: string, listed: readonly string[]): Promise<void> {
  const root = dataFolder(data);
  const [vaultFolder = ""] = readdirSync(join(root.root, "vaults"));
  await using place = await openFsStore(join(root.root, "vaults", vaultFolder));
  await using vault = await openVault(place, keyFromBytes(readFileSync(root.platformKey)), { workers: 1 });
  const { points } = await listPoints(vault);
  const stored = new Set(points.map((point) => detailsOf(point)?.id));
  for (const id of listed) assert.ok(stored.has(id), `the point ${id} is listed and not there`);
  const { broken } = await verify(vault, { quarantine: false });
  assert.deepEqual(broken, []);
}
