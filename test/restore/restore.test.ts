// Restores over the wire from a folder of images: every target, byte for byte; what is refused, and why.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { newGuid } from "../../src/lib/random.ts";
import { makeServiceSas } from "../../src/blobs/sas/make-sas.ts";
import { clientFor } from "../support/client.ts";
import type { Answer } from "../support/service.ts";
import { startRig, writeDisk, type Rig, type WireJob } from "../backup/rig.ts";

let rig: Rig;
let pointPath: string;
let contents: Record<number, Buffer>;
let allowed: string;
const account = `stage${process.pid}`;
const second = newGuid();

before(async () => {
  allowed = mkdtempSync(join(tmpdir(), "holdfast-allowed-"));
  const config = join(allowed, "config.json");
  const subscriptions = [
    { id: newGuid(), name: "first" },
    { id: second, name: "second" },
  ];
  writeFileSync(config, JSON.stringify({ subscriptions }));
  const environment = { HOLDFAST_RESTORE_FOLDERS: allowed, HOLDFAST_CONFIG: config };
  rig = await startRig({ machines: { vm1: 3 }, environment });
  for (const number of [0, 1, 2])
    writeDisk(join(rig.images, `vm1/disk${number}.raw`), 2 << 20, Buffer.alloc(5000, `disk ${number} `));
  contents = Object.fromEntries(
    [0, 1, 2].map((number) => [number - 1, readFileSync(join(rig.images, `vm1/disk${number}.raw`))]),
  );
  await rig.protect("vm1");
  const backup = await rig.backUp("vm1");
  assert.equal(backup.properties.status, "Completed", JSON.stringify(backup.properties.errorDetails));
  pointPath = `${rig.itemPath("vm1")}/recoveryPoints/${(await rig.points("vm1"))[0]?.name}`;
  await put(storageId(), { location: "eastus", sku: { name: "Standard_LRS" }, kind: "StorageV2" });
  for (const group of [target(), locked(), elsewhere()]) await put(group, { location: "eastus" });
  const lock = `${locked()}/providers/Microsoft.Authorization/locks/still`;
  await put(lock, { properties: { level: "ReadOnly" } });
  await put(rig.vaultId, {
    location: "eastus",
    properties: {
      restoreSettings: { crossSubscriptionRestoreSettings: { crossSubscriptionRestoreState: "Disabled" } },
    },
  });
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
  rmSync(allowed, { recursive: true, force: true });
});

const storageId = (): string => `${rig.group}/providers/Microsoft.Storage/storageAccounts/${account}`;
const target = (): string => rig.group.replace(/lab$/, "target");
const locked = (): string => rig.group.replace(/lab$/, "locked");
const elsewhere = (): string => `/subscriptions/${second}/resourceGroups/elsewhere`;

async function put(id: string, body: unknown): Promise<void> {
  const answer = await rig.call("PUT", id, body);
  assert.ok(answer.status < 300, answer.text);
}

function restore(properties: object): Promise<Answer> {
  return rig.vault("POST", `${pointPath}/restore`, {
    properties: {
      objectType: "IaasVMRestoreRequest",
      recoveryType: "RestoreDisks",
      sourceResourceId: rig.machineId("vm1"),
      region: "eastus",
      createNewCloudService: false,
      originalStorageAccountOption: false,
      ...properties,
    },
  });
}

async function completed(answer: Answer): Promise<WireJob> {
  const job = await rig.job(answer);
  assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties.errorDetails));
  return job;
}

const codeOf = ({ json }: Answer): string => json.error.code;

async function readBlob(uri: string): Promise<Buffer> {
  const { pathname } = new URL(uri);
  const [, account = "", container = "", name = ""] = pathname.split("/");
  const { json } = await rig.call("POST", `${storageId()}/listKeys`);
  const query = makeServiceSas(
    json.keys[0].value,
    { account, container, blob: decodeURIComponent(name) },
    { permissions: "r", expiresAt: Date.now() + 3_600_000 },
  );
  const curl = ["-sSf", "-m", "20", "--cacert", rig.service.running.ca, `${uri}?${query}`];
  // The service runs in this process: waiting for curl must not stop it.
  return (await promisify(execFile)("curl", curl, { maxBuffer: 1 << 28, encoding: "buffer" })).stdout;
}

