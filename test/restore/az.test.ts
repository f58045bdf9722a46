// Debian's az restores: disks into a group and as VHDs, a script that mounts the recovery point, which is
// then run for real; and a service that is killed in the middle of a restore.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { eachInParallel } from "../../src/lib/parallel.ts";
import { waitFor } from "../../src/lib/time.ts";
import { azEnvironment, azFails, azWith, type Az } from "../support/az.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { ext4Disk, partitioned } from "./images.ts";

let service: TestService;
let folder: string;
let az: Az;
let environment: Record<string, string>;
let pointName: string;
let contents: Buffer[];
const vault = ["--vault-name", "v1", "--resource-group", "lab"];
const item = [...vault, "--container-name", "vm1", "--item-name", "vm1"];
const account = `azstage${process.pid}`;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-azrestore-"));
  const tree = join(folder, "tree");
  mkdirSync(join(tree, "etc"), { recursive: true });
  writeFileSync(join(tree, "etc/motd"), "from the recovery point\n");
  const machine = join(folder, "images/vm1");
  mkdirSync(machine, { recursive: true });
  const inner = ext4Disk(join(folder, "inner"), 24, tree);
  partitioned(join(machine, "disk0.raw"), inner);
  ext4Disk(join(machine, "disk1.raw"), 16, tree);
  contents = ["disk0.raw", "disk1.raw"].map((name) => readFileSync(join(machine, name)));

  service = await startTestService({ keepData: true });
  environment = await azEnvironment(service);
  az = azWith(environment);
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups`;
  const put = async (path: string, body: object): Promise<void> => {
    const answer = await service.call("PUT", `${path}?api-version=2022-09-01`, { body });
    assert.ok(answer.status < 300, answer.text);
  };
  await put(`${group}/lab`, { location: "eastus" });
  await put(`${group}/target`, { location: "eastus" });
  await put(`${group}/lab/providers/Microsoft.Holdfast/hosts/shelf`, {
    location: "eastus",
    properties: { kind: "images", path: join(folder, "images") },
  });
  await put(`${group}/lab/providers/Microsoft.Storage/storageAccounts/${account}`, {
    location: "eastus",
    kind: "StorageV2",
    sku: { name: "Standard_LRS" },
  });
  await az("backup", "vault", "create", "-n", "v1", "-g", "lab", "-l", "eastus");
  await az("backup", "protection", "enable-for-vm", ...vault, "--vm", "vm1", "--policy-name", "DefaultPolicy");
  const job = await az("backup", "protection", "backup-now", ...item, "--backup-management-type", "AzureIaasVM");
  await ended(job.name);
  const points = await az("backup", "recoverypoint", "list", ...item, "--backup-management-type", "AzureIaasVM");
  pointName = points[0].name;
});
after(async () => {
  await service?.stop().catch(() => {});
  if (service !== undefined) rmSync(service.data, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

/** Asked over the wire: az asks each 30 seconds. */
async function ended(job: string): Promise<void> {
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/lab`;
  const path = `${group}/providers/Microsoft.RecoveryServices/vaults/v1/backupJobs/${job}?api-version=2023-06-01`;
  const isOver = async (): Promise<true | undefined> =>
    (await service.call("GET", path)).json.properties.status === "InProgress" ? undefined : true;
  await waitFor(`the job ${job}`, isOver, 120_000, 100);
}

async function restoreDisks(
  ...more: string[]
): Promise<{ name: string; properties: { status: string; extendedInfo: { propertyBag: Record<string, string> } } }> {
  const started = await az(
    "backup",
    "restore",
    "restore-disks",
    ...item,
    "--rp-name",
    pointName,
    "--storage-account",
    account,
    ...more,
  );
  await ended(started.name);
  const job = await az("backup", "job", "show", ...vault, "-n", started.name);
  assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties));
  return job;
}

interface AzDisk {
  readonly name: string;
  readonly uniqueId: string;
}

test("restore-disks into a resource group: managed disks that equal the machine's", async () => {
  const job = await restoreDisks("--target-resource-group", "target");
  assert.match(job.properties.extendedInfo.propertyBag["Template Blob Uri"] ?? "", /azuredeploy/);
  const disks = (await az("disk", "list", "-g", "target")) as AzDisk[];
  const read = (part: string): Buffer =>
    readFileSync(join(service.data, "disks", `${disks.find(({ name }) => name.includes(part))?.uniqueId}.raw`));
  assert.ok(read("osdisk").equals(contents[0]!));
  assert.ok(read("datadisk-000").equals(contents[1]!));
});

