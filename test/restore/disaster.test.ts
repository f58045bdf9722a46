// The server is lost with its data folder. What is left is a copy of the vault's store and a key: a new
// server takes it over, lists the points and restores from them; a machine that ran then boots again.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { waitFor } from "../../src/lib/time.ts";
import { startRig, type Rig, type WireJob } from "../backup/rig.ts";
import { guestImage } from "../guests/guest-image.ts";
import { startGuest, type BootImage } from "../guests/running-guest.ts";
import { holdfast, type Answer } from "../support/service.ts";

const execute = promisify(execFile);
let saved: string;
/** Of the QEMU host that is lost, and of the new one. */
let sockets: { readonly lost: string; readonly fresh: string };
let contents: Buffer[];
let pointNames: string[];
let recoveryKey: string;
let rig: Rig;

async function run(...args: string[]): Promise<string> {
  return (await execute(holdfast, args, { encoding: "utf8" })).stdout;
}

before(async () => {
  saved = mkdtempSync(join(tmpdir(), "holdfast-saved-"));
  sockets = { lost: join(saved, "lost"), fresh: join(saved, "fresh") };
  for (const folder of Object.values(sockets)) mkdirSync(folder);
  const lost = await startRig({ machines: { vm1: 2 } });
  try {
    const boot = await ownKernel(sockets.lost);
    await using _guest = await startGuest({ folder: sockets.lost, name: "web", templates: ["sys"], boot });
    await addHost(lost, sockets.lost);
    await untilAgent(lost, "web");
    assert.match(await inGuest(lost, "web", "echo written-before-the-loss >/root/marker; sync"), /Enable succeeded/);
    const policy = (await lost.vault("GET", "/backupPolicies/DefaultPolicy")).json;
    policy.properties.retentionPolicy.dailySchedule.retentionDuration.count = 77;
    const made = await lost.vault("PUT", "/backupPolicies/Seventy", { properties: policy.properties });
    assert.ok(made.status < 300, made.text);
    await lost.protect("vm1", "Seventy");
    const tagged = await lost.call("PATCH", lost.vaultId, {
      tags: { ward: "seven" },
      identity: { type: "SystemAssigned" },
    });
    assert.equal(tagged.status, 200, tagged.text);
    for (let round = 0; round < 2; round += 1) assert.equal((await lost.backUp("vm1")).properties.status, "Completed");
    await lost.protect("web");
    assert.match((await lost.backUp("web")).properties.status, /^Completed/);
    await changeLast(lost);
    contents = [0, 1].map((number) => readFileSync(join(lost.images, `vm1/disk${number}.raw`)));
    pointNames = (await lost.points("vm1")).map(({ name }) => name);
    const json = await run("vault", "recovery-key", "--json", "--data", lost.data, "-n", "v1", "-g", "lab");
    recoveryKey = JSON.parse(json).recoveryKey;
    const [guid = ""] = readdirSync(join(lost.data, storeRoot(lost.data), "vaults"));
    cpSync(join(lost.data, storeRoot(lost.data), "vaults", guid), join(saved, "store"), { recursive: true });
    cpSync(join(lost.data, "keys/platform.key"), join(saved, "platform.key"));
  } finally {
    await lost[Symbol.asyncDispose]();
  }
  assert.ok(!existsSync(lost.data));
  rmSync(sockets.lost, { recursive: true });
  rig = await startRig({
    machines: { other: 1 },
    environment: { HOLDFAST_RESTORE_FOLDERS: saved, HOLDFAST_PLACES_FOLDERS: saved },
  });
});
after(async () => {
  // A machine outlives its service.
  await switchOff("web-again").catch(() => {});
  await rig?.[Symbol.asyncDispose]();
  rmSync(saved, { recursive: true, force: true });
});

/** The kernel lies on the host, and is lost with it: the tests' guest has no boot loader of its own. */
async function ownKernel(folder: string): Promise<BootImage> {
  const { kernelPath, initrdPath, commandLine } = await guestImage();
  const own = { kernelPath: join(folder, "vmlinuz"), initrdPath: join(folder, "initrd") };
  copyFileSync(kernelPath, own.kernelPath);
  copyFileSync(initrdPath, own.initrdPath);
  return { ...own, commandLine };
}

