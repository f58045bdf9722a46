// A running guest in a vault: the level of each recovery point as Azure calls it, and a job that says so
// when it is less than could have been.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openQemuHost } from "../../src/hosts/qemu/host.ts";
import { runInGuest } from "../../src/guest/programs.ts";
import { isErrorCode } from "../../src/lib/errors.ts";
import { waitFor } from "../../src/lib/time.ts";
import { startGuest, type RunningGuest } from "../guests/running-guest.ts";
import { startRig, type Rig } from "./rig.ts";

let rig: Rig;
let guest: RunningGuest;
let sockets: string;

before(async () => {
  sockets = mkdtempSync(join(tmpdir(), "holdfast-sockets-"));
  rig = await startRig({ machines: {} });
  guest = await startGuest({ folder: sockets, name: "web" });
  await waitFor("the agent", () => once("true").catch(() => undefined), 120_000, 500);
  const host = await rig.call("PUT", `${rig.group}/providers/Microsoft.Holdfast/hosts/rack`, {
    location: "eastus",
    properties: { kind: "qemu", socketDirectory: sockets, accelerator: "tcg" },
  });
  assert.ok(host.status < 300, host.text);
  const policy = (await rig.vault("GET", "/backupPolicies/EnhancedPolicy")).json;
  policy.properties.snapshotConsistencyType = "OnlyCrashConsistent";
  const saved = await rig.vault("PUT", "/backupPolicies/Crash", { properties: policy.properties });
  assert.equal(saved.status, 200, saved.text);
  await rig.protect("web", "EnhancedPolicy");
});
after(async () => {
  await guest?.[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
  rmSync(sockets, { recursive: true, force: true });
});

/** Past the service. An agent serves one at a time: when the service asks it just now, once more. */
function inGuest(script: string): Promise<string> {
  const unlessBusy = (error: unknown): undefined => {
    if (!isErrorCode(error, "AgentUnresponsive")) throw error;
  };
  return waitFor("the agent", () => once(script).catch(unlessBusy), 120_000, 250);
}

async function once(script: string): Promise<string> {
  const host = openQemuHost({ socketFolder: sockets });
  try {
    const [machine] = await host.listMachines();
    const program = { path: "/bin/sh", args: ["-c", script] };
    const { exitCode, stdout, stderr } = await host.withAgent(machine?.id ?? "", (agent) => runInGuest(agent, program));
    assert.equal(exitCode, 0, stderr);
    return `${stdout}.`;
  } finally {
    await host.close();
  }
}

interface Reached {
  readonly type: string | undefined;
  readonly status: string;
  readonly consistency: string | undefined;
  readonly codes: readonly string[];
}

async function backUp(): Promise<Reached> {
  const { properties } = await rig.backUp("web");
  const [newest] = (await rig.points("web")).toSorted((one, other) =>
    other.properties.recoveryPointTime.localeCompare(one.properties.recoveryPointTime),
  );
  return {
    type: newest?.properties.recoveryPointType,
    status: properties.status,
    consistency: properties.extendedInfo.propertyBag["Consistency"],
    codes: properties.errorDetails.map(({ errorString }) => errorString.split(":")[0] ?? ""),
  };
}

const completed = { status: "Completed", codes: [] };

test("without scripts a point is file system consistent, and that is no warning", async () => {
  assert.deepEqual(await backUp(), { type: "FileSystemConsistent", consistency: "fileSystem", ...completed });
});

test("with scripts that do their work a point is application consistent", async () => {
  await inGuest(
    `mkdir -p -m 755 /etc/azure /opt; echo 'date >/mnt/a/rest' >/opt/pre; echo 'rm /mnt/a/rest' >/opt/post
     echo '{"preScriptLocation":"/opt/pre","postScriptLocation":"/opt/post"}' >/etc/azure/VMSnapshotScriptPluginConfig.json
     chmod 700 /opt/pre /opt/post; chmod 600 /etc/azure/*.json`,
  );
  assert.deepEqual(await backUp(), { type: "AppConsistent", consistency: "application", ...completed });
  await inGuest("[ ! -e /mnt/a/rest ]");
});

test("a guest without room for the extension's part keeps file system consistency, with a warning that says why", async () => {
  await inGuest("dd if=/dev/zero of=/full bs=64k 2>/dev/null; dd if=/dev/zero of=/rest bs=1k 2>/dev/null; sync");
  assert.deepEqual(await backUp(), {
    type: "FileSystemConsistent",
    consistency: "fileSystem",
    status: "CompletedWithWarnings",
    codes: ["ExtensionNotWritable"],
  });
  await inGuest("rm -f /full /rest");
});

test("a policy for crash consistency only asks nothing of the guest", async () => {
  await inGuest("rm -f /run/touched; echo 'touch /run/touched' >/opt/pre");
  await rig.protect("web", "Crash");
  assert.deepEqual(await backUp(), { type: "CrashConsistent", consistency: "crash", ...completed });
  await inGuest("[ ! -e /run/touched ]");
});