test("restore-disks of the system disk only, as VHD", async () => {
  const job = await restoreDisks("--restore-only-osdisk");
  assert.equal(job.properties.extendedInfo.propertyBag["Target Storage Account Name"], account);
});

test("restore-disks says what it refuses", async () => {
  const args = ["backup", "restore", "restore-disks", ...item, "--rp-name", pointName, "--storage-account", account];
  const failure = await azFails(az, ...args, "--target-resource-group", "target", "--diskslist", "9");
  assert.match(failure.text, /restoreDiskLunList names 9/);
});

test("commands for what is not here answer with nothing, or with a refusal that says what to do", async () => {
  const wl = ["--workload-type", "MSSQL"];
  const vm = ["--backup-management-type", "AzureIaasVM", "--workload-type", "VM"];
  const to = ["restore", "restore-disks", ...item, "--rp-name", pointName, "--storage-account", account];
  const config = join(folder, "recovery-config.json");
  writeFileSync(
    config,
    JSON.stringify({
      restore_mode: "OriginalLocation",
      container_uri: "VMAppContainer;Compute;lab;vm1",
      item_uri: "SQLDataBase;mssqlserver;master",
      recovery_point_id: pointName,
      item_type: "SQL",
      workload_type: "SQLDataBase",
      source_resource_id: "none",
      database_name: "master",
      container_id: null,
      recovery_mode: null,
      filepath: null,
      alternate_directory_paths: null,
      log_point_in_time: null,
    }),
  );
  const empty: readonly (readonly string[])[] = [
    ["container", "list", ...vault, "--backup-management-type", "AzureStorage"],
    ["item", "list", ...vault, "--backup-management-type", "AzureWorkload", ...wl],
    ["protectable-item", "list", ...vault, ...wl],
    ["recoverypoint", "list", ...item, ...vm, "--tier", "VaultArchive"],
    ["recoverypoint", "list", ...item, ...vm, "--is-ready-for-move", "true", "--target-tier", "VaultArchive"],
    ["job", "list", ...vault, "--start-date", "01-01-2020"],
  ];
  const instance = ["--protectable-item-name", "I", "--protectable-item-type", "SQLInstance", "--server-name", "s"];
  const named = ["--target-resource-group", "target", "--target-vm-name", "vm1"];
  const network = ["--target-vnet-name", "none", "--target-vnet-resource-group", "lab", "--target-subnet-name", "s"];
  const archive = ["--source-tier", "VaultStandard", "--destination-tier", "VaultArchive"];
  const refused: readonly (readonly [RegExp, ...string[]])[] = [
    [/az backup protection enable-for-vm/, "protectable-item", "initialize", ...vault, ...wl, "-c", "vm1"],
    [/not found/, "protection", "auto-enable-for-azurewl", ...vault, ...wl, ...instance, "-p", "DefaultPolicy"],
    [/every one of them can be read/, "recoverypoint", "move", ...item, ...vm, "-n", pointName, ...archive],
    [/do not name one machine/, "restore", "restore-azurewl", ...vault, "--recovery-config", config],
    [/leave --use-secondary-region out/, ...to, "--use-secondary-region", "--target-resource-group", "target"],
    [/There is no resource group/, ...to, "--target-resource-group", "none"],
    [/virtualNetworks\/none/, ...to, "--restore-mode", "AlternateLocation", ...named, ...network],
    [/az backup policy list/, "policy", "show", ...vault, "-n", "none"],
    [/az backup job list/, "job", "wait", ...vault, "-n", "none"],
  ];
  // Two side by side: the machine has other work to do.
  await eachInParallel(empty, 2, async (words) => assert.deepEqual(await az("backup", ...words), [], words.join(" ")));
  await eachInParallel(refused, 2, async ([said, ...words]) => {
    const { text } = await azFails(az, "backup", ...words);
    assert.match(text, said, words.join(" "));
    assert.doesNotMatch(text, /Traceback/);
  });
});

