import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { putResource } from "../arm/resources/resource-store.ts";
import { openDatabase, type Database } from "../db/database.ts";
import { describeEachDialect } from "../db/testing/each-dialect.ts";
import { readEvents } from "../events/read.ts";
import { systemClock } from "../lib/clock.ts";
import { waitFor } from "../lib/time.ts";
import { openInventory, type HostDraft, type InventoryMachine, type RunningInventory } from "./inventory.ts";

const subscriptionId = "11111111-1111-4111-8111-111111111111";
const place = { subscriptionId, resourceGroup: "lab", location: "local" };
const vmId = (name: string): string =>
  `/subscriptions/${subscriptionId}/resourceGroups/lab/providers/Microsoft.Compute/virtualMachines/${name}`;

describeEachDialect("the inventory", ({ newPlace }) => {
  let folder: string;
  let database: Database;
  let inventory: RunningInventory;
  const failures: unknown[] = [];
  const imagesHost = (name = "attic", path = folder): HostDraft => ({
    ...place,
    name,
    settings: { kind: "images", path },
  });
  const openOver = (over: Database, holder = "node"): RunningInventory =>
    openInventory({ database: over, holder, report: (error) => failures.push(error) });
  const names = async (): Promise<string[]> => (await inventory.listMachines()).map(({ name }) => name);
  const only = async (): Promise<InventoryMachine> => {
    const [machine, ...others] = await inventory.listMachines();
    assert.ok(machine !== undefined && others.length === 0);
    return machine;
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-inventory-"));
    database = await openDatabase({ ...(await newPlace()), clock: systemClock });
    await database.transaction((trx) =>
      putResource(
        trx,
        { id: `/subscriptions/${subscriptionId}/resourceGroups/lab`, location: "local", properties: {} },
        { caller: { name: "test", principalType: "User" }, clock: systemClock },
      ),
    );
    inventory = openOver(database);
    failures.length = 0;
  });

  afterEach(async () => {
    await inventory[Symbol.asyncDispose]();
    await database.close();
    rmSync(folder, { recursive: true, force: true });
    assert.deepEqual(failures, []);
  });

  test("a host's machines are known once it is added, with ids, GUIDs and disks", async () => {
    image("web");
    mkdirSync(join(folder, "db"));
    image("db/system");
    image("db/data", 8);
    const host = await inventory.addHost(imagesHost());
    assert.equal(host.problem, undefined);
    assert.ok(host.lookedAt !== undefined);
    assert.deepEqual(await names(), ["db", "web"]);
    const db = await inventory.findMachine(vmId("DB").toUpperCase());
    assert.equal(db?.resourceId, vmId("db"));
    assert.match(db.vmId, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(
      db.machine.disks.map(({ lun, sizeBytes }) => [lun, sizeBytes]),
      [
        [-1, 8 << 20],
        [0, 1 << 20],
      ],
    );
    const opened = await inventory.open(vmId("db"));
    assert.equal((await opened.host.findMachine(opened.machineId)).name, "db");
    await assert.rejects(inventory.open(vmId("nobody")), { code: "MachineUnknown" });
  });

  test("a renamed machine stays the same resource; a vanished one stays known and comes back", async () => {
    mkdirSync(join(folder, "web"));
    image("web/system");
    const host = await inventory.addHost(imagesHost());
    const first = await only();

    renameSync(join(folder, "web"), join(folder, "www"));
    await inventory.refresh(host.hostId);
    assert.deepEqual([(await only()).resourceId, (await only()).machine.name], [first.resourceId, "www"]);

    renameSync(join(folder, "www"), join(folder, ".away"));
    await inventory.refresh(host.hostId);
    assert.deepEqual([(await only()).present, (await only()).machine.disks.length], [false, 1]);
    await assert.rejects(inventory.open(first.resourceId), { code: "MachineVanished" });

    renameSync(join(folder, ".away"), join(folder, "web"));
    await inventory.refresh();
    assert.deepEqual([(await only()).present, (await only()).vmId], [true, first.vmId]);
    const { events } = await readEvents(database, 0, 100);
    assert.deepEqual(
      events.map(({ type }) => type),
      ["host.added", "machine.discovered", "host.reachable", "machine.changed", "machine.vanished", "machine.returned"],
    );
  });

  test("names that Azure's clients cannot use are mended, and the second of two gets a suffix of its own", async () => {
    for (const name of ["web; rm -rf $HOME", "web", "%2F..%2Fetc", "Straße №5", "a".repeat(200), "-"]) image(name);
    mkdirSync(join(folder, "web"));
    image("web/system");
    await inventory.addHost(imagesHost());
    const found = await names();
    for (const name of found) assert.match(name, /^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/);
    assert.equal(found.length, 7);
    assert.equal(found.filter((name) => /^web-[0-9a-f]{4}$/.test(name)).length, 1);
    assert.ok(found.includes("web") && found.includes("web-rm--rf-HOME") && found.includes("2F..-2Fetc"));
  });

  test("a host that cannot be reached makes nobody vanish, and says why", async () => {
    image("web");
    const host = await inventory.addHost(imagesHost());
    renameSync(folder, `${folder}.away`);
    try {
      await assert.rejects(inventory.refresh(host.hostId), { code: "HostUnreachable" });
      assert.equal((await only()).present, true);
      assert.match((await inventory.showHost(host.hostId)).problem ?? "", /ENOENT|not there/);
    } finally {
      renameSync(`${folder}.away`, folder);
    }
    await inventory.refresh(host.hostId);
    assert.equal((await inventory.showHost(host.resourceId)).problem, undefined);
  });

  test("a folder is one host only, and what is removed is forgotten with its machines", async () => {
    image("web");
    const host = await inventory.addHost(imagesHost());
    await assert.rejects(inventory.addHost(imagesHost("other")), { code: "Conflict" });
    await assert.rejects(inventory.addHost({ ...imagesHost(), settings: { kind: "qemu", socketDirectory: folder } }), {
      code: "Conflict",
    });
    await inventory.removeHost(host.hostId);
    assert.deepEqual([await inventory.listHosts(), await inventory.listMachines()], [[], []]);
    await assert.rejects(inventory.showHost(host.hostId), { code: "HostUnknown" });
    await inventory.addHost(imagesHost("other"));
    assert.deepEqual(await names(), ["web"]);
  });

  test("machines are found within five seconds of appearing, and whoever listens hears of it", async () => {
    await inventory.addHost(imagesHost());
    inventory.start();
    let rings = 0;
    const stop = inventory.onChange(() => (rings += 1));
    image("late");
    await waitFor("the machine", async () => ((await names()).includes("late") ? true : undefined), 120_000);
    assert.ok(rings > 0);
    stop();
  });

  test("two processes share what is known, and looks that end out of order change nothing", async () => {
    image("web");
    const host = await inventory.addHost(imagesHost());
    await using second = openOver(database, "other");
    inventory.start();
    second.start();
    await Promise.all([inventory.refresh(), second.refresh(), inventory.refresh(), second.refresh()]);
    image("db");
    await waitFor(
      "both machines",
      async () => ((await second.listMachines({ hostId: host.hostId })).length === 2 ? true : undefined),
      120_000,
    );
    assert.deepEqual(await names(), ["db", "web"]);
  });

  function image(name: string, mebibytes = 1): void {
    const path = join(folder, `${name}.raw`);
    writeFileSync(path, "");
    execFileSync("truncate", ["-s", `${mebibytes}M`, path]);
  }
});
