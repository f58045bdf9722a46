// The service dies while a machine runs from the vault. The machine outlives it; the service that is
// started again serves the point at the same place, and the disks come home.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import { makeMachine, type WireJob } from "../backup/rig.ts";
import { startTestService, type Answer, type TestService } from "../support/service.ts";

const version = "api-version=2023-06-01";
const names = "iaasvmcontainerv2%3Blab%3Bvm1";
const group = (service: TestService): string => `/subscriptions/${service.admin.subscriptionId}/resourceGroups/lab`;
const vault = (service: TestService): string => `${group(service)}/providers/Microsoft.RecoveryServices/vaults/v1`;
const item = (service: TestService): string =>
  `${vault(service)}/backupFabrics/Azure/protectionContainers/IaasVMContainer%3B${names}/protectedItems/VM%3B${names}`;
const swift = (service: TestService): string => `${group(service)}/providers/Microsoft.Compute/virtualMachines/swift`;

async function ask(service: TestService, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await service.call(method, `${path}${path.includes("?") ? "&" : "?"}${version}`, { body });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return answer;
}

async function ended(service: TestService, operation: string): Promise<WireJob> {
  return waitFor(
    `the job ${operation}`,
    async () => {
      const jobs = (await ask(service, "GET", `${vault(service)}/backupJobs`)).json.value as WireJob[];
      const job = jobs.find(({ properties }) => properties.operation === operation);
      return job === undefined || ["InProgress", "Cancelling"].includes(job.properties.status) ? undefined : job;
    },
    120_000,
    100,
  );
}

async function isRunning(service: TestService): Promise<boolean> {
  const { json } = await ask(service, "GET", `${swift(service)}?$expand=instanceView`);
  const statuses = json.properties.instanceView.statuses as { code: string }[];
  return statuses.some(({ code }) => code === "PowerState/running");
}

test("a service that dies in the middle of an instant restore brings the disks home when it is back", async () => {
  const root = mkdtempSync(join(tmpdir(), "holdfast-swift-"));
  const [data, images, sockets] = ["data", "images", "run"].map((name) => join(root, name)) as [string, string, string];
  for (const folder of [images, sockets]) mkdirSync(folder);
  const machine = makeMachine(images, "vm1", 2);
  try {
    {
      await using first = await startTestService({
        data,
        keepData: true,
        env: { HOLDFAST_FAULTS: "restore.instant-running=kill" },
      });
      await ask(first, "PUT", group(first), { location: "eastus" });
      for (const [name, properties] of Object.entries({
        shelf: { kind: "images", path: images },
        rack: { kind: "qemu", socketDirectory: sockets, accelerator: "tcg" },
      }))
        await ask(first, "PUT", `${group(first)}/providers/Microsoft.Holdfast/hosts/${name}`, {
          location: "eastus",
          properties,
        });
      await ask(first, "PUT", vault(first), { location: "eastus", sku: { name: "Standard" }, properties: {} });
      const sourceResourceId = `${group(first)}/providers/Microsoft.Compute/virtualMachines/vm1`;
      const policyId = `${vault(first)}/backupPolicies/DefaultPolicy`;
      await ask(first, "PUT", item(first), { properties: { policyId, sourceResourceId } });
      await ended(first, "ConfigureBackup");
      await ask(first, "POST", `${item(first)}/backup`, { properties: { objectType: "IaasVMBackupRequest" } });
      assert.equal((await ended(first, "Backup")).properties.status, "Completed");
      const points = (await ask(first, "GET", `${item(first)}/recoveryPoints`)).json.value as { name: string }[];
      const died = new Promise<void>((resolve) => first.process.once("exit", () => resolve()));
      await ask(first, "POST", `${item(first)}/recoveryPoints/${points[0]?.name}/restore`, {
        properties: {
          objectType: "IaasVMRestoreRequest",
          recoveryType: "AlternateLocation",
          region: "eastus",
          sourceResourceId,
          targetVirtualMachineId: swift(first),
          targetResourceGroupId: group(first),
          holdfast: { instant: true, hostId: `${group(first)}/providers/Microsoft.Holdfast/hosts/rack` },
        },
      });
      await died;
    }
    await using second = await startTestService({ data, keepData: true });
    try {
      const job = await ended(second, "Restore");
      assert.match(job.properties.status, /^Completed/, JSON.stringify(job.properties));
      assert.ok(await isRunning(second), "the machine has run all the time");
      await ask(second, "POST", `${swift(second)}/powerOff?skipShutdown=true`);
      await waitFor("the machine to stop", async () => ((await isRunning(second)) ? undefined : true), 120_000, 200);
      const folder = join(data, "instant", job.name.slice(0, 8));
      const overlays = readdirSync(folder).filter((name) => name.endsWith(".qcow2"));
      assert.equal(overlays.length, 2);
      for (const [index, name] of overlays.toSorted().entries()) {
        const raw = join(root, "compare.raw");
        execFileSync("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", join(folder, name), raw]);
        assert.ok(readFileSync(raw).equals(readFileSync(join(machine, `disk${index}.raw`))), name);
      }
    } finally {
      await second.call("POST", `${swift(second)}/powerOff?skipShutdown=true&${version}`).catch(() => {});
      await second.call("DELETE", `${swift(second)}?${version}`).catch(() => {});
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
