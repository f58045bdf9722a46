// A restore point of a running guest with scripts: application consistent, and the extension is shown.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startGuest, type RunningGuest } from "../guests/running-guest.ts";
import { startRack, type Rack } from "./rack.ts";

const where = ["--resource-group", "lab"];
let rack: Rack;
let guest: RunningGuest;

before(async () => {
  rack = await startRack();
  const added = await rack.cli("host", "add", "qemu", "-n", "rack1", "-g", "lab", "--socket-dir", rack.folder);
  assert.equal(added.exitCode, 0, added.stderr);
  const uuid = "6a1f0f3e-57a5-4a33-9d0b-0d8c2b1e9f07";
  guest = await startGuest({ folder: rack.folder, name: "web", moreArguments: ["-uuid", uuid] });
  await rack.untilSeen("web");
  await rack.untilAgentReady("web");
});
after(async () => {
  await guest?.[Symbol.asyncDispose]();
  await rack?.[Symbol.asyncDispose]();
});

const config = JSON.stringify({ preScriptLocation: "/opt/pre", postScriptLocation: "/opt/post" });
const setUp = [
  "mkdir -p -m 755 /etc/azure /opt",
  `echo '${config}' >/etc/azure/VMSnapshotScriptPluginConfig.json`,
  "echo 'echo at rest >/mnt/a/rest' >/opt/pre",
  "echo 'rm /mnt/a/rest' >/opt/post",
  "chmod 600 /etc/azure/*.json",
  "chmod 700 /opt/pre /opt/post",
].join("\n");

test("az restore-point create runs the guest's scripts, and az vm extension list shows what came of it", async () => {
  await rack.az(
    "vm",
    "run-command",
    "invoke",
    ...where,
    "--name",
    "web",
    "--command-id",
    "RunShellScript",
    "--scripts",
    setUp,
  );
  const { id } = await rack.az("vm", "show", ...where, "--name", "web");
  await rack.az("restore-point", "collection", "create", ...where, "--collection-name", "points", "--source-id", id);
  const point = await rack.az("restore-point", "create", ...where, "--collection-name", "points", "--name", "one");
  assert.equal(point.consistencyMode, "ApplicationConsistent", JSON.stringify(point));
  const [extension] = await rack.az("vm", "extension", "list", ...where, "--vm-name", "web");
  assert.deepEqual(
    [extension.name, extension.publisher, extension.provisioningState],
    ["VMSnapshotLinux", "Microsoft.Azure.RecoveryServices", "Succeeded"],
  );
  const viewed = await rack.az("vm", "get-instance-view", ...where, "--name", "web");
  const [shown] = viewed.instanceView.extensions;
  assert.match(shown.typeHandlerVersion, /^1\.9\.1\.\d+$/);
  assert.equal(shown.statuses[0].message, "The snapshot is application consistent.");
  const [blob] = JSON.parse(shown.substatuses[0].message);
  assert.equal(blob.status.code, "0");
  assert.equal(JSON.parse(blob.status.formattedMessage.message).snapshotConsistency, 2);
});

test("az vm extension delete takes it out of the guest", async () => {
  const inGuest = async (command: string): Promise<string> => {
    const run = ["vm", "run-command", "invoke", ...where, "--name", "web", "--command-id", "RunShellScript"];
    const answer = await rack.az(...run, "--scripts", command);
    return JSON.stringify(answer.value);
  };
  assert.match(await inGuest("find / -xdev -name handler | grep -c VMSnapshot; true"), /\[stdout\]\\n[1-9]/);
  await rack.az("vm", "extension", "delete", ...where, "--vm-name", "web", "--name", "VMSnapshotLinux");
  assert.match(await inGuest("find / -xdev -name handler | grep -c VMSnapshot; true"), /\[stdout\]\\n0/);
  assert.deepEqual(await rack.az("vm", "extension", "list", ...where, "--vm-name", "web"), []);
});
