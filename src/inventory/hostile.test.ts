import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { putResource } from "../arm/resources/resource-store.ts";
import { openDatabase, type Database } from "../db/database.ts";
import { systemClock } from "../lib/clock.ts";
import { openInventory, type InventoryMachine, type RegisteredHost, type RunningInventory } from "./inventory.ts";
import { startFakeMonitor, type FakeMonitor, type Manner } from "./testing/fake-monitor.ts";

const subscriptionId = "11111111-1111-4111-8111-111111111111";
const uuid = (number: number): string => `22222222-2222-4222-8222-${String(number).padStart(12, "0")}`;

let folder: string;
let database: Database;
let inventory: RunningInventory;
let fakes: FakeMonitor[];

const start = async (name: string, number: number, manner: Manner = "good"): Promise<FakeMonitor> => {
  const fake = await startFakeMonitor(folder, name, uuid(number), manner);
  fakes.push(fake);
  return fake;
};
const addRack = (): Promise<RegisteredHost> =>
  inventory.addHost({
    subscriptionId,
    resourceGroup: "lab",
    name: "rack",
    location: "local",
    settings: { kind: "qemu", socketDirectory: folder },
  });
const openOne = (): RunningInventory =>
  openInventory({
    database,
    holder: "node",
    report: () => {},
  });
const seen = async (): Promise<InventoryMachine[]> => inventory.listMachines();

beforeEach(async () => {
  fakes = [];
  folder = mkdtempSync(join(tmpdir(), "holdfast-hostile-"));
  database = await openDatabase({ file: join(folder, ".control.sqlite"), clock: systemClock });
  await database.transaction((trx) =>
    putResource(
      trx,
      { id: `/subscriptions/${subscriptionId}/resourceGroups/lab`, location: "local", properties: {} },
      { caller: { name: "test", principalType: "User" }, clock: systemClock },
    ),
  );
  inventory = openOne();
});

afterEach(async () => {
  await inventory[Symbol.asyncDispose]();
  for (const fake of fakes) await fake[Symbol.asyncDispose]();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

test("monitors that are silent, talk nonsense or never stop talking hide nobody else, and get no identity", async () => {
  await start("good", 1);
  await start("silent", 2, "silent");
  await start("garbage", 3, "garbage");
  await start("endless", 4, "endless");
  writeFileSync(join(folder, "file.qmp"), "no socket");
  const before = process.memoryUsage().rss;
  await addRack();
  assert.ok(process.memoryUsage().rss - before < 256 * 1024 * 1024);
  assert.deepEqual(
    (await seen()).map(({ name, vmId }) => [name, vmId]),
    [["good", uuid(1)]],
  );
});

test("a machine whose monitor falls silent is kept as last seen, with the reason, also by the next process", async () => {
  const fake = await start("web", 1);
  const host = await addRack();
  const [first] = await seen();
  fake.manner = "mute after greeting";
  await inventory.refresh(host.hostId);
  const [silent] = await seen();
  assert.match(silent?.machine.problem ?? "", /did not answer/);
  assert.deepEqual(
    [silent?.resourceId, silent?.machine.disks, silent?.present],
    [first?.resourceId, first?.machine.disks, true],
  );

  await inventory[Symbol.asyncDispose]();
  fake.manner = "silent";
  inventory = openOne();
  await inventory.refresh(host.hostId);
  const [afterwards, ...others] = await seen();
  assert.deepEqual(
    [afterwards?.vmId, afterwards?.machineId, afterwards?.machine.disks.length, others.length],
    [first?.vmId, first?.machineId, 1, 0],
  );
  await assert.rejects(inventory.open(first?.resourceId ?? ""), { name: "MachineVanished" });

  fake.manner = "good";
  await inventory.refresh(host.hostId);
  assert.equal((await seen())[0]?.machine.problem, undefined);
});

test("two machines with one UUID are one resource, not two that fight for it", async () => {
  await start("a", 1);
  await start("b", 1);
  const host = await addRack();
  await inventory.refresh(host.hostId);
  const found = await seen();
  assert.deepEqual(
    found.map(({ vmId }) => vmId),
    [uuid(1)],
  );
});

test("a folder that may not be read makes the host unreachable and no machine vanish", async () => {
  await start("web", 1);
  const host = await addRack();
  chmodSync(folder, 0);
  await asOrdinaryUser(() => assert.rejects(inventory.refresh(host.hostId), { name: "HostUnreachable" })).finally(() =>
    chmodSync(folder, 0o700),
  );
  assert.deepEqual(
    (await seen()).map(({ present }) => present),
    [true],
  );
});

test("a thousand machines are found in one look, each with a name and a GUID of its own", async () => {
  for (let number = 0; number < 1_000; number += 1) await start(`m${number}`, number);
  const host = await addRack();
  const found = await inventory.listMachines({ hostId: host.hostId });
  assert.equal(found.length, 1_000);
  assert.equal(new Set(found.map(({ vmId }) => vmId)).size, 1_000);
  await inventory.removeHost(host.hostId);
  assert.equal((await seen()).length, 0);
});

/** Root may read every folder, so that a test run as root lays its rights down for a while. */
async function asOrdinaryUser(work: () => Promise<void>): Promise<void> {
  const user = process.geteuid?.() ?? 0;
  if (user === 0) process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    if (user === 0) process.seteuid?.(user);
  }
}
