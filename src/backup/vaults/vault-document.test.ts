import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../store/backends/memory.ts";
import { keptDocument } from "../../store/index.ts";
import { newTestVault } from "../../store/testing/vaults.ts";
import { keepVaultDocument } from "./vault-document.ts";

const vault = { id: "/vaults/v1" } as Parameters<typeof keepVaultDocument>[2];

test("what is kept is what the vault is now, whoever else writes at the same time", async () => {
  const objects = memoryStore();
  await using store = await newTestVault(objects);
  let days = 14;
  const describe = async (): Promise<{ days: number }> => ({ days });
  await Promise.all([1, 2, 3].map(() => keepVaultDocument(describe, store, vault)));
  assert.equal(String(await keptDocument(store)), '{"days":14}');
  days = 33;
  await keepVaultDocument(describe, store, vault);
  assert.equal(String(await keptDocument(store)), '{"days":33}');
});

test("what has not changed is not written again, and a vault that is gone writes nothing", async () => {
  const objects = memoryStore();
  await using store = await newTestVault(objects);
  await keepVaultDocument(async () => undefined, store, vault);
  assert.equal(await keptDocument(store), undefined);
  for (let time = 0; time < 3; time += 1) await keepVaultDocument(async () => ({ days: 14 }), store, vault);
  const names: string[] = [];
  for await (const { name } of objects.list("kept/")) names.push(name);
  assert.deepEqual(names, ["kept/00000001"]);
});

test("a document that was damaged is written anew", async () => {
  const objects = memoryStore();
  await using store = await newTestVault(objects);
  const describe = async (): Promise<{ days: number }> => ({ days: 14 });
  await keepVaultDocument(describe, store, vault);
  const bent = Buffer.from(await objects.get("kept/00000001"));
  bent.writeUInt8(bent.readUInt8(60) ^ 1, 60);
  await objects.put("kept/00000001", bent);
  await assert.rejects(keptDocument(store), { code: "ObjectDamaged" });
  await keepVaultDocument(describe, store, vault);
  assert.equal(String(await keptDocument(store)), '{"days":14}');
});
