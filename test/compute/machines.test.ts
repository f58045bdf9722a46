// A running guest under Debian's az and the Compute SDK: found, looked into, ordered about.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { startGuest, type RunningGuest } from "../guests/running-guest.ts";
import { azFails } from "../support/az.ts";
import { projectRoot } from "../support/service.ts";
import { startRack, type Rack } from "./rack.ts";

const execute = promisify(execFile);
const where = ["--resource-group", "lab", "--name", "web"];
const uuid = "6a1f0f3e-57a5-4a33-9d0b-0d8c2b1e9f01";

let rack: Rack;
let guest: RunningGuest;
let tookToSee: number;

before(async () => {
  rack = await startRack();
  const added = await rack.cli("host", "add", "qemu", "-n", "rack1", "-g", "lab", "--socket-dir", rack.folder);
  assert.equal(added.exitCode, 0, added.stderr);
  guest = await startGuest({ folder: rack.folder, name: "web", moreArguments: ["-uuid", uuid] });
  tookToSee = await rack.untilSeen("web");
  await rack.untilAgentReady("web");
});

after(async () => {
  await guest?.[Symbol.asyncDispose]();
  await rack?.[Symbol.asyncDispose]();
});

test("a machine is found within five seconds of showing itself", () => {
  assert.ok(tookToSee < 5_000, `${tookToSee} ms`);
});

test("az vm list and show tell of it, with its disks and its identity", async () => {
  const [listed] = await rack.az("vm", "list");
  assert.equal(listed.name, "web");
  assert.equal(listed.resourceGroup, "lab");
  const shown = await rack.az("vm", "show", "--show-details", ...where);
  assert.equal(shown.vmId, uuid);
  assert.equal(shown.powerState, "VM running");
  assert.equal(shown.type, "Microsoft.Compute/virtualMachines");
  assert.equal(shown.storageProfile.osDisk.name, "web_sys");
  assert.deepEqual(
    shown.storageProfile.dataDisks.map(({ lun, name }: { lun: number; name: string }) => [lun, name]),
    [
      [0, "web_a"],
      [1, "web_b"],
    ],
  );
  const [resource] = await rack.az("resource", "list", "--resource-type", "Microsoft.Compute/virtualMachines");
  assert.equal(resource.id, shown.id);
  const [disk] = await rack.az("disk", "list", "--query", "[?name=='web_sys']");
  assert.equal(disk.managedBy, shown.id);
});

test("the instance view tells of agent, power and disks", async () => {
  const { instanceView } = await rack.az("vm", "get-instance-view", ...where);
  assert.match(instanceView.vmAgent.vmAgentVersion, /^\d+\.\d+/);
  assert.equal(instanceView.vmAgent.statuses[0].displayStatus, "Ready");
  assert.ok(instanceView.statuses.some(({ code }: { code: string }) => code === "PowerState/running"));
  assert.equal(instanceView.disks.length, 3);
});

test("a script runs in the guest, and what it prints and how it ends comes back", async () => {
  const script = ["--command-id", "RunShellScript", "--scripts", "echo out $1; echo err >&2; exit $code"];
  const good = await rack.az("vm", "run-command", "invoke", ...where, ...script, "--parameters", "word", "code=0");
  assert.match(good.value[0].message, /^Enable succeeded: \n\[stdout\]\nout word\n\n\[stderr\]\nerr\n/);
  const bad = await rack.az("vm", "run-command", "invoke", ...where, ...script, "--parameters", "x; reboot", "code=7");
  assert.equal(bad.value[0].code, "ProvisioningState/failed");
  assert.match(bad.value[0].message, /exit code 7[^]*out x; reboot/);
  const { text } = await azFails(
    rack.az,
    "vm",
    "run-command",
    "invoke",
    ...where,
    "--command-id",
    "RunPowerShellScript",
    "--scripts",
    "dir",
  );
  assert.match(text, /CommandNotSupported[^]*RunShellScript/);
});

