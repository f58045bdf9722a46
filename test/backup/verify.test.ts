// A look at a vault because somebody asks, with the command that an administrator types.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { closeSync, openSync, readSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startRig, writeDisk, type Rig, type WireJob } from "./rig.ts";
import { holdfast } from "../support/service.ts";

let rig: Rig;
let newPacks: string[];

before(async () => {
  rig = await startRig({ machines: { vm1: 1, vm2: 1 } });
  await rig.protect("vm1");
  await rig.protect("vm2");
  await rig.backUp("vm2");
  const known = packs();
  await rig.backUp("vm1");
  newPacks = packs().filter((path) => !known.includes(path));
});
after(() => rig?.[Symbol.asyncDispose]());

function packs(): string[] {
  return readdirSync(join(rig.data, "vaults"), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.parentPath.includes("/packs"))
    .map((entry) => join(entry.parentPath, entry.name));
}

interface Verified {
  readonly code: number;
  readonly output: string;
}

function verify(...more: string[]): Promise<Verified> {
  const args = ["vault", "verify", "--name", "v1", "--resource-group", "lab", "--data", rig.data, ...more];
  return new Promise((resolve) => {
    const child = execFile(holdfast, args, { encoding: "utf8" }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

interface Shown {
  readonly damagedObjects: number;
  readonly points: readonly {
    readonly item: string;
    readonly point: string;
    readonly time: string;
    readonly state: string;
    readonly problems: readonly string[];
  }[];
}

async function verified(code: number, ...more: string[]): Promise<Shown> {
  const answer = await verify("--json", ...more);
  assert.equal(answer.code, code, answer.output);
  return JSON.parse(answer.output) as Shown;
}

const statesOf = ({ points }: Shown): Record<string, string> =>
  Object.fromEntries(points.map(({ item, state }) => [item, state]));

function flipByte(path: string, offset: number): void {
  const byte = Buffer.alloc(1);
  const file = openSync(path, "r");
  readSync(file, byte, 0, 1, offset);
  closeSync(file);
  byte.writeUInt8(byte.readUInt8() ^ 1);
  writeDisk(path, offset, byte);
}

test("a whole vault ends with 0, and only a deep look calls its points good", async () => {
  const scrubbed = await verified(0);
  assert.deepEqual(statesOf(scrubbed), { vm1: "NotVerified", vm2: "NotVerified" });
  assert.deepEqual(statesOf(await verified(0, "--deep", "--item", "vm2")), { vm2: "Good" });
  assert.deepEqual(statesOf(await verified(0)), { vm1: "NotVerified", vm2: "Good" });
  const jobs = (await rig.vault("GET", "/backupJobs?$filter=operation%20eq%20'Verify'")).json.value as {
    properties: { status: string; extendedInfo: { progressPercentage: number } };
  }[];
  assert.deepEqual(
    jobs.map(({ properties }) => [properties.status, properties.extendedInfo.progressPercentage]),
    jobs.map(() => ["Completed", 100]),
  );
  assert.equal(jobs.length, 3);
});

test("one flipped byte is found by either look, and the point is named with its time and the reason", async () => {
  const pack = newPacks.toSorted((a, b) => statSync(b).size - statSync(a).size)[0] ?? "";
  flipByte(pack, 5000);
  const [point] = await rig.points("vm1");
  assert.deepEqual(statesOf(await verified(0, "--deep", "--item", "vm2")), { vm2: "Good" });

  const scrubbed = await verified(4);
  assert.equal(scrubbed.damagedObjects, 1);
  assert.deepEqual(statesOf(scrubbed), { vm1: "Broken", vm2: "Good" });
  const broken = scrubbed.points.find(({ item }) => item === "vm1");
  assert.equal(broken?.point, point?.name);
  assert.equal(Date.parse(broken?.time ?? ""), Date.parse(point?.properties.recoveryPointTime ?? "-"));
  assert.ok((broken?.problems[0] ?? "").length > 0);
  const [newest] = (await rig.vault("GET", "/backupJobs?$filter=operation%20eq%20'Verify'")).json.value as WireJob[];
  const job = (await rig.vault("GET", `/backupJobs/${newest?.name}`)).json as WireJob;
  assert.deepEqual(
    job.properties.errorDetails.map(({ errorString }) => errorString.split(":")[0]),
    ["VaultObjectDamaged", "UserErrorRecoveryPointBroken"],
  );

  const deep = await verify("--deep");
  assert.equal(deep.code, 4, deep.output);
  assert.match(deep.output, new RegExp(`^vm1  ${point?.name}  \\S+  BROKEN  \\S+.*$`, "m"));
  assert.match(deep.output, /^vm2  \d+  \S+  good$/m);
});

test("a point that is known to be broken is not restored, and the refusal says so", async () => {
  const [point] = await rig.points("vm1");
  const refused = await rig.vault("POST", `${rig.itemPath("vm1")}/recoveryPoints/${point?.name}/restore`, {
    properties: {
      objectType: "IaasVMRestoreRequest",
      recoveryType: "RestoreDisks",
      region: "eastus",
      targetResourceGroupId: rig.group,
    },
  });
  assert.equal(refused.json.error?.code, "UserErrorRecoveryPointBroken", refused.text);
});

test("the next backup heals the point, and a look says so", async () => {
  await rig.backUp("vm1");
  const healed = await verified(0, "--deep");
  assert.deepEqual(healed.points.map(({ item, state }) => [item, state]).toSorted(), [
    ["vm1", "Good"],
    ["vm1", "Good"],
    ["vm2", "Good"],
  ]);
});

test("an item that the vault does not protect ends with 3, a wrong mode is refused", async () => {
  const answer = await verify("--item", "nobody");
  assert.equal(answer.code, 3, answer.output);
  assert.match(answer.output, /does not protect 'nobody'/);
  assert.equal((await rig.vault("POST", "/providers/Microsoft.Holdfast/verify", { mode: "soft" })).status, 400);
});
