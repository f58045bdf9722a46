// What goes wrong in a guest and how its backup says so: each code of the table in docs/jobs.md that has
// its cause in the guest, reached by that cause. One guest, one backup a cause.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import { connectQmp } from "../../src/hosts/qemu/qmp.ts";
import { controlSocket, startGuest, type RunningGuest } from "../guests/running-guest.ts";
import { backUpAll } from "./back-up-all.ts";
import { startRig, type Rig, type WireJob } from "./rig.ts";

let rig: Rig;
let guest: RunningGuest;
let sockets: string;

before(async () => {
  sockets = mkdtempSync(join(tmpdir(), "holdfast-sockets-"));
  rig = await startRig({ machines: {} });
  guest = await startGuest({ folder: sockets, name: "web" });
  const host = await rig.call("PUT", `${rig.group}/providers/Microsoft.Holdfast/hosts/rack`, {
    location: "eastus",
    properties: { kind: "qemu", socketDirectory: sockets, accelerator: "tcg" },
  });
  assert.ok(host.status < 300, host.text);
  await waitFor(
    "the agent",
    async () => {
      const { json } = await rig.call("GET", `${rig.machineId("web")}/instanceView`);
      return json?.vmAgent?.statuses?.[0]?.displayStatus === "Ready" ? true : undefined;
    },
    120_000,
    250,
  );
  // On another day than the test's: what is backed up here is backed up on demand.
  const inDays = (days: number): Date => new Date(Date.now() + days * 86_400_000);
  const weekday = inDays(4).toLocaleDateString("en", { weekday: "long", timeZone: "UTC" });
  const times = ["2026-01-01T02:00:00Z"];
  const policy = await rig.vault("PUT", "/backupPolicies/Rarely", {
    properties: {
      backupManagementType: "AzureIaasVM",
      timeZone: "UTC",
      schedulePolicy: {
        schedulePolicyType: "SimpleSchedulePolicy",
        scheduleRunFrequency: "Weekly",
        scheduleRunDays: [weekday],
        scheduleRunTimes: times,
      },
      retentionPolicy: {
        retentionPolicyType: "LongTermRetentionPolicy",
        weeklySchedule: {
          daysOfTheWeek: [weekday],
          retentionTimes: times,
          retentionDuration: { count: 4, durationType: "Weeks" },
        },
      },
    },
  });
  assert.ok(policy.status < 300, policy.text);
  await rig.protect("web", "Rarely");
});
after(async () => {
  await guest?.[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
  rmSync(sockets, { recursive: true, force: true });
});

async function inGuest(...script: string[]): Promise<string> {
  const sent = await rig.call("POST", `${rig.machineId("web")}/runCommand`, { commandId: "RunShellScript", script });
  assert.equal(sent.status, 202, sent.text);
  const path = new URL(String(sent.headers["location"])).pathname;
  const answer = await waitFor(
    "the script",
    async () => {
      const said = await rig.call("GET", path);
      return said.status === 202 ? undefined : said;
    },
    120_000,
    50,
  );
  assert.equal(answer.status, 200, answer.text);
  return JSON.stringify(answer.json);
}

/** The codes that the job's errors and warnings begin with. */
function codesOf({ properties }: WireJob): readonly string[] {
  return properties.errorDetails.map(({ errorString }) => errorString.split(":")[0] ?? "");
}

const folder = "/etc/azure";
const configFile = `${folder}/VMSnapshotScriptPluginConfig.json`;
const settings = (more: object = {}): string =>
  JSON.stringify({ preScriptLocation: "/opt/pre", postScriptLocation: "/opt/post", ...more });
const wellSetUp = (more: object = {}): string[] => [
  `mkdir -p -m 755 ${folder} /opt`,
  `echo '${settings(more)}' >${configFile}`,
  "echo true >/opt/pre; echo true >/opt/post",
  `chmod 600 ${configFile}; chmod 700 /opt/pre /opt/post`,
];

const causes: readonly (readonly [code: string, cause: string, ...script: string[]])[] = [
  ["Pre-ScriptExecutionFailed", "the pre-script ends with 1", "echo exit 1 >/opt/pre"],
  ["Post-ScriptExecutionFailed", "the post-script ends with 1", "echo exit 1 >/opt/post"],
  ["Pre-ScriptNotFound", "there is no pre-script", "rm /opt/pre"],
  ["Post-ScriptNotFound", "there is no post-script", "rm /opt/post"],
  ["InsufficientPermissionforPre-Script", "others may change the pre-script", "chmod 777 /opt/pre"],
  ["InsufficientPermissionforPost-Script", "others may change the post-script", "chmod 777 /opt/post"],
  ["IncorrectJSONConfigFile", "the configuration is no JSON", `echo '{' >${configFile}`],
  [
    "Pre-ScriptTimeout",
    "the pre-script does not end",
    `echo '${settings({ timeoutInSeconds: 1 })}' >${configFile}; echo 'sleep 9' >/opt/pre`,
  ],
  [
    "Post-ScriptTimeout",
    "the post-script does not end",
    `echo '${settings({ timeoutInSeconds: 1 })}' >${configFile}; echo 'sleep 9' >/opt/post`,
  ],
];

for (const [code, cause, ...script] of causes) {
  test(`${cause}: ${code}, and the backup goes on`, async () => {
    await inGuest(...wellSetUp(), ...script);
    const job = await rig.backUp("web");
    assert.equal(job.properties.status, "CompletedWithWarnings", JSON.stringify(job.properties));
    assert.deepEqual(codesOf(job), [code]);
    assert.notEqual(job.properties.errorDetails[0]?.recommendations.length, 0);
  });
}

test("others may change the plug-in's configuration: IncorrectPluginhostFile, and the backup goes on", async () => {
  // A machine is backed up on demand nine times a day at most.
  await rig.advance(86_400_000);
  const plugin = `${folder}/VMSnapshotPluginHost.conf`;
  await inGuest(...wellSetUp(), `echo '[main]' >${plugin}; chmod 666 ${plugin}`);
  const job = await rig.backUp("web");
  await inGuest(`rm ${plugin}`);
  assert.equal(job.properties.status, "CompletedWithWarnings", JSON.stringify(job.properties));
  assert.deepEqual(codesOf(job), ["IncorrectPluginhostFile"]);
});

test("a script that must not fail fails: the backup fails with its code, and the item says so", async () => {
  await inGuest(...wellSetUp({ continueBackupOnFailure: false }), "echo exit 1 >/opt/pre");
  const job = await rig.backUp("web");
  assert.equal(job.properties.status, "Failed", JSON.stringify(job.properties));
  assert.deepEqual(codesOf(job), ["Pre-ScriptExecutionFailed"]);
  const { json } = await rig.item("web");
  assert.deepEqual([json.properties.healthStatus, json.properties.lastBackupStatus], ["ActionRequired", "Failed"]);
  assert.match(json.properties.healthDetails[0].message, /^Pre-ScriptExecutionFailed/);
  await inGuest(`rm ${configFile}`);
});

test("a mount that cannot be opened: UserErrorUnableToOpenMount, and the point is crash consistent", async () => {
  // A file system that is covered by another one, as a stale mount of file recovery leaves it.
  await inGuest("umount /mnt/b; mkdir -p /mnt/x/y; mount LABEL=DATAB /mnt/x/y; mount -t tmpfs none /mnt/x");
  const job = await rig.backUp("web");
  await inGuest("umount /mnt/x; umount /mnt/x/y");
  assert.equal(job.properties.status, "CompletedWithWarnings", JSON.stringify(job.properties));
  assert.deepEqual(codesOf(job), ["UserErrorUnableToOpenMount"]);
  assert.equal((await rig.points("web"))[0]?.properties.recoveryPointType, "CrashConsistent");
});

test("a freeze that the agent's hook refuses: UserErrorFsFreezeFailed, and the point is crash consistent", async () => {
  await inGuest(
    "printf '#!/bin/sh\\nexit 1\\n' >/etc/freeze-hook; chmod 755 /etc/freeze-hook",
    "echo -F/etc/freeze-hook >/etc/agent-options; (sleep 1; killall qemu-ga) >/dev/null 2>&1 &",
  );
  await waitFor(
    "the agent with its hook",
    async () => {
      // What was said to the agent that ended comes to nothing.
      const said = await inGuest("tr '\\0' ' ' </proc/$(pidof qemu-ga)/cmdline").catch(() => "");
      return said.includes("-F/etc/freeze-hook") ? true : undefined;
    },
    120_000,
    250,
  );
  const job = await rig.backUp("web");
  assert.equal(job.properties.status, "CompletedWithWarnings", JSON.stringify(job.properties));
  assert.deepEqual(codesOf(job), ["UserErrorFsFreezeFailed"]);
  assert.equal((await rig.points("web"))[0]?.properties.recoveryPointType, "CrashConsistent");
});

test("the agent says no word of the freeze: GuestAgentSnapshotTaskStatusError, and the point is crash consistent", async () => {
  await inGuest(`printf '#!/bin/sh\\n[ "$1" != freeze ] || sleep 12\\n' >/etc/freeze-hook`);
  const job = await rig.backUp("web");
  await inGuest("rm /etc/freeze-hook");
  assert.equal(job.properties.status, "CompletedWithWarnings", JSON.stringify(job.properties));
  assert.deepEqual(codesOf(job), ["GuestAgentSnapshotTaskStatusError"]);
  assert.equal((await rig.points("web"))[0]?.properties.recoveryPointType, "CrashConsistent");
});

test("somebody else's NBD server stands in the machine's QEMU: VMRestorePointInternalError, each time it is tried", async () => {
  using control = await connectQmp(controlSocket(sockets, "web"));
  const data = { path: join(sockets, "others.nbd") };
  await control.command("nbd-server-start", { addr: { type: "unix", data } });
  await control.command("block-export-add", { type: "nbd", id: "theirs", "node-name": "b", name: "theirs" });
  const [job] = await backUpAll(rig, ["web"]);
  await control.command("nbd-server-stop");
  assert.equal(job?.properties.status, "Failed", JSON.stringify(job?.properties));
  assert.deepEqual(codesOf(job!), ["VMRestorePointInternalError"]);
});

test("the agent has stopped: UserErrorGuestAgentStatusUnavailable, and the point is crash consistent", async () => {
  await inGuest("(sleep 1; killall -STOP qemu-ga) >/dev/null 2>&1 &");
  await waitFor(
    "the agent to be silent",
    async () => {
      const { json } = await rig.call("GET", `${rig.machineId("web")}/instanceView`);
      return json?.vmAgent?.statuses?.[0]?.displayStatus === "Ready" ? undefined : true;
    },
    120_000,
    250,
  );
  const job = await rig.backUp("web");
  assert.equal(job.properties.status, "CompletedWithWarnings", JSON.stringify(job.properties));
  assert.deepEqual(codesOf(job), ["UserErrorGuestAgentStatusUnavailable"]);
});

test("the machine's QEMU has died: UserErrorVmProvisioningStateFailed", async () => {
  await guest.kill();
  const job = await rig.backUp("web");
  assert.equal(job.properties.status, "Failed", JSON.stringify(job.properties));
  assert.deepEqual(codesOf(job), ["UserErrorVmProvisioningStateFailed"]);
});
