import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { memoryStore } from "./backends/memory.ts";
import { bufferSource, newTestVault, openTestVault, patterned } from "./testing/vaults.ts";
import { beginSession } from "./session/backup-session.ts";
import { withFreshIndex } from "./vault.ts";

const MiB = 1024 * 1024;
const threads = (): number => readdirSync("/proc/self/task").length;

test("vaults that are opened and closed one after another keep no memory, whether garbage is collected or not", async () => {
  const store = memoryStore();
  await (await newTestVault(store))[Symbol.asyncDispose]();
  const before = process.memoryUsage().arrayBuffers;
  for (let round = 0; round < 200; round += 1) {
    await using vault = await openTestVault(store);
    await vault.index.refresh();
    await withFreshIndex(vault).index.refresh();
  }
  const kept = process.memoryUsage().arrayBuffers - before;
  assert.ok(kept < 64 * MiB, `${kept} bytes`);
});

test("the threads of a vault end when it is closed", async () => {
  const store = memoryStore();
  await (await newTestVault(store))[Symbol.asyncDispose]();
  const backUp = async (round: number): Promise<void> => {
    await using vault = await openTestVault(store, { workers: 2 });
    await using session = await beginSession(vault, { item: "a" });
    await session.addDisk("os", bufferSource(patterned(8 * 4096, round)));
    await session.commit();
  };
  await backUp(0); // from then on Node keeps some of its own
  const before = threads();
  for (let round = 1; round <= 4; round += 1) await backUp(round);
  assert.equal(threads(), before);
});