test("disks go to managed disks of the target group, with a template and the machine's configuration", async () => {
  const job = await completed(await restore({ storageAccountId: storageId(), targetResourceGroupId: target() }));
  const { propertyBag, tasksList, internalPropertyBag } = job.properties.extendedInfo;
  assert.equal(internalPropertyBag["restoreLocationType"], "RestoreDisks");
  assert.deepEqual(
    tasksList.map(({ taskId, status }) => [taskId, status]),
    [["Transfer data from vault", "Completed"]],
  );
  assert.equal(propertyBag["Job Type"], "Recover disks");
  assert.equal(propertyBag["Target resource group"], "target");
  assert.equal(propertyBag["Target Storage Account Name"], account);
  const disks = (await rig.call("GET", `${target()}/providers/Microsoft.Compute/disks`)).json.value as {
    name: string;
    properties: { uniqueId: string; provisioningState: string; osType?: string };
  }[];
  const sorted = disks.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  assert.deepEqual(
    sorted.map(({ name }) => name.replace(/-\d{8}-\d{6}-[\da-f]{8}$/, "")),
    ["vm1-datadisk-000", "vm1-datadisk-001", "vm1-osdisk"],
  );
  for (const [index, lun] of [0, 1, -1].entries()) {
    const { properties } = sorted[index]!;
    assert.equal(properties.provisioningState, "Succeeded");
    assert.ok(readFileSync(join(rig.data, "disks", `${properties.uniqueId}.raw`)).equals(contents[lun]!), `LUN ${lun}`);
  }
  assert.equal(sorted[2]?.properties.osType, "Linux");
  const template = JSON.parse(String(await readBlob(propertyBag["Template Blob Uri"]!)));
  assert.match(propertyBag["Template Blob Uri"]!, /\/azuredeploy[0-9a-f-]{36}\.json$/);
  assert.equal(template.resources.at(-1).type, "Microsoft.Compute/virtualMachines");
  const config = JSON.parse(String(await readBlob(propertyBag["Config Blob Uri"]!)));
  assert.equal(config.id, rig.machineId("vm1"));
});

