// A running guest under Debian's az and the Compute SDK: found, looked into, ordered about.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { startGuest, type RunningGuest } from "../guests/running-guest.ts";
import { azFails } from "../support/az.ts";
import { projectRoot } from "../support/service.ts";
import { startRack, type Rack } from "./rack.ts";

const execute = promisify(execFile);
const where = ["--resource-group", "lab", "--name", "web"];
const uuid = "6a1f0f3e-57a5-4a33-9d0b-0d8c2b1e9f01";
const sparePort = ["-device", "pcie-root-port,id=spare,chassis=1"];

let rack: Rack;
let guest: RunningGuest;

before(async () => {
  rack = await startRack();
  const added = await rack.cli("host", "add", "qemu", "-n", "rack1", "-g", "lab", "--socket-dir", rack.folder);
  assert.equal(added.exitCode, 0, added.stderr);
  guest = await startGuest({ folder: rack.folder, name: "web", moreArguments: ["-uuid", uuid, ...sparePort] });
  await rack.untilSeen("web");
  await rack.untilAgentReady("web");
});

after(async () => {
  await guest?.[Symbol.asyncDispose]();
  await rack?.[Symbol.asyncDispose]();
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

test("az looks at machines, sizes, usage and extensions from every side", async () => {
  const at = ["--location", "local"];
  const image = ["--publisher", "Microsoft.Azure.RecoveryServices", "--name", "VMSnapshotLinux"];
  const running = "instanceView.statuses[?code=='PowerState/running']";
  const [details, addresses, resizes, usage, images, shown, missing] = await Promise.all([
    rack.az("vm", "list", "--show-details"),
    rack.az("vm", "list-ip-addresses"),
    rack.az("vm", "list-vm-resize-options", ...where),
    rack.az("vm", "list-usage", ...at),
    rack.az("vm", "extension", "image", "list", ...at),
    rack.az("vm", "extension", "image", "show", ...at, ...image, "--version", "1.9"),
    azFails(rack.az, "vm", "extension", "image", "show", ...at, ...image, "--version", "7.0"),
    rack.az("vm", "wait", ...where, "--custom", running, "--interval", "1", "--timeout", "60"),
  ]);
  assert.deepEqual(
    details.map(({ name, powerState }: Record<string, string>) => [name, powerState]),
    [["web", "VM running"]],
  );
  assert.ok(Array.isArray(addresses) && resizes.length > 5 && images.length > 3);
  assert.deepEqual(
    usage.map((one: { name: { value: string }; currentValue: string }) => [one.name.value, one.currentValue]),
    [
      ["cores", "1"],
      ["virtualMachines", "1"],
    ],
  );
  assert.deepEqual([shown.name, shown.operatingSystem], ["1.9", "Linux"]);
  assert.match(missing.text, /ArtifactNotFound[^]*1\.0 and 1\.9/);
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
  const attach = ["vm", "disk", "attach", "-g", "lab", "--vm-name", "web", "--new", "--size-gb", "1"];
  assert.match((await azFails(rack.az, ...attach, "--name", "web_b")).text, /There is a disk 'web_b' already/);
  const detach = ["vm", "disk", "detach", "-g", "lab", "--vm-name", "web", "--name", "web_b"];
  // What QEMU was started with hangs on a bus that lets nothing go.
  assert.match((await azFails(rack.az, ...detach)).text, /OperationNotAllowed[^]*does not support hotplugging/);
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
  const { stdout } = await execute("az", ["vm", "extension", "list", ...vm, "--output", "table"], {
    env: rack.environment,
  });
  assert.match(
    stdout,
    /^Name +ProvisioningState +Publisher[^]*\nVMSnapshotLinux +Succeeded +Microsoft\.Azure\.RecoveryServices/,
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

test("the Compute SDK lists, looks, runs a script, changes disks and restarts", async () => {
  const ownDisks = [
    ["web_a", 0],
    ["web_b", 1],
  ];
  const { tenantId, clientId, clientSecret, subscriptionId } = rack.service.admin;
  await rack.untilAgentReady("web");
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
    attached: [[...ownDisks, ["Sdk-Disk", 2]], "ReadOnly"],
    unchanged: true,
    detached: ownDisks,
    notThere: { statusCode: 400, code: "InvalidParameter" },
  });
  await rack.untilAgentReady("web");
});

test("a disk comes to the running machine, is written to, leaves it, and is downloaded with what was written", async () => {
  const disk = ["--resource-group", "lab", "--name", "extra"];
  const onMachine = ["--resource-group", "lab", "--vm-name", "web", "--name", "extra"];
  const inGuest = async (script: string): Promise<string> => {
    const ran = await rack.az(
      "vm",
      "run-command",
      "invoke",
      ...where,
      "--command-id",
      "RunShellScript",
      "--scripts",
      script,
    );
    assert.equal(ran.value[0].code, "ProvisioningState/succeeded", ran.value[0].message);
    return /\[stdout\]\n([^]*)\n\[stderr\]/.exec(ran.value[0].message)?.[1] ?? "";
  };
  await rack.az("vm", "disk", "attach", ...onMachine, "--new", "--size-gb", "1");
  const shown = await rack.az("vm", "show", ...where);
  assert.deepEqual(
    shown.storageProfile.dataDisks.map(({ lun, name }: { lun: number; name: string }) => [lun, name]),
    [
      [0, "web_a"],
      [1, "web_b"],
      [2, "extra"],
    ],
  );
  assert.equal((await rack.az("disk", "show", ...disk)).managedBy, shown.id);
  assert.match(
    (await azFails(rack.az, "disk", "delete", ...disk, "--yes")).text,
    /extra[^]*attached|attached[^]*extra/i,
  );

  const write = "d=/dev/$(basename $(dirname $(grep -lx lun2 /sys/block/*/serial)))";
  const sum = await inGuest(
    `${write}; dd if=/dev/urandom of=$d bs=64k count=3 seek=16 conv=fsync 2>/dev/null; dd if=$d bs=64k count=3 skip=16 2>/dev/null | sha256sum`,
  );
  await rack.az(
    "restore-point",
    "collection",
    "create",
    "-g",
    "lab",
    "--collection-name",
    "points",
    "--source-id",
    shown.id,
  );
  for (const [mode, reached] of [
    ["CrashConsistent", "CrashConsistent"],
    ["FileSystemConsistent", "FileSystemConsistent"],
    ["ApplicationConsistent", "FileSystemConsistent"],
  ] as const) {
    const point = ["-g", "lab", "--collection-name", "points", "--name", mode.toLowerCase()];
    const made = await rack.az("restore-point", "create", ...point, "--consistency-mode", mode);
    assert.deepEqual([made.provisioningState, made.consistencyMode], ["Succeeded", reached], mode);
    assert.equal(made.sourceMetadata.storageProfile.dataDisks.length, 3);
  }
  await rack.az("restore-point", "collection", "delete", "-g", "lab", "--collection-name", "points", "--yes");

  await rack.az("vm", "disk", "detach", ...onMachine);
  assert.equal((await rack.az("vm", "show", ...where)).storageProfile.dataDisks.length, 2);
  assert.equal((await rack.az("disk", "show", ...disk)).managedBy ?? null, null);
  const { accessSas } = await rack.az(
    "disk",
    "grant-access",
    ...disk,
    "--duration-in-seconds",
    "600",
    "--access-level",
    "Read",
  );
  const path = join(rack.folder, "extra.vhd");
  await execute("curl", ["--fail", "--silent", "--cacert", rack.service.ca, "--output", path, accessSas]);
  assert.equal(statSync(path).size, 1024 ** 3 + 512);
  const { stdout } = await execute("sh", ["-c", `dd if=${path} bs=64k count=3 skip=16 2>/dev/null | sha256sum`]);
  assert.equal(stdout.trim(), sum.trim());
  rmSync(path);
  await rack.az("disk", "revoke-access", ...disk);
  await rack.az("disk", "delete", ...disk, "--yes");
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
