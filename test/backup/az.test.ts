// The whole way with Debian's az, on a guest that runs: a vault and its policies, a machine protected,
// backed up, restored in every way, looked into, changed, stopped, deleted and had back, the vault's key,
// and the vault deleted by force.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import { startRack, type Rack } from "../compute/rack.ts";
import { startGuest, type RunningGuest } from "../guests/running-guest.ts";
import { azFails } from "../support/az.ts";
import { furnishLab } from "./az-lab.ts";

let rack: Rack;
let guest: RunningGuest;
let work: string;
let pointName: string;
const account = `whole${process.pid}`;
const inVault = ["--vault-name", "v1", "--resource-group", "lab"];
const own = ["--name", "v1", "--resource-group", "lab"];
const iaas = ["--backup-management-type", "AzureIaasVM"];
const itemOf = (name: string): string[] => [...inVault, "--container-name", name, "--item-name", name];
const shownOf = (name: string): string[] => [...inVault, "--container-name", name, "--name", name, ...iaas];

/** Answers are looked into freely. */
type Shown = Awaited<ReturnType<Rack["az"]>>;
const backup = (...words: string[]): Promise<Shown> => rack.az("backup", ...words);
const refused = async (...words: string[]): Promise<string> => (await azFails(rack.az, "backup", ...words)).text;

