// Hosts by the command line and the API: added, looked at, removed; names that are no names; machines
// that are made from disks.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startFakeMonitor } from "../../src/inventory/testing/fake-monitor.ts";
import { waitFor } from "../../src/lib/time.ts";
import { azFails } from "../support/az.ts";
import { clientFor } from "../support/client.ts";
import { startTestService, type Answer } from "../support/service.ts";
import { startRack, type Rack } from "./rack.ts";

let rack: Rack;
let attic: string;

before(async () => {
  rack = await startRack();
  attic = mkdtempSync(join(tmpdir(), "holdfast-attic-"));
  mkdirSync(join(attic, "db"));
  for (const name of ["web.raw", "db/a-system.raw", "db/b-data.raw", "it's; $(touch pwned) №1.raw"]) {
    writeFileSync(join(attic, name), "");
    execFileSync("truncate", ["-s", "4M", join(attic, name)]);
  }
});

after(async () => {
  await rack?.[Symbol.asyncDispose]();
  rmSync(attic, { recursive: true, force: true });
});

test("host add makes the group and shows the machines; list, show, refresh and remove do what they say", async () => {
  const added = await rack.cli("host", "add", "images", "-n", "attic", "-g", "cellar", "--path", attic, "-o", "json");
  assert.equal(added.exitCode, 0, added.stderr);
  const host = JSON.parse(added.stdout);
  assert.equal(host.properties.status, "Reachable");
  assert.deepEqual(
    host.properties.machines.map(({ name }: { name: string }) => name),
    ["db", "it-s-touch-pwned-No1", "web"],
  );
  assert.match((await rack.cli("host", "list")).stdout, /^attic +cellar +images +\S+ +Reachable/m);

  renameSync(join(attic, "web.raw"), join(attic, "www.raw"));
  const refreshed = await rack.cli("host", "refresh", "-n", "attic", "-g", "cellar");
  assert.match(refreshed.stdout, /^web +www +stopped +no +1 +0\.0/m);

  const removed = await rack.cli("host", "remove", "-n", "attic", "-g", "cellar");
  assert.deepEqual([removed.exitCode, removed.stdout], [0, "removed attic\n"]);
  assert.deepEqual(await rack.az("vm", "list"), []);
  assert.ok(existsSync(join(attic, "www.raw")) && !existsSync("pwned"));
});

test("what is wrong with a host is said in one line, with the exit code that fits", async () => {
  const cases: [args: string[], exitCode: number, says: RegExp][] = [
    [
      ["add", "qemu", "-n", "x", "-g", "cellar", "--socket-dir", "/nowhere"],
      2,
      /\/nowhere is not there\. Name a folder/,
    ],
    [["add", "images", "-n", "x y", "-g", "cellar", "--path", attic], 2, /invalid/],
    [["add", "images", "-n", "x", "-g", "cellar", "--path", "/dev/null"], 2, /is no folder/],
    [["add", "libvirt", "-n", "x", "-g", "cellar", "--uri", "not a uri"], 2, /libvirt URI, such as qemu:\/\/\/system/],
    [["add", "images", "-n", "x", "-g", "cellar"], 2, /--path/],
    [["show", "-n", "nobody", "-g", "cellar"], 3, /was not found/],
    [["remove", "-n", "nobody", "-g", "cellar"], 3, /was not found/],
    [["refresh", "-n", "nobody", "-g", "nowhere"], 3, /could not be found/],
  ];
  for (const [args, exitCode, says] of cases) {
    const result = await rack.cli("host", ...args);
    assert.deepEqual([args, result.exitCode], [args, exitCode], result.stderr);
    assert.match(result.stderr, says);
    if (result.stderr.startsWith("holdfast:")) assert.equal(result.stderr.trim().split("\n").length, 1);
  }
});

test("a host is refused a second name, a change of place, and unknown settings", async () => {
  const group = rack.group.replace("/lab", "/shed");
  await rack.service.call("PUT", `${group}?api-version=2021-04-01`, { body: { location: "local" } });
  const path = `${group}/providers/Microsoft.Holdfast/hosts`;
  const put = (name: string, properties: object) =>
    rack.service.call("PUT", `${path}/${name}?api-version=2026-01-01`, { body: { location: "local", properties } });
  assert.equal((await put("one", { kind: "images", path: attic })).status, 201);
  assert.equal((await put("two", { kind: "images", path: attic })).status, 409);
  assert.equal((await put("one", { kind: "images", path: rack.folder })).status, 409);
  assert.equal((await put("three", { kind: "images", path: rack.folder, command: "rm" })).status, 400);
  assert.equal((await put("three", { kind: "vmware" })).status, 400);
  assert.equal((await put("three", { kind: "images", path: "relative" })).status, 400);
  const again = await rack.service.call("GET", `${path}/one?api-version=2026-01-01`);
  const echoed = await rack.service.call("PUT", `${path}/one?api-version=2026-01-01`, { body: again.json });
  assert.equal(echoed.status, 200, echoed.text);
  assert.equal((await rack.service.call("DELETE", `${group}?api-version=2021-04-01`)).status, 202);
  await waitFor(
    "the group's end",
    async () =>
      (await rack.service.call("GET", `${path}/one?api-version=2026-01-01`)).status === 404 ? true : undefined,
    120_000,
  );
  assert.deepEqual(await rack.az("vm", "list"), []);
});