test("mount-rp gives a script that asks for its password and mounts the files; unmount-rp ends it", async () => {
  const work = join(folder, "work");
  mkdirSync(work);
  const { stderr } = await promisify(execFile)(
    "az",
    ["backup", "restore", "files", "mount-rp", ...item, "--rp-name", pointName, "--output", "json"],
    { cwd: work, env: { ...process.env, ...environment } },
  );
  const [, script = "", password = ""] = /File downloaded: (\S+)\. Use password (\S+)/.exec(stderr) ?? [];
  assert.equal(password.length, 15, stderr);
  const text = readFileSync(join(work, script), "utf8");
  assert.match(script, /^vm1_eastus_/);
  assert.ok(!text.includes(password), "the password is not in the file");
  assert.ok(text.includes('TargetPassword="UserInput012345"'));
  const show = (): Promise<{ properties: { isInstantIlrSessionActive: boolean } }> =>
    az("backup", "recoverypoint", "show", ...item, "--backup-management-type", "AzureIaasVM", "-n", pointName);
  assert.equal((await show()).properties.isInstantIlrSessionActive, true);

  // Whoever looks for exports without the password finds none.
  const port = /^Port=(\d+)$/m.exec(text)?.[1] ?? "";
  const certificates = join(folder, "certificates");
  mkdirSync(certificates);
  writeFileSync(join(certificates, "ca-cert.pem"), readFileSync(service.ca));
  const listing = spawnSync("nbdinfo", ["--list", `nbds://localhost:${port}/?tls-certificates=${certificates}`], {
    encoding: "utf8",
  });
  assert.ok(!listing.stdout.includes(password), listing.stdout);

  chmodSync(join(work, script), 0o700);
  const place = join(work, "mounted");
  const inNamespace = (commands: string, input: string): ReturnType<typeof spawnSync> =>
    spawnSync("unshare", ["-m", "sh", "-c", commands], { cwd: work, input, encoding: "utf8", timeout: 180_000 });
  const wrong = inNamespace(`sh ./${script} ${place}`, "AAAAAAAAAAAAAAA\n");
  assert.notEqual(wrong.status, 0);
  assert.match(String(wrong.stderr), /could not be reached/);
  const ran = inNamespace(
    `sh ./${script} ${place} || exit 1; find ${place} -name motd | sort; cat ${place}/*/etc/motd; touch ${place}/*/x && echo WRITABLE; sh ./${script} --unmount ${place}`,
    `${password}\n`,
  );
  const said = `${String(ran.stdout)}\n${String(ran.stderr)}`;
  assert.equal(ran.status, 0, said);
  assert.equal(said.match(/^from the recovery point$/gm)?.length, 2, said);
  assert.doesNotMatch(said, /WRITABLE/);
  assert.match(said, /Unmounted\./);
  assert.ok(!existsSync(place));

  await az("backup", "restore", "files", "unmount-rp", ...item, "--rp-name", pointName);
  assert.equal((await show()).properties.isInstantIlrSessionActive, false);
  const ended = inNamespace(`sh ./${script} ${place}`, `${password}\n`);
  assert.notEqual(ended.status, 0);
});

test("a service that is killed in the middle of a restore goes on with it after its start", async () => {
  await service.stop();
  const again = await startTestService({
    data: service.data,
    keepData: true,
    env: { HOLDFAST_FAULTS: "restore.piece-written=kill@2" },
  });
  const group = `/subscriptions/${again.admin.subscriptionId}/resourceGroups/lab`;
  const vaultId = `${group}/providers/Microsoft.RecoveryServices/vaults/v1`;
  const name = "iaasvmcontainerv2%3Blab%3Bvm1";
  const started = await again.call(
    "POST",
    `${vaultId}/backupFabrics/Azure/protectionContainers/IaasVMContainer%3B${name}/protectedItems/VM%3B${name}/recoveryPoints/${pointName}/restore?api-version=2023-06-01`,
    {
      body: {
        properties: {
          objectType: "IaasVMRestoreRequest",
          recoveryType: "RestoreDisks",
          storageAccountId: `${group}/providers/Microsoft.Storage/storageAccounts/${account}`,
        },
      },
    },
  );
  assert.equal(started.status, 202, started.text);
  await waitFor("the service to die", () => again.process.signalCode ?? undefined, 120_000);
  assert.equal(again.process.signalCode, "SIGKILL");
  service = await startTestService({ data: service.data, keepData: true });
  const job = await waitFor(
    "the restore",
    async () => {
      const { json } = await service.call("GET", `${vaultId}/backupJobs?api-version=2023-06-01`);
      const restores = (json.value as { properties: { operation: string; status: string } }[]).filter(
        ({ properties }) => properties.operation === "Restore" && properties.status !== "Completed",
      );
      return restores.length === 0 ? json.value : undefined;
    },
    120_000,
  );
  const all = (job as { properties: { operation: string; status: string } }[]).filter(
    ({ properties }) => properties.operation === "Restore",
  );
  assert.ok(all.length > 0);
});
