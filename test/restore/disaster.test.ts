// The server is lost with its data folder. What is left is a copy of the vault's store and a key: a new
// server takes it over, lists the points and restores from them.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { startRig, type Rig } from "../backup/rig.ts";
import { holdfast } from "../support/service.ts";

const execute = promisify(execFile);
let saved: string;
let contents: Buffer[];
let pointNames: string[];
let recoveryKey: string;
let rig: Rig;

async function run(...args: string[]): Promise<string> {
  return (await execute(holdfast, args, { encoding: "utf8" })).stdout;
}

before(async () => {
  saved = mkdtempSync(join(tmpdir(), "holdfast-saved-"));
  const lost = await startRig({ machines: { vm1: 2 } });
  try {
    const policy = (await lost.vault("GET", "/backupPolicies/DefaultPolicy")).json;
    policy.properties.retentionPolicy.dailySchedule.retentionDuration.count = 77;
    const made = await lost.vault("PUT", "/backupPolicies/Seventy", { properties: policy.properties });
    assert.ok(made.status < 300, made.text);
    await lost.protect("vm1", "Seventy");
    for (let round = 0; round < 2; round += 1) assert.equal((await lost.backUp("vm1")).properties.status, "Completed");
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
  rig = await startRig({
    machines: { other: 1 },
    environment: { HOLDFAST_RESTORE_FOLDERS: saved, HOLDFAST_PLACES_FOLDERS: saved },
  });
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
  rmSync(saved, { recursive: true, force: true });
});

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
  assert.deepEqual(attached, { items: 1, points: 2, policies: ["Seventy"], problems: [] });

  const vaultId = rig.vaultId.replace(/v1$/, "back");
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
  const operation = new URL(String(answer.headers["azure-asyncoperation"])).pathname.split("/").at(-1);
  const { jobId } = (await rig.call("GET", `${vaultId}/backupOperations/${operation}`)).json.properties;
  for (;;) {
    const { status, errorDetails } = (await rig.call("GET", `${vaultId}/backupJobs/${jobId}`)).json.properties;
    if (status === "InProgress") continue;
    assert.equal(status, "Completed", JSON.stringify(errorDetails));
    break;
  }
  const images = readdirSync(folder).filter((name) => name.endsWith(".raw"));
  const read = (part: string): Buffer => readFileSync(join(folder, images.find((name) => name.includes(part)) ?? ""));
  assert.ok(read("osdisk").equals(contents[0]!));
  assert.ok(read("datadisk-000").equals(contents[1]!));

  // Once more adds nothing and breaks nothing.
  const again = JSON.parse(await run(...attach));
  assert.equal(again.points, 2);
});