/** After the last backup: it is kept all the same. */
async function changeLast(on: Rig): Promise<void> {
  const root = join(on.data, storeRoot(on.data), "vaults");
  const kept = (): string => readdirSync(join(root, readdirSync(root)[0] ?? "", "kept")).join();
  const before = kept();
  const softDeleteSettings = { softDeleteState: "AlwaysON", softDeleteRetentionPeriodInDays: 33 };
  const securitySettings = { softDeleteSettings, immutabilitySettings: { state: "Unlocked" } };
  const changed = await on.call("PATCH", on.vaultId, { properties: { securitySettings } });
  assert.equal(changed.status, 200, changed.text);
  await waitFor(
    "the settings to be in the store",
    () => (kept() === before || kept() === "" ? undefined : true),
    120_000,
  );
}

async function addHost(on: Rig, socketDirectory: string): Promise<void> {
  const answer = await on.call("PUT", `${on.group}/providers/Microsoft.Holdfast/hosts/rack`, {
    location: "eastus",
    properties: { kind: "qemu", socketDirectory, accelerator: "tcg" },
  });
  assert.ok(answer.status < 300, answer.text);
}

function untilAgent(on: Rig, name: string): Promise<true> {
  return waitFor(
    `the agent of ${name}`,
    async () => {
      const { json } = await on.call("GET", `${on.machineId(name)}/instanceView`);
      return json?.vmAgent?.statuses?.[0]?.displayStatus === "Ready" ? true : undefined;
    },
    120_000,
    250,
  );
}

async function inGuest(on: Rig, name: string, script: string): Promise<string> {
  const begun = await on.call("POST", `${on.machineId(name)}/runCommand`, {
    commandId: "RunShellScript",
    script: [script],
  });
  assert.equal(begun.status, 202, begun.text);
  const result = new URL(String(begun.headers["location"])).pathname;
  return waitFor(
    "the command",
    async () => {
      const { status, text } = await on.call("GET", result);
      return status === 202 ? undefined : text;
    },
    120_000,
    250,
  );
}

/** The job that the answer has begun, as it ended. */
async function ended(vaultId: string, answer: Answer): Promise<WireJob> {
  assert.equal(answer.status, 202, answer.text);
  const operation = new URL(String(answer.headers["azure-asyncoperation"])).pathname.split("/").at(-1);
  const { jobId } = (await rig.call("GET", `${vaultId}/backupOperations/${operation}`)).json.properties;
  const job = await waitFor(
    "the restore",
    async () => {
      const found = (await rig.call("GET", `${vaultId}/backupJobs/${jobId}`)).json as WireJob;
      return found.properties.status === "InProgress" ? undefined : found;
    },
    120_000,
  );
  assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties.errorDetails));
  return job;
}

function storeRoot(data: string): string {
  return readdirSync(data).includes("stores") ? "stores" : ".";
}

test("a wrong key attaches nothing, and says so", async () => {
  const wrong = join(saved, "wrong.key");
  writeFileSync(wrong, Buffer.alloc(32, 1));
  const store = ["--store", join(saved, "store"), "--key", wrong];
  await assert.rejects(run("vault", "attach", "--data", rig.data, "-n", "back", "-g", "lab", ...store), /key/i);
});

