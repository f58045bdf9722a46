// What the service adds to the store: the same disk backed up by a running service (request, job, snapshot,
// NBD, store, recovery point, retention) and by the store's own command, in turns. The goal is 1.15.
//   node bench/store/make-pair.ts /var/tmp/pair          # a 4 GiB ext4 system disk, once
//   node bench/backup/end-to-end.ts /var/tmp/pair/A.raw [rounds] [folder]
//
// Each time is a full backup into an empty vault, from the request to the end of the job, and of the
// command from its start to its end without the start of Node. The service polls nothing meanwhile.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "../../src/lib/random.ts";
import { openFsStore } from "../../src/store/backends/fs.ts";
import { beginSession, createVault, keyFromBytes, openVault } from "../../src/store/index.ts";
import { openRawFile } from "../../src/store/sources/raw-file.ts";
import { startTestService, type TestService } from "../../test/support/service.ts";

const [disk, rounds = "3", place = tmpdir()] = process.argv.slice(2);
if (disk === undefined) throw new Error("which disk? node bench/backup/end-to-end.ts /var/tmp/pair/A.raw");
const version = "api-version=2023-06-01";
const folder = mkdtempSync(join(place, "holdfast-end-to-end-"));
try {
  const images = join(folder, "images", "vm1");
  mkdirSync(images, { recursive: true });
  execFileSync("cp", ["--sparse=always", "--reflink=auto", disk, join(images, "disk0.raw")]);
  const pairs: { store: number; service: number }[] = [];
  for (let round = 0; round < Number(rounds); round += 1) {
    pairs.push({
      store: await storeAlone(join(images, "disk0.raw"), join(folder, `store-${round}`)),
      service: await throughService(join(folder, "images"), join(folder, `data-${round}`)),
    });
  }
  const ratios = pairs.map(({ store, service }) => service / store).sort((a, b) => a - b);
  const ratio = ratios[Math.floor(ratios.length / 2)] ?? 0;
  process.stdout.write(`${JSON.stringify({ pairs, ratio, goal: 1.15, ok: ratio <= 1.15 }, undefined, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function storeAlone(image: string, target: string): Promise<number> {
  await using objects = await openFsStore(target, { create: true, trustFileSystem: true });
  const key = keyFromBytes(randomBytes(32));
  await createVault(objects, key);
  execFileSync("sync");
  const from = performance.now();
  await using vault = await openVault(objects, key);
  await using source = await openRawFile(image);
  await using session = await beginSession(vault, { item: "vm1" });
  await session.addDisk("disk0.raw", source);
  await session.commit();
  const seconds = (performance.now() - from) / 1000;
  rmSync(target, { recursive: true });
  return seconds;
}

async function throughService(hosts: string, data: string): Promise<number> {
  mkdirSync(data);
  await using service = await startTestService({ data });
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/lab`;
  const vault = `${group}/providers/Microsoft.RecoveryServices/vaults/v1`;
  const names = "iaasvmcontainerv2%3Blab%3Bvm1";
  const item = `${vault}/backupFabrics/Azure/protectionContainers/IaasVMContainer%3B${names}/protectedItems/VM%3B${names}`;
  const good = async (method: string, path: string, body: unknown): Promise<void> => {
    const answer = await service.call(method, `${path}?${version}`, { body });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.text}`);
  };
  await good("PUT", group, { location: "eastus" });
  await good("PUT", `${group}/providers/Microsoft.Holdfast/hosts/shelf`, {
    location: "eastus",
    properties: { kind: "images", path: hosts },
  });
  await good("PUT", vault, { location: "eastus", sku: { name: "Standard" }, properties: {} });
  await good("PUT", item, {
    properties: {
      policyId: `${vault}/backupPolicies/DefaultPolicy`,
      sourceResourceId: `${group}/providers/Microsoft.Compute/virtualMachines/vm1`,
    },
  });
  await ended(service, vault, "ConfigureBackup");
  execFileSync("sync");
  const from = performance.now();
  await good("POST", `${item}/backup`, { properties: { objectType: "IaasVMBackupRequest" } });
  await ended(service, vault, "Backup");
  return (performance.now() - from) / 1000;
}

async function ended(service: TestService, vault: string, operation: string): Promise<void> {
  for (;;) {
    const { json } = await service.call("GET", `${vault}/backupJobs?${version}`);
    const jobs = json.value as { properties: { operation: string; status: string; errorDetails: unknown } }[];
    const job = jobs.find(({ properties }) => properties.operation === operation);
    if (job?.properties.status === "Completed") return;
    if (job !== undefined && job.properties.status !== "InProgress") throw new Error(JSON.stringify(job.properties));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
