import assert from "node:assert/strict";
import { test } from "node:test";
import { isErrorCode } from "../../lib/errors.ts";
import { memoryStore } from "../backends/memory.ts";
import { ownPackState, ownPackStates } from "../index/blob-table.ts";
import { newTestVault } from "../testing/vaults.ts";

test("a session never relies on the unfinished packs of one that has been open for hundreds of others", async () => {
  await using vault = await newTestVault(memoryStore());
  const pool = vault.pool();
  const receiver = { space: async () => ({ memory: undefined, packNumber: 0 }), finished: () => {} };
  const long = pool.openSession(receiver);
  const number = vault.index.startPack(long);
  const id = Buffer.alloc(32, 1);
  vault.index.table.put(id, number, 0, 100, 100);
  assert.equal(vault.index.table.isUsable(id, long), true);
  for (let opened = 0; opened < 3 * ownPackStates; opened += 1) {
    const session = pool.openSession(receiver);
    assert.notEqual(ownPackState(session), ownPackState(long));
    assert.equal(vault.index.table.isUsable(id, session), false);
    pool.closeSession(session);
  }
  for (let opened = 1; opened < ownPackStates; opened += 1) pool.openSession(receiver);
  assert.throws(
    () => pool.openSession(receiver),
    (error) => isErrorCode(error, "WorkerFailed"),
  );
});
