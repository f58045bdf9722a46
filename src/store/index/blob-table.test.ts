import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { headerLength } from "../format/sealed.ts";
import { BlobTable, ownPackState, packStates } from "./blob-table.ts";

const id = (number: number): Buffer => createHash("sha256").update(String(number)).digest();

function filled(count: number): BlobTable {
  const table = BlobTable.create(count);
  table.setPackState(1, packStates.usable);
  for (let number = 0; number < count; number += 1) table.put(id(number), 1, number, number + 16, number & 0xffff);
  return table;
}

test("every blob that was put is found where it was put, before and after growing", () => {
  const count = 20_000;
  for (const table of [filled(count), filled(count).grownTo(3 * count)]) {
    assert.equal(table.count, count);
    for (let number = 0; number < count; number += 1) {
      const location = table.location(table.find(id(number)));
      assert.deepEqual(location, { pack: 1, offset: number, storedLength: number + 16, shape: number & 0xffff });
    }
    assert.equal(table.find(id(count)), -1);
  }
});

test("a table takes about 60 bytes a blob", () => {
  const bytes = BlobTable.create(100_000).shared.slots.byteLength;
  assert.ok(bytes / 100_000 < 63, `${bytes / 100_000} bytes`);
});

test("a better copy takes the place of a worse one, never the other way round", () => {
  const table = BlobTable.create(10);
  const states = [packStates.absent, packStates.readOnly, packStates.condemned, ownPackState(1), packStates.usable];
  for (const [better, state] of states.entries()) table.setPackState(better, state);
  for (let worse = 0; worse < states.length; worse += 1) {
    assert.equal(table.put(id(1), worse, worse, 16, 1), true, `state ${states[worse]}`);
    for (let other = 0; other <= worse; other += 1) assert.equal(table.put(id(1), other, 99, 16, 1), false);
    assert.equal(table.location(table.find(id(1))).pack, worse);
  }
  assert.equal(table.count, 1);
});

test("what a session builds is usable for that session only; doomed packs for nobody new", () => {
  const table = BlobTable.create(10);
  table.setPackState(1, ownPackState(7));
  table.put(id(1), 1, 0, 16, 1);
  assert.deepEqual([table.isUsable(id(1), 7), table.isUsable(id(1), 8)], [true, false]);
  table.setPackState(1, packStates.usable);
  assert.equal(table.isUsable(id(1), 8), true);
  table.setPackState(1, packStates.readOnly);
  assert.equal(table.isUsable(id(1), 8), false);
});

test("a full table says so", () => {
  const table = BlobTable.create(10);
  table.setPackState(1, packStates.usable);
  assert.throws(
    () => {
      for (let number = 0; number < 1000; number += 1) table.put(id(number), 1, 0, 16, 1);
    },
    { code: "IndexFull" },
  );
  const { count } = table;
  table.put(id(0), 1, 0, 16, 1); // what is known needs no room
  assert.deepEqual([table.count, table.room], [count, 0]);
});

test("a slot that a dead thread was writing is an error, for whoever looks for it and for whoever records it", () => {
  const table = filled(100);
  const { shared } = table;
  const location = 4 + table.find(id(7)) * 12 + 8;
  new Int32Array(shared.slots)[location] = -1;
  const impatient = new BlobTable(shared, 110);
  assert.throws(() => impatient.find(id(7)), { code: "WorkerFailed" });
  assert.throws(() => impatient.put(id(7), 1, 0, 16, 1), { code: "WorkerFailed" });
  assert.equal(impatient.location(impatient.find(id(8))).offset, 8);
});

test("threads that record the same blobs at once meet in one slot for each", async () => {
  const count = 30_000;
  const table = BlobTable.create(count);
  const packs = [1, 2, 3];
  for (const pack of packs) table.setPackState(pack, pack === 3 ? packStates.usable : packStates.readOnly);
  const entries = Buffer.concat(
    Array.from({ length: count }, (_, number) => Buffer.concat([id(number), Buffer.of(16, 0, 0, 1, 0, 0)])),
  );
  const program = `
    const { parentPort, workerData: { urls, shared, content, pack } } = require("node:worker_threads");
    Promise.all(urls.map((url) => import(url))).then(([{ BlobTable }, { putIndexedPacks }]) => {
      const table = new BlobTable(shared);
      const packs = [];
      for (let at = 0; at < content.length; at += 38 * 200) packs.push(pack, 1 << 20, at, 38 * 200);
      parentPort.once("message", () => {
        putIndexedPacks(table, { name: "index", content, packs: Int32Array.from(packs) });
        parentPort.close();
      });
      parentPort.postMessage("ready");
    });
  `;
  const urls = ["./blob-table.ts", "./indexed-packs.ts"].map((path) => new URL(path, import.meta.url).href);
  const { shared } = table;
  const content = new Uint8Array(entries);
  const threads = packs.map((pack) => new Worker(program, { eval: true, workerData: { urls, shared, content, pack } }));
  await Promise.all(threads.map((thread) => once(thread, "message")));
  for (const thread of threads) thread.postMessage("begin", []);
  await Promise.all(threads.map((thread) => once(thread, "exit")));
  assert.equal(table.count, count);
  for (let number = 0; number < count; number += 1) {
    const { pack, offset } = table.location(table.find(id(number)));
    assert.deepEqual([pack, offset], [3, headerLength + (number % 200) * 16]);
  }
});
