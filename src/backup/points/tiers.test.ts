import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../store/backends/memory.ts";
import { copyPoint } from "../../store/index.ts";
import { backUp, bufferSource, newTestVault, openTestVault } from "../../store/testing/vaults.ts";
import { readFromTiers } from "./tiers.ts";

test("a snapshot that is gone is read from the vault; one that never came there is named so", async () => {
  const places = { hot: memoryStore(), vault: memoryStore() };
  await using hot = await newTestVault(places.hot);
  const taken = await backUp(hot, { item: "vm" }, { os: bufferSource(Buffer.alloc(5000, 7)) });
  for await (const { name } of places.hot.list("config/")) await places.vault.put(name, await places.hot.get(name));
  await using vault = await openTestVault(places.vault);
  const opened = { hot, vault, [Symbol.asyncDispose]: async () => {} };
  const tiered = { storePoint: taken.name, isInSnapshotTier: true, isInVaultTier: false };
  assert.equal((await readFromTiers(opened, tiered)).store, hot);
  await copyPoint(hot, vault, taken.name);
  await places.hot.delete(`points/${taken.name}`);
  await assert.rejects(readFromTiers(opened, tiered), { code: "UserErrorInstantRpNotFound" });
  const found = await readFromTiers(opened, { ...tiered, isInVaultTier: true });
  assert.deepEqual([found.store, found.point.name], [vault, taken.name]);
});
