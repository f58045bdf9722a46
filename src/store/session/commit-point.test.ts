// A commit that others finish in its place at the same moment: every writer that begins looks for sessions
// that have decided and whose point is not there yet.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../backends/memory.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { deletePoint, listPoints } from "../points/points.ts";
import { backUp, bufferSource, gathered, newTestVault, openTestVault, patterned } from "../testing/vaults.ts";
import { beginSession } from "./backup-session.ts";
import { finishOthers } from "./finish-committed.ts";
import { decideEnd } from "./session-records.ts";

const source = bufferSource(patterned(1 << 16, 1));

/** The same objects; `after` is waited for when an object whose name matches was put. */
function pausing(store: ObjectStore, name: RegExp, after: (name: string) => Promise<void>): ObjectStore {
  return {
    ...store,
    put: async (put, content, options) => {
      await store.put(put, content, options);
      if (name.test(put)) await after(put);
    },
  };
}

test("a session that a collection has given up writes no point, also before the collection has cleaned up", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const session = await beginSession(vault, { item: "vm" });
  await session.addDisk("os", source);
  await decideEnd(store, vault.keys, session.id, { v: 1, outcome: "evicted" });
  await assert.rejects(session.commit(), { code: "SessionEvicted" });
  assert.deepEqual(await gathered(store.list("points/")), []);
});

test("a point that another writer has put is no eviction of the one that decided for it", async () => {
  const store = memoryStore();
  await using other = await newTestVault(store);
  await using vault = await openTestVault(pausing(store, /\.end$/, () => finishOthers(other, "nobody")));
  const point = await backUp(vault, { item: "vm" }, { os: source });
  assert.deepEqual(
    (await listPoints(vault)).points.map(({ name }) => name),
    [point.name],
  );
  assert.deepEqual(await gathered(store.list("sessions/")), []);
});

test("a point stays when its writer leaves before whoever put it in its place looks again", async () => {
  const store = memoryStore();
  const [isPut, mayGoOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const pausingFinisher = pausing(store, /^points\//, async () => {
    isPut.resolve();
    await mayGoOn.promise;
  });
  await using other = await newTestVault(pausingFinisher);
  let finishing: Promise<void> | undefined;
  const pausingWriter = pausing(store, /\.end$/, async () => {
    finishing = finishOthers(other, "nobody");
    await isPut.promise;
  });
  await using vault = await openTestVault(pausingWriter);
  const point = await backUp(vault, { item: "vm" }, { os: source });
  mayGoOn.resolve();
  await finishing;
  assert.deepEqual(
    (await listPoints(vault)).points.map(({ name }) => name),
    [point.name],
  );
});

test("a point that was deleted before a late finisher puts it again stays deleted", async () => {
  const store = memoryStore();
  const [hasRead, mayPut] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const late: ObjectStore = {
    ...store,
    put: async (name, content, options) => {
      if (name.startsWith("points/")) {
        hasRead.resolve();
        await mayPut.promise;
      }
      await store.put(name, content, options);
    },
  };
  await using other = await newTestVault(late);
  let finishing: Promise<void> | undefined;
  const pausingWriter = pausing(store, /\.end$/, async () => {
    finishing = finishOthers(other, "nobody");
    await hasRead.promise;
  });
  await using vault = await openTestVault(pausingWriter);
  const point = await backUp(vault, { item: "vm" }, { os: source });
  await deletePoint(vault, point.name);
  mayPut.resolve();
  await finishing;
  assert.deepEqual((await listPoints(vault)).points, []);
});