before(async () => {
  work = mkdtempSync(join(tmpdir(), "holdfast-az-backup-"));
  rack = await startRack();
  const uuid = "6a1f0f3e-57a5-4a33-9d0b-0d8c2b1e9f11";
  guest = await startGuest({ folder: rack.folder, name: "web", moreArguments: ["-uuid", uuid] });
  await furnishLab(put, rack, account);
  await rack.untilSeen("web");
  await rack.untilAgentReady("web");
});
after(async () => {
  for (const [group, name] of machinesMade) {
    const id = machineId(group, name);
    await rack?.service.call("POST", `${id}/powerOff?skipShutdown=true&api-version=2024-11-01`).catch(() => {});
    await waitFor(`${name} to stop`, () => (isRunning(name) ? undefined : true), 120_000).catch(() => {});
  }
  await guest?.[Symbol.asyncDispose]();
  await rack?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

const machinesMade: [group: string, name: string][] = [];
const isRunning = (name: string): boolean => existsSync(join(rack.folder, `${name}.qmp`));

async function put(path: string, body: object): Promise<void> {
  const answer = await rack.service.call("PUT", `${path}?api-version=2022-09-01`, { body });
  assert.ok(answer.status < 300, answer.text);
}

function machineId(group: string, name: string): string {
  return `${rack.group.replace(/lab$/, group)}/providers/Microsoft.Compute/virtualMachines/${name}`;
}

/** Waits for the job over the wire (az looks each 30 seconds, and costs more to start than to answer). */
async function ended(job: Shown, status = "Completed"): Promise<Shown> {
  const path = `${rack.group}/providers/Microsoft.RecoveryServices/vaults/v1/backupJobs/${job.name}?api-version=2023-06-01`;
  const shown = await waitFor(
    `the job ${job.name}`,
    async () => {
      const { json } = await rack.service.call("GET", path);
      return ["InProgress", "Cancelling"].includes(json.properties.status) ? undefined : json;
    },
    300_000,
    250,
  );
  assert.equal(shown.properties.status, status, JSON.stringify(shown.properties));
  return shown;
}

async function inGuest(group: string, name: string, script: string): Promise<string> {
  const where = ["-g", group, "--name", name];
  const answer = await rack.az(
    "vm",
    "run-command",
    "invoke",
    ...where,
    "--command-id",
    "RunShellScript",
    "--scripts",
    script,
  );
  return String(answer.value[0].message);
}

interface AzDisk {
  readonly name: string;
  readonly uniqueId: string;
}

/** The disks that a restore has made in `target`, by LUN; -1 is the system disk. */
async function restoredDisks(job: Shown): Promise<ReadonlyMap<number, Buffer>> {
  const disks = (await rack.az("disk", "list", "-g", "target")) as AzDisk[];
  const found = disks.flatMap(({ name, uniqueId }) => {
    const [, data] = /-(?:osdisk|datadisk-(\d{3}))-/.exec(name) ?? [];
    const image = join(rack.service.data, "disks", `${uniqueId}.raw`);
    return name.endsWith(`-${job.name.slice(0, 8)}`)
      ? [[data === undefined ? -1 : Number(data), readFileSync(image)] as const]
      : [];
  });
  return new Map(found);
}

test("a vault with its settings, and policies that come and go", async () => {
  assert.equal((await backup("vault", "create", ...own, "-l", "eastus")).name, "v1");
  await backup("vault", "backup-properties", "set", ...own, "--backup-storage-redundancy", "LocallyRedundant");
  const [storage, config] = await backup("vault", "backup-properties", "show", ...own);
  assert.equal(storage.properties.storageType, "LocallyRedundant");
  assert.equal(config.properties.softDeleteFeatureState, "Enabled");
  const policy = await backup("policy", "show", ...inVault, "-n", "DefaultPolicy");
  policy.properties.retentionPolicy.dailySchedule.retentionDuration.count = 45;
  const file = join(work, "policy.json");
  writeFileSync(file, JSON.stringify(policy));
  for (const name of ["Longer", "Spare"]) {
    const made = await backup("policy", "create", ...inVault, "-n", name, "--policy", file, ...iaas);
    assert.equal(made.properties.retentionPolicy.dailySchedule.retentionDuration.count, 45);
  }
  policy.name = "Longer";
  policy.properties.retentionPolicy.dailySchedule.retentionDuration.count = 60;
  writeFileSync(file, JSON.stringify(policy));
  const set = await backup("policy", "set", ...inVault, "--policy", file);
  assert.equal(set.properties.retentionPolicy.dailySchedule.retentionDuration.count, 60);
  assert.deepEqual(await backup("policy", "list-associated-items", ...inVault, "-n", "Longer"), []);
  await backup("policy", "delete", ...inVault, "-n", "Spare");
});

test("a machine is found, protected, and known to be so", async () => {
  const vm = ["--vm", "web", "--policy-name", "DefaultPolicy"];
  const job = await backup("protection", "enable-for-vm", ...inVault, ...vm);
  assert.equal(job.properties.operation, "ConfigureBackup");
  await ended(job);
  assert.match(String(await backup("protection", "check-vm", "--vm", "web", "-g", "lab")), /vaults\/v1$/);
  const containers = await backup("container", "list", ...inVault, ...iaas);
  assert.deepEqual(
    containers.map(({ properties }: Shown) => properties.friendlyName),
    ["web"],
  );
  const container = await backup("container", "show", ...inVault, "-n", "web", ...iaas);
  assert.equal(container.name, "IaasVMContainer;iaasvmcontainerv2;lab;web");
  const items = await backup("item", "list", ...inVault);
  assert.deepEqual([items.length, items[0].resourceGroup], [1, "lab"]);
  const associated = await backup("policy", "list-associated-items", ...inVault, "-n", "DefaultPolicy");
  assert.equal(associated.length, 1);
  assert.match(await refused("policy", "delete", ...inVault, "-n", "DefaultPolicy"), /BMSUserErrorPolicyObjectInUse/);
});

test("it is backed up while it runs, and its job and its point are seen", async () => {
  await inGuest("lab", "web", "echo state-one-of-the-guest >/mnt/a/marker");
  const job = await backup("protection", "backup-now", ...itemOf("web"), ...iaas, "--retain-until", "01-01-2100");
  assert.equal(job.properties.operation, "Backup");
  await ended(job);
  await backup("job", "wait", ...inVault, "-n", job.name);
  const shown = await backup("job", "show", ...inVault, "-n", job.name);
  assert.deepEqual(
    shown.properties.extendedInfo.tasksList.map(({ taskId }: Shown) => taskId),
    ["Take Snapshot", "Transfer data to vault"],
  );
  const jobs = await backup("job", "list", ...inVault, "--operation", "Backup", "--status", "Completed");
  assert.deepEqual(
    jobs.map(({ name }: Shown) => name),
    [job.name],
  );
  const points = await backup("recoverypoint", "list", ...itemOf("web"), ...iaas);
  assert.equal(points.length, 1);
  pointName = points[0].name;
  const point = await backup("recoverypoint", "show", ...itemOf("web"), ...iaas, "-n", pointName);
  assert.equal(point.properties.recoveryPointType, "FileSystemConsistent");
  assert.equal(point.properties.recoveryPointDiskConfiguration.numberOfDisksIncludedInBackup, 3);
  assert.match(await refused("job", "stop", ...inVault, "-n", job.name), /Completed/);
  const item = await backup("item", "show", ...shownOf("web"));
  assert.deepEqual([item.properties.lastBackupStatus, item.properties.protectionState], ["Completed", "Protected"]);
});

function restore(name: string, point: string, ...more: string[]): Promise<Shown> {
  return backup("restore", "restore-disks", ...itemOf(name), "--rp-name", point, "--storage-account", account, ...more);
}

async function untilAgent(group: string, name: string): Promise<void> {
  await waitFor(
    `the agent of ${name}`,
    async () => {
      const { json } = await rack.service.call("GET", `${machineId(group, name)}/instanceView?api-version=2024-11-01`);
      return json?.vmAgent?.statuses?.[0]?.displayStatus === "Ready" ? true : undefined;
    },
    120_000,
    250,
  );
}

// Each of these is about the point that stands; az waits more than it works.
describe("what is done with the point", { concurrency: 6 }, () => {
  test("a backup is stopped while it waits for the guest's pre-script", async () => {
    const config = JSON.stringify({
      preScriptLocation: "/opt/pre",
      postScriptLocation: "/opt/post",
      timeoutInSeconds: 60,
    });
    const setUp = [
      "mkdir -p -m 755 /etc/azure /opt",
      `echo '${config}' >/etc/azure/VMSnapshotScriptPluginConfig.json`,
      "echo 'sleep 60' >/opt/pre",
      "echo 'true' >/opt/post",
      "chmod 600 /etc/azure/*.json; chmod 700 /opt/pre /opt/post",
    ];
    await inGuest("lab", "web", setUp.join("\n"));
    const job = await backup("protection", "backup-now", ...itemOf("web"), ...iaas, "--retain-until", "01-01-2100");
    await backup("job", "stop", ...inVault, "-n", job.name);
    const stopped = await ended(job, "Cancelled");
    assert.equal(stopped.properties.extendedInfo.tasksList[0].status, "Cancelled");
    assert.equal((await backup("recoverypoint", "list", ...itemOf("web"), ...iaas)).length, 1);
    await inGuest("lab", "web", "rm /etc/azure/VMSnapshotScriptPluginConfig.json");
  });

  describe("as managed disks", { concurrency: 1 }, () => {
    let templateUri: string;

    test("restore-disks makes managed disks and leaves a template", async () => {
      const job = await ended(await restore("web", pointName, "--target-resource-group", "target"));
      templateUri = job.properties.extendedInfo.propertyBag["Template Blob Uri"];
      assert.equal(job.properties.extendedInfo.propertyBag["Target Storage Account Name"], account);
      const disks = await restoredDisks(job);
      assert.deepEqual([...disks.keys()].toSorted(), [-1, 0, 1]);
      assert.ok(disks.get(0)?.includes("state-one-of-the-guest"), "what the guest had written is on the disk");
    });

    test("the template that a restore leaves is deployed and makes a machine that runs", async () => {
      const [container = "", blob = ""] = new URL(templateUri).pathname.split("/").slice(2);
      const sas = await rack.az(
        "storage",
        "blob",
        "generate-sas",
        "--account-name",
        account,
        "--account-key",
        (await rack.az("storage", "account", "keys", "list", "-g", "lab", "-n", account))[0].value,
        "--container-name",
        container,
        "--name",
        blob,
        "--permissions",
        "r",
        "--expiry",
        "2100-01-01T00:00:00Z",
      );
      const names = { VirtualMachineName: "redeployed", VirtualNetwork: "net", Subnet: "inner" };
      const parameters = Object.entries({ ...names, VirtualNetworkResourceGroup: "lab", VmSize: "Standard_B1ms" });
      const deployed = await rack.az(
        "deployment",
        "group",
        "create",
        "-g",
        "target",
        "-n",
        "again",
        "--template-uri",
        `${templateUri}?${sas}`,
        "--parameters",
        ...parameters.map(([name, value]) => `${name}=${value}`),
      );
      machinesMade.push(["target", "redeployed"]);
      assert.equal(deployed.properties.provisioningState, "Succeeded");
      assert.ok(isRunning("redeployed"));
      const shown = await rack.az("vm", "show", "-g", "target", "--name", "redeployed");
      assert.equal(shown.storageProfile.dataDisks.length, 2);
    });
  });

  test("restore-disks chooses disks, and writes VHDs where no group is named", async () => {
    const blobsOf = async (job: Shown): Promise<string[]> => {
      const { ["Config Blob Container Name"]: container } = job.properties.extendedInfo.propertyBag;
      const key = (await rack.az("storage", "account", "keys", "list", "-g", "lab", "-n", account))[0].value;
      const where = ["--account-name", account, "--account-key", key, "--container-name", container];
      return (await rack.az("storage", "blob", "list", ...where)).map(({ name }: Shown) => name);
    };
    const system = await blobsOf(await ended(await restore("web", pointName, "--restore-only-osdisk")));
    assert.equal(system.filter((name) => name.endsWith(".vhd")).length, 1);
    assert.ok(system.some((name) => /^web-osdisk-.*\.vhd$/.test(name)));
    const some = ["--restore-as-unmanaged-disks", "--diskslist", "1"];
    const chosen = await blobsOf(await ended(await restore("web", pointName, ...some)));
    assert.deepEqual(
      chosen.filter((name) => name.endsWith(".vhd")).map((name) => name.replace(/-\d{8}-\d{6}-[\da-f]{8}\.vhd$/, "")),
      ["web-datadisk-001"],
    );
    assert.match(
      await refused(
        "restore",
        "restore-disks",
        ...itemOf("web"),
        "--rp-name",
        pointName,
        "--storage-account",
        account,
        "--target-resource-group",
        "target",
        "--diskslist",
        "9",
      ),
      /restoreDiskLunList names 9/,
    );
  });

  describe("as a machine", { concurrency: 1 }, () => {
    test("restore-disks to an alternate location makes a machine that boots what was backed up", async () => {
      const network = [
        "--target-vnet-name",
        "net",
        "--target-vnet-resource-group",
        "lab",
        "--target-subnet-name",
        "inner",
      ];
      const target = ["--target-resource-group", "target", "--target-vm-name", "twin"];
      const mode = ["--restore-mode", "AlternateLocation"];
      const job = await ended(await restore("web", pointName, ...mode, ...target, ...network));
      machinesMade.push(["target", "twin"]);
      assert.deepEqual(
        job.properties.extendedInfo.tasksList.map(({ taskId }: Shown) => taskId),
        ["Transfer data from vault", "Create the restored virtual machine"],
      );
      // Its host gives it a kernel: that came with the point.
      await untilAgent("target", "twin");
      assert.match(await inGuest("target", "twin", "cat /mnt/a/marker"), /state-one-of-the-guest/);
    });

    test("restore-disks to the original location puts the machine back to what it was", async () => {
      const name = "twin";
      const id = machineId("target", name);
      await ended(await backup("protection", "enable-for-vm", ...inVault, "--vm", id, "--policy-name", "Longer"));
      const now = [...itemOf(name), ...iaas, "--retain-until", "01-01-2100"];
      await ended(await backup("protection", "backup-now", ...now));
      const [point] = await backup("recoverypoint", "list", ...itemOf(name), ...iaas);
      await inGuest("target", name, "echo spoilt >/mnt/a/marker; sync");
      const job = await ended(await restore(name, point.name, "--restore-mode", "OriginalLocation"));
      assert.match(job.properties.extendedInfo.propertyBag["Recovery point of the replaced state"], /^\d+$/);
      await untilAgent("target", name);
      assert.match(await inGuest("target", name, "cat /mnt/a/marker"), /state-one-of-the-guest/);
      assert.equal((await backup("recoverypoint", "list", ...itemOf(name), ...iaas)).length, 2);
      assert.match(
        await refused(
          "restore",
          "restore-disks",
          ...itemOf("web"),
          "--rp-name",
          pointName,
          "--storage-account",
          account,
          "--restore-mode",
          "OriginalLocation",
        ),
        /was not made by Holdfast/,
      );
    });
  });

  test("the secondary region is refused with what can be done", async () => {
    const aside = ["--use-secondary-region", "--target-resource-group", "target"];
    assert.match(
      await refused(
        "restore",
        "restore-disks",
        ...itemOf("web"),
        "--rp-name",
        pointName,
        "--storage-account",
        account,
        ...aside,
      ),
      /UserErrorCrossRegionRestoreNotEnabled[^]*leave --use-secondary-region out/,
    );
    assert.deepEqual(await backup("job", "list", ...inVault, "--use-secondary-region"), []);
  });

  test("files of a point are mounted by a script, and the point is let go", async () => {
    const show = (): Promise<Shown> => backup("recoverypoint", "show", ...itemOf("web"), ...iaas, "-n", pointName);
    const where = process.cwd();
    process.chdir(work);
    try {
      await backup("restore", "files", "mount-rp", ...itemOf("web"), "--rp-name", pointName);
    } finally {
      process.chdir(where);
    }
    const [script] = readdirSync(work).filter((name) => name.startsWith("web_eastus_"));
    assert.ok(script !== undefined, readdirSync(work).join());
    assert.match(readFileSync(join(work, script), "utf8"), /TargetPassword="UserInput012345"/);
    assert.equal((await show()).properties.isInstantIlrSessionActive, true);
    await backup("restore", "files", "unmount-rp", ...itemOf("web"), "--rp-name", pointName);
    assert.equal((await show()).properties.isInstantIlrSessionActive, false);
  });
});

test("its policy is changed; it is stopped, taken up again, deleted and had back", async () => {
  const changed = await backup("item", "set-policy", ...shownOf("web"), "--policy-name", "Longer");
  assert.equal(changed.properties.operation, "ConfigureBackup");
  await backup("protection", "update-for-vm", ...itemOf("web"), "--disk-list-setting", "exclude", "--diskslist", "0");
  const item = async (): Promise<Shown> => (await backup("item", "show", ...shownOf("web"))).properties;
  assert.deepEqual((await item()).extendedProperties.diskExclusionProperties, {
    diskLunList: [0],
    isInclusionList: false,
  });
  await backup("protection", "disable", ...itemOf("web"), ...iaas, "--yes");
  assert.equal((await item()).protectionState, "ProtectionStopped");
  await backup("protection", "resume", ...itemOf("web"), ...iaas, "--policy-name", "DefaultPolicy");
  assert.equal((await item()).protectionState, "Protected");
  const away = ["--delete-backup-data", "true", "--yes"];
  const deleted = await backup("protection", "disable", ...itemOf("web"), ...iaas, ...away);
  assert.equal(deleted.properties.operation, "DeleteBackupData");
  assert.equal((await item()).isScheduledForDeferredDelete, true);
  await backup("protection", "undelete", ...itemOf("web"), ...iaas, "--workload-type", "VM");
  assert.equal((await item()).isScheduledForDeferredDelete, null);
});

test("the vault takes a key of its owner's", async () => {
  const keyVault = ["--name", "wholeway", "--resource-group", "lab"];
  await rack.az("keyvault", "create", ...keyVault, "--location", "eastus", "--enable-purge-protection", "true");
  const keyId = `${rack.group}/providers/Microsoft.KeyVault/vaults/wholeway/keys/backup`;
  await put(keyId, { properties: { kty: "RSA", keySize: 2048 } });
  const { json: key } = await rack.service.call("GET", `${keyId}?api-version=2023-07-01`);
  const { principalId } = await backup("vault", "identity", "assign", ...own, "--system-assigned").then(
    ({ identity }: Shown) => identity,
  );
  const allowed = ["--key-permissions", "get", "list", "wrapKey", "unwrapKey"];
  await rack.az("keyvault", "set-policy", ...keyVault, "--object-id", principalId, ...allowed);
  const kek = ["--encryption-key-id", key.properties.keyUriWithVersion, "--mi-system-assigned"];
  await backup("vault", "encryption", "update", ...own, ...kek);
  const shown = await backup("vault", "encryption", "show", ...own);
  assert.equal(shown.properties.encryptionAtRestType, "CustomerManaged");
  assert.match(shown.properties.keyUri, /\/keys\/backup/);
});

test("a vault is not deleted with its items, and by force only when soft delete lets them go", async () => {
  assert.match(await refused("vault", "delete", ...own, "--yes"), /existing resources within the vault/);
  await backup("vault", "backup-properties", "set", ...own, "--soft-delete-feature-state", "Disable");
  await backup("vault", "delete", ...own, "--yes", "--force");
  assert.equal((await azFails(rack.az, "backup", "vault", "show", ...own)).exitCode, 3);
});