test("without a target group they become VHDs in the storage account", async () => {
  const job = await completed(await restore({ storageAccountId: storageId() }));
  const { propertyBag } = job.properties.extendedInfo;
  const template = JSON.parse(String(await readBlob(propertyBag["Template Blob Uri"]!)));
  const sources = template.resources.filter(({ type }: { type: string }) => type === "Microsoft.Compute/disks");
  assert.equal(sources.length, 3);
  const folder = mkdtempSync(join(tmpdir(), "holdfast-vhd-"));
  try {
    for (const [index, lun] of [-1, 0, 1].entries()) {
      const path = join(folder, `${index}.vhd`);
      writeFileSync(path, await readBlob(sources[index].properties.creationData.sourceUri));
      const info = JSON.parse(
        execFileSync("qemu-img", ["info", "-f", "vpc", "--output=json", path], { encoding: "utf8" }),
      );
      assert.equal(info.format, "vpc"); // its footer is read and its checksum is right
      assert.equal(info["virtual-size"], contents[lun]!.length);
      assert.ok(readFileSync(path).subarray(0, contents[lun]!.length).equals(contents[lun]!), `LUN ${lun}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

for (const format of ["raw", "qcow2", "vhd"] as const) {
  test(`disks go to a folder of the host as ${format}, some of them only`, async () => {
    const folder = join(allowed, format);
    mkdirSync(folder);
    await completed(await restore({ restoreDiskLunList: [0], holdfast: { folder, format } }));
    const names = readdirSync(folder).toSorted();
    assert.equal(names.length, 2, names.join());
    assert.match(names[0]!, /^config-vm1-/);
    const path = join(folder, names[1]!);
    const raw = join(folder, "compare.raw");
    execFileSync("qemu-img", ["convert", "-f", format === "vhd" ? "vpc" : format, "-O", "raw", path, raw]);
    assert.ok(readFileSync(raw).subarray(0, contents[0]!.length).equals(contents[0]!));
  });
}

test("two restores that begin in one second do not meet: each has files of its own", async () => {
  const folder = join(allowed, "twice");
  mkdirSync(folder);
  const begun = await Promise.all([0, 0].map((lun) => restore({ restoreDiskLunList: [lun], holdfast: { folder } })));
  await Promise.all(begun.map(completed));
  const images = readdirSync(folder).filter((name) => name.endsWith(".raw"));
  assert.equal(images.length, 2, images.join());
  for (const name of images) assert.ok(readFileSync(join(folder, name)).equals(contents[0]!), name);
});

test("an empty list of LUNs is the system disk", async () => {
  const folder = join(allowed, "system");
  mkdirSync(folder);
  await completed(await restore({ restoreDiskLunList: [], holdfast: { folder } }));
  const [name] = readdirSync(folder).filter((each) => each.endsWith(".raw"));
  assert.match(name ?? "", /^vm1-osdisk-/);
  assert.equal(statSync(join(folder, name ?? "")).size, contents[-1]!.length);
});

const refusals: readonly [what: string, body: () => object, code: string, status: number][] = [
  [
    "a LUN that the point does not hold",
    () => ({ targetResourceGroupId: target(), restoreDiskLunList: [7] }),
    "UserErrorInvalidDiskLunList",
    400,
  ],
  ["no storage account", () => ({}), "UserErrorInvalidRestoreRequest", 400],
  [
    "a storage account that is not there",
    () => ({ storageAccountId: `${rig.group}/providers/Microsoft.Storage/storageAccounts/nowhere` }),
    "UserErrorInvalidRestoreRequest",
    400,
  ],
  [
    "a group that is not there",
    () => ({ targetResourceGroupId: `${rig.group}x` }),
    "UserErrorInvalidRestoreRequest",
    400,
  ],
  [
    "another machine's id",
    () => ({ sourceResourceId: rig.machineId("other"), targetResourceGroupId: target() }),
    "UserErrorInvalidRestoreRequest",
    400,
  ],
  [
    "an identity that the vault has not",
    () => ({ targetResourceGroupId: target(), identityInfo: { isSystemAssignedIdentity: true } }),
    "UserErrorInvalidRestoreRequest",
    400,
  ],
  [
    "a resource of a group in the place of the group",
    () => ({ targetResourceGroupId: storageId() }),
    "UserErrorInvalidRestoreRequest",
    400,
  ],
  [
    "a new machine in a group that is not there",
    () => ({
      recoveryType: "AlternateLocation",
      targetVirtualMachineId: rig.machineId("new").replace("/lab/", "/nowhere/"),
      targetResourceGroupId: target(),
    }),
    "UserErrorInvalidRestoreRequest",
    400,
  ],
  ["a group that is locked against writing", () => ({ targetResourceGroupId: locked() }), "ScopeLocked", 409],
  [
    "another subscription, which the vault's owner has ruled out",
    () => ({ targetResourceGroupId: elsewhere() }),
    "UserErrorCrossSubscriptionRestoreInvalidTargetSubscription",
    400,
  ],
  ["zones", () => ({ targetResourceGroupId: target(), zones: ["1"] }), "UserErrorRestoreNotSupported", 400],
  [
    "rehydration",
    () => ({ targetResourceGroupId: target(), objectType: "IaasVMRestoreWithRehydrationRequest" }),
    "UserErrorRestoreNotSupported",
    400,
  ],
  [
    "a disk encryption set",
    () => ({
      targetResourceGroupId: target(),
      diskEncryptionSetId: `${rig.group}/providers/Microsoft.Compute/diskEncryptionSets/a`,
    }),
    "UserErrorRestoreNotSupported",
    400,
  ],
  ["a folder that is not allowed", () => ({ holdfast: { folder: tmpdir() } }), "UserErrorRestoreTargetInvalid", 400],
  [
    "a folder that leaves the allowed one",
    () => ({ holdfast: { folder: `${allowed}/..` } }),
    "UserErrorRestoreTargetInvalid",
    400,
  ],
  [
    "replacing the disks of a machine that was not made here",
    () => ({ recoveryType: "OriginalLocation" }),
    "UserErrorRestoreNotSupported",
    400,
  ],
  [
    "a new machine under a name that is taken",
    () => ({ recoveryType: "AlternateLocation", targetVirtualMachineId: rig.machineId("vm1") }),
    "UserErrorRestoreTargetExists",
    409,
  ],
  [
    "a new machine without a name",
    () => ({ recoveryType: "AlternateLocation" }),
    "UserErrorInvalidRestoreRequest",
    400,
  ],
];
for (const [what, body, code, status] of refusals) {
  test(`refused, by validation and by the restore itself: ${what}`, async () => {
    const answer = await restore(body());
    assert.deepEqual([answer.status, codeOf(answer)], [status, code], answer.text);
    const restoreRequest = {
      objectType: "IaasVMRestoreRequest",
      recoveryPointId: pointPath.split("/").at(-1),
      recoveryType: "RestoreDisks",
      sourceResourceId: rig.machineId("vm1"),
      ...body(),
    };
    const validated = await rig.vault("POST", "/backupValidateOperation", {
      objectType: "ValidateIaasVMRestoreOperationRequest",
      restoreRequest,
    });
    assert.equal(validated.json.validateOperationResponse.validationResults[0].code, code, validated.text);
  });
}

test("no words of a Host header get into the script of file recovery", async () => {
  const client = await clientFor(rig.service.running, rig.data);
  const path = `${rig.vaultId}${pointPath}/provisionInstantItemRecovery?api-version=2023-06-01`;
  const body = { properties: { objectType: "IaasVMILRRegistrationRequest" } };
  const answer = await client.call("POST", path, { body, headers: { Host: "a;$(id)" } });
  assert.deepEqual([answer.status, codeOf(answer)], [400, "BadRequest"], answer.text);
});

test("a restore that would do is validated without a word", async () => {
  const restoreRequest = {
    objectType: "IaasVMRestoreRequest",
    recoveryPointId: pointPath.split("/").at(-1),
    recoveryType: "RestoreDisks",
    targetResourceGroupId: target(),
  };
  const answer = await rig.vault("POST", "/backupTriggerValidateOperation", {
    objectType: "ValidateIaasVMRestoreOperationRequest",
    restoreRequest,
  });
  assert.equal(answer.status, 202, answer.text);
  const operation = new URL(String(answer.headers["azure-asyncoperation"]));
  const ended = await rig.call("GET", operation.pathname);
  assert.deepEqual(ended.json.properties.validateOperationResponse, { validationResults: [] });
});

test("a machine that cannot be made leaves its disks, and says why", async () => {
  const job = await rig.job(
    await restore({
      recoveryType: "AlternateLocation",
      targetResourceGroupId: target(),
      targetVirtualMachineId: `${target()}/providers/Microsoft.Compute/virtualMachines/twin`,
    }),
  );
  assert.equal(job.properties.status, "Failed");
  assert.match(job.properties.errorDetails[0]?.errorString ?? "", /No host here runs machines/);
  assert.deepEqual(
    job.properties.extendedInfo.tasksList.map(({ taskId, status }) => [taskId, status]),
    [
      ["Transfer data from vault", "Completed"],
      ["Create the restored virtual machine", "Failed"],
    ],
  );
});