test("with the recovery key the items, points and policies are back, and restore byte for byte", async () => {
  const keyFile = join(saved, "recovery.txt");
  writeFileSync(keyFile, `${recoveryKey}\n`);
  const place = ["--data", rig.data, "-n", "back", "-g", "lab", "--location", "eastus"];
  const attach = ["vault", "attach", ...place, "--store", join(saved, "store"), "--recovery-key", keyFile, "--json"];
  const attached = JSON.parse(await run(...attach));
  const { problems, settings, ...counts } = attached;
  assert.deepEqual(counts, { items: 2, points: 3, policies: ["Seventy"] });
  assert.match(problems.join(), /^The vault had the identity SystemAssigned: az backup vault identity assign\.$/);
  assert.ok(settings.includes("soft delete and immutability"), settings.join());

  const vaultId = rig.vaultId.replace(/v1$/, "back");
  const shown = (await rig.call("GET", vaultId)).json;
  assert.deepEqual(shown.tags, { ward: "seven" });
  const { softDeleteSettings, immutabilitySettings } = shown.properties.securitySettings;
  const { softDeleteState, softDeleteRetentionPeriodInDays } = softDeleteSettings;
  assert.deepEqual(
    [softDeleteState, softDeleteRetentionPeriodInDays, immutabilitySettings.state],
    ["AlwaysON", 33, "Unlocked"],
  );
  const policy = (await rig.call("GET", `${vaultId}/backupPolicies/Seventy`)).json;
  assert.equal(policy.properties.retentionPolicy.dailySchedule.retentionDuration.count, 77);
  const item = (await rig.call("GET", `${vaultId}${rig.itemPath("vm1")}`)).json;
  assert.equal(item.properties.protectionState, "ProtectionStopped");
  const points = (await rig.call("GET", `${vaultId}${rig.itemPath("vm1")}/recoveryPoints`)).json.value as {
    name: string;
  }[];
  assert.deepEqual(points.map(({ name }) => name).toSorted(), pointNames.toSorted());

  const folder = join(saved, "restored");
  mkdirSync(folder);
  const answer = await rig.call("POST", `${vaultId}${rig.itemPath("vm1")}/recoveryPoints/${points[0]!.name}/restore`, {
    properties: { objectType: "IaasVMRestoreRequest", recoveryType: "RestoreDisks", holdfast: { folder } },
  });
  assert.equal(answer.status, 202, answer.text);
  await ended(vaultId, answer);
  const images = readdirSync(folder).filter((name) => name.endsWith(".raw"));
  const read = (part: string): Buffer => readFileSync(join(folder, images.find((name) => name.includes(part)) ?? ""));
  assert.ok(read("osdisk").equals(contents[0]!));
  assert.ok(read("datadisk-000").equals(contents[1]!));

  // Once more adds nothing and breaks nothing.
  const again = JSON.parse(await run(...attach));
  assert.equal(again.points, 3);
  assert.deepEqual(again.settings, [], "what was set since stays");
});

test("a machine that ran is restored as a new one on a new host, boots the kernel that its host had given it, and its agent reads what was written before", async () => {
  await addHost(rig, sockets.fresh);
  const vaultId = rig.vaultId.replace(/v1$/, "back");
  const [point] = (await rig.call("GET", `${vaultId}${rig.itemPath("web")}/recoveryPoints`)).json.value;
  await ended(
    vaultId,
    await rig.call("POST", `${vaultId}${rig.itemPath("web")}/recoveryPoints/${point.name}/restore`, {
      properties: {
        objectType: "IaasVMRestoreRequest",
        recoveryType: "AlternateLocation",
        region: "eastus",
        sourceResourceId: rig.machineId("web"),
        targetVirtualMachineId: rig.machineId("web-again"),
        targetResourceGroupId: rig.group,
        // At once from the vault; az's own test makes one from managed disks.
        holdfast: { instant: true, hostId: `${rig.group}/providers/Microsoft.Holdfast/hosts/rack` },
      },
    }),
  );
  await untilAgent(rig, "web-again");
  assert.match(await inGuest(rig, "web-again", "cat /root/marker"), /written-before-the-loss/);
});

async function switchOff(name: string): Promise<void> {
  const stopped = await rig.call("POST", `${rig.machineId(name)}/powerOff?skipShutdown=true`);
  assert.ok(stopped.status < 300, stopped.text);
  const isOff = async (): Promise<true | undefined> =>
    (await powerOf(name)) === "PowerState/running" ? undefined : true;
  await waitFor(`${name} to stop`, isOff, 120_000);
}

async function powerOf(name: string): Promise<string | undefined> {
  const { json } = await rig.call("GET", `${rig.machineId(name)}/instanceView`);
  return (json.statuses as { code: string }[]).find(({ code }) => code.startsWith("PowerState/"))?.code;
}