test("a contributor of one group may not add hosts: they read folders of the service's machine", async () => {
  const admin = await clientFor(
    { ...rack.service.admin, endpoint: rack.service.endpoint, ca: rack.service.ca, pid: rack.service.pid },
    rack.service.data,
  );
  const client = await admin.createPrincipal("group contributor");
  const group = `/subscriptions/${rack.service.admin.subscriptionId}/resourceGroups/theirs`;
  await rack.service.call("PUT", `${group}?api-version=2021-04-01`, { body: { location: "local" } });
  await admin.assign(client.principalId, "b24988ac-6180-42a0-ab88-20f7382dd24c", group);
  const body = { location: "local", properties: { kind: "images", path: attic } };
  const path = `${group}/providers/Microsoft.Holdfast/hosts/x?api-version=2026-01-01`;
  for (const spelled of [body, { location: "local", Properties: { Kind: "images", Path: attic } }]) {
    const answer = await client.call("PUT", path, { body: spelled });
    assert.deepEqual([answer.status, answer.json.error.code], [403, "AuthorizationFailed"]);
  }
});

test("machines and hosts are there after the service is killed, and a socket that is dead makes no second machine", async () => {
  const data = mkdtempSync(join(tmpdir(), "holdfast-data-"));
  const sockets = mkdtempSync(join(tmpdir(), "holdfast-sockets-"));
  const uuid = "33333333-3333-4333-8333-333333333333";
  try {
    const fake = await startFakeMonitor(sockets, "web", uuid);
    const machines = async (service: { call: Rack["service"]["call"]; admin: Rack["service"]["admin"] }) => {
      const list = `/subscriptions/${service.admin.subscriptionId}/providers/Microsoft.Compute/virtualMachines`;
      const { json } = await service.call("GET", `${list}?api-version=2024-11-01&statusOnly=true`);
      return json.value.map((one: { name: string; properties: { vmId: string } }) => [one.name, one.properties.vmId]);
    };
    {
      await using first = await startTestService({ data, keepData: true });
      const group = `/subscriptions/${first.admin.subscriptionId}/resourceGroups/lab`;
      await first.call("PUT", `${group}?api-version=2021-04-01`, { body: { location: "local" } });
      const body = { location: "local", properties: { kind: "qemu", socketDirectory: sockets } };
      await first.call("PUT", `${group}/providers/Microsoft.Holdfast/hosts/rack?api-version=2026-01-01`, { body });
      assert.deepEqual(await machines(first), [["web", uuid]]);
      await first.kill();
    }
    fake.manner = "garbage";
    {
      await using second = await startTestService({ data, keepData: true });
      const host = `/subscriptions/${second.admin.subscriptionId}/resourceGroups/lab/providers/Microsoft.Holdfast/hosts/rack`;
      const look = await second.call("POST", `${host}/refresh?api-version=2026-01-01`);
      assert.equal(look.json.properties.machines.length, 1);
      assert.match(look.json.properties.machines[0].problem, /no QEMU monitor/);
      assert.deepEqual(await machines(second), [["web", uuid]]);
    }
    await fake[Symbol.asyncDispose]();
  } finally {
    for (const folder of [data, sockets]) rmSync(folder, { recursive: true, force: true });
  }
});