test("tags change with az vm update; size, disks and images are refused with what can be done", async () => {
  const updated = await rack.az("vm", "update", ...where, "--set", "tags.tier=gold");
  assert.deepEqual(updated.tags, { tier: "gold" });
  const patched = await rack.service.call(
    "PATCH",
    `${rack.group}/providers/Microsoft.Compute/virtualMachines/web?api-version=2024-11-01`,
    { body: { tags: { tier: "silver" } } },
  );
  assert.deepEqual([patched.status, patched.json.tags], [200, { tier: "silver" }]);
  const resize = await azFails(rack.az, "vm", "update", ...where, "--set", "hardwareProfile.vmSize=Standard_D4s_v5");
  assert.match(resize.text, /OperationNotAllowed[^]*cannot change the size from Holdfast_1_192 to Standard_D4s_v5/);
  const attach = ["vm", "disk", "attach", "-g", "lab", "--vm-name", "web", "--name", "more", "--new", "--size-gb", "1"];
  assert.match((await azFails(rack.az, ...attach)).text, /cannot attach more/);
  const detach = ["vm", "disk", "detach", "-g", "lab", "--vm-name", "web", "--name", "web_b"];
  assert.match((await azFails(rack.az, ...detach)).text, /cannot[^]*detach web_b/);
  const create = ["vm", "create", "-g", "lab", "--name", "new", "--image", "Debian", "--admin-username", "me"];
  assert.match(
    (await azFails(rack.az, ...create, "--admin-password", "Secret-12345678")).text,
    /no marketplace images/,
  );
});

test("the backup extension is set, listed and removed, and its protected settings are never shown", async () => {
  const kind = ["--publisher", "Microsoft.Azure.RecoveryServices", "--name", "VMSnapshotLinux"];
  const vm = ["--resource-group", "lab", "--vm-name", "web"];
  const settings = ["--settings", '{"locale":"en-us"}', "--protected-settings", '{"statusBlobUri":"https://hidden"}'];
  const set = await rack.az("vm", "extension", "set", ...vm, ...kind, ...settings);
  assert.deepEqual([set.typePropertiesType, set.settings], ["VMSnapshotLinux", { locale: "en-us" }]);
  const listed = await rack.az("vm", "extension", "list", ...vm);
  assert.deepEqual(
    listed.map(({ name, provisioningState }: Record<string, string>) => [name, provisioningState]),
    [["VMSnapshotLinux", "Succeeded"]],
  );
  const shown = await rack.az("vm", "extension", "show", ...vm, "--name", "VMSnapshotLinux", "--instance-view");
  assert.equal(shown.instanceView.statuses[0].code, "ProvisioningState/succeeded");
  const { text } = await rack.machine("web", "?$expand=instanceView");
  assert.ok(text.includes("VMSnapshotLinux") && !text.includes("hidden"));
  const other = await azFails(
    rack.az,
    "vm",
    "extension",
    "set",
    ...vm,
    "--publisher",
    "Microsoft.Azure.Extensions",
    "--name",
    "CustomScript",
    "--version",
    "2.0",
  );
  assert.match(other.text, /ArtifactNotFound[^]*run-command/);
  await rack.az("vm", "extension", "delete", ...vm, "--name", "VMSnapshotLinux");
  assert.deepEqual(await rack.az("vm", "extension", "list", ...vm), []);
});

test("the Compute SDK lists, looks, runs a script and restarts", async () => {
  const { tenantId, clientId, clientSecret, subscriptionId } = rack.service.admin;
  const { stdout } = await execute(process.execPath, [`${projectRoot}/test/compute/sdk-program.ts`], {
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: rack.service.ca,
      ENDPOINT: rack.service.endpoint,
      TENANT_ID: tenantId,
      CLIENT_ID: clientId,
      CLIENT_SECRET: clientSecret,
      SUBSCRIPTION_ID: subscriptionId,
    },
  });
  assert.deepEqual(JSON.parse(stdout), {
    listed: ["web"],
    all: ["web"],
    vmId: uuid,
    power: ["PowerState/running"],
    agent: "Ready",
    ran: "ProvisioningState/succeeded",
    extension: ["VMSnapshot", 0],
    missing: { statusCode: 404, code: "ResourceNotFound" },
  });
  await rack.untilAgentReady("web");
});

test("it is restarted, stopped and forgotten; one that Holdfast did not make is neither started nor deleted", async () => {
  const foreign = await azFails(rack.az, "vm", "delete", "--yes", ...where);
  assert.match(foreign.text, /MachineNotOurs/);
  await rack.az("vm", "restart", ...where);
  await rack.untilAgentReady("web");
  await rack.az("vm", "stop", "--skip-shutdown", ...where);
  const stopped = await rack.az("vm", "show", "--show-details", ...where);
  assert.equal(stopped.powerState, "VM stopped");
  assert.equal(stopped.vmId, uuid);
  const { stdout } = await rack.cli("host", "show", "-n", "rack1", "-g", "lab");
  assert.match(stdout, /^web +web +gone +yes +3/m);
  assert.match((await azFails(rack.az, "vm", "start", ...where)).text, /MachineVanished/);
  await rack.az("vm", "delete", "--yes", ...where);
  assert.equal((await rack.machine("web")).status, 404);
});