test("az vm create makes a machine from disks, runs it, and gives the disks free when it is deleted", async () => {
  const { exitCode, stderr } = await rack.cli(
    "host",
    "add",
    "qemu",
    "-n",
    "rack1",
    "-g",
    "lab",
    "--socket-dir",
    rack.folder,
    "--accelerator",
    "tcg",
  );
  assert.equal(exitCode, 0, stderr);
  const lab = ["--resource-group", "lab"];
  const disk = `${rack.group}/providers/Microsoft.Compute/disks`;
  for (const name of ["system", "data", "more"]) {
    const properties = { creationData: { createOption: "Empty" }, diskSizeGB: 1 };
    await rack.service.call("PUT", `${disk}/${name}?api-version=2024-03-02`, {
      body: { location: "local", properties },
    });
  }
  await waitFor(
    "the disks",
    async () => {
      const { json } = await rack.service.call("GET", `${disk}?api-version=2024-03-02`);
      const made = json.value.filter(
        (one: { properties: { provisioningState: string } }) => one.properties.provisioningState === "Succeeded",
      );
      return made.length === 3 ? true : undefined;
    },
    120_000,
  );
  const vm = [...lab, "--name", "made"];
  const size = ["--size", "Standard_B1s", "--os-type", "linux"];
  await rack.az("vm", "create", ...vm, "--attach-os-disk", "system", "--attach-data-disks", "data", ...size);
  const made = await rack.az("vm", "show", "--show-details", ...vm);
  assert.deepEqual([made.powerState, made.hardwareProfile.vmSize], ["VM running", "Standard_B1s"]);
  assert.equal(made.storageProfile.osDisk.name, "system");
  assert.match(made.macAddresses, /^02-48-46-/);
  const disks = async (): Promise<unknown[]> => {
    const { json } = await rack.service.call("GET", `${disk}?api-version=2024-03-02`);
    return json.value.map((one: { name: string; managedBy?: string }) => [
      one.name,
      one.managedBy === undefined ? null : "made",
    ]);
  };
  assert.deepEqual(await disks(), [
    ["data", "made"],
    ["more", null],
    ["system", "made"],
  ]);
  const second = await azFails(
    rack.az,
    "vm",
    "create",
    ...lab,
    "--name",
    "other",
    "--attach-os-disk",
    "system",
    ...size,
  );
  assert.match(second.text, /belongs to/);

  await rack.az("vm", "stop", ...vm, "--skip-shutdown");
  assert.equal((await rack.az("vm", "show", "--show-details", ...vm)).powerState, "VM stopped");
  await attachingNeedsTheDisk(`${disk}/more`);
  await rack.az("vm", "disk", "attach", ...lab, "--vm-name", "made", "--name", "more");
  await rack.az("vm", "disk", "detach", ...lab, "--vm-name", "made", "--name", "data");
  const profile = (await rack.machine("made")).json.properties.storageProfile;
  const twice = [...profile.dataDisks, { lun: 0, createOption: "Attach", managedDisk: { id: `${disk}/data` } }];
  const refused = await patchMade({ dataDisks: twice });
  assert.deepEqual([refused.status, /two disks have the LUN 0/.test(refused.text)], [400, true], refused.text);
  // What is refused for its other part changes no disk.
  const wrong = { networkProfile: { networkInterfaces: [{ id: `${disk}/data` }] } };
  const none = await patchMade({ dataDisks: [] }, wrong);
  assert.equal(none.status, 400, none.text);
  assert.deepEqual((await rack.machine("made")).json.properties.storageProfile.dataDisks, profile.dataDisks);
  // The system disk changes places with a free one, and back.
  for (const name of ["data", "system"]) {
    const { status, text, json } = await patchMade({ osDisk: { managedDisk: { id: `${disk}/${name}` } } });
    assert.deepEqual([status, json.properties.storageProfile.osDisk.name], [200, name], text);
    assert.deepEqual(
      (await disks()).map((one) => String(one)),
      name === "data" ? ["data,made", "more,made", "system,"] : ["data,", "more,made", "system,made"],
    );
  }
  const changed = await rack.az("vm", "update", ...vm, "--set", "hardwareProfile.vmSize=Holdfast_2_640");
  assert.equal(changed.hardwareProfile.vmSize, "Holdfast_2_640");
  assert.deepEqual(await disks(), [
    ["data", null],
    ["more", "made"],
    ["system", "made"],
  ]);
  await rack.az("vm", "start", ...vm);
  const { json: running } = await rack.machine("made");
  assert.equal(running.properties.vmId, made.vmId);
  assert.equal(running.properties.hardwareProfile.vmSize, "Holdfast_2_640");
  assert.match(running.properties.storageProfile.dataDisks[0].managedDisk.id, /\/disks\/more$/);
  await rack.az("vm", "delete", "--yes", ...vm);
  assert.equal((await rack.machine("made")).status, 404);
  assert.deepEqual(await disks(), [
    ["data", null],
    ["more", null],
    ["system", null],
  ]);
});

function patchMade(storageProfile: object, more: object = {}): Promise<Answer> {
  const path = `${rack.group}/providers/Microsoft.Compute/virtualMachines/made?api-version=2024-11-01`;
  return rack.service.call("PATCH", path, { body: { properties: { storageProfile, ...more } } });
}

/** Whoever may change the machine alone would read and write through it what is not theirs. */
async function attachingNeedsTheDisk(id: string): Promise<void> {
  const { service, group } = rack;
  const admin = await clientFor(
    { ...service.admin, endpoint: service.endpoint, ca: service.ca, pid: service.pid },
    service.data,
  );
  const client = await admin.createPrincipal("keeper of one machine");
  const machine = `${group}/providers/Microsoft.Compute/virtualMachines/made`;
  await admin.assign(client.principalId, "9980e02c-c2be-4d73-94e8-173b1dc7cf3c", machine);
  const body = { dataDisksToAttach: [{ diskId: id }] };
  const answer = await client.call("POST", `${machine}/attachDetachDataDisks?api-version=2024-11-01`, { body });
  assert.deepEqual([answer.status, answer.json.error.code], [403, "AuthorizationFailed"], answer.text);
  assert.match(answer.text, /Microsoft\.Compute\/disks\/write/);
}
