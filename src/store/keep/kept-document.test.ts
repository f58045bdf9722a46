import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../backends/memory.ts";
import { scrub } from "../verify/scrub.ts";
import { newTestVault } from "../testing/vaults.ts";
import { keepDocument, keptDocument } from "./kept-document.ts";

test("the newest document is found, and the one before is gone", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  assert.equal(await keptDocument(vault), undefined);
  for (const text of ["first", "second"]) await keepDocument(vault, Buffer.from(text));
  assert.equal(String(await keptDocument(vault)), "second");
  const names: string[] = [];
  for await (const { name } of store.list("kept/")) names.push(name);
  assert.deepEqual(names, ["kept/00000002"]);
  assert.deepEqual(await scrub(store), []);
});

test("of two that change it at once one is told so, and the other's stays", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const results = await Promise.allSettled(["a", "b"].map((text) => keepDocument(vault, Buffer.from(text))));
  const failed = results.flatMap((each) => (each.status === "rejected" ? [each.reason.code] : []));
  assert.deepEqual(failed, ["KeptDocumentChanged"]);
  assert.match(String(await keptDocument(vault)), /^[ab]$/);
});

test("a document that was changed, or put under another number, does not open", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  await keepDocument(vault, Buffer.from("soft delete is always on"));
  const sealed = await store.get("kept/00000001");
  await store.put("kept/00000007", sealed);
  await assert.rejects(keptDocument(vault), { code: "ObjectDamaged" });
  await store.delete("kept/00000007");
  const bent = Buffer.from(sealed);
  bent.writeUInt8(bent.readUInt8(60) ^ 1, 60);
  await store.put("kept/00000001", bent);
  await assert.rejects(keptDocument(vault), { code: "ObjectDamaged" });
  await assert.rejects(keepDocument(vault, Buffer.alloc(2 * 1024 ** 2)), { code: "KeptDocumentTooLarge" });
});

test("a document that is listed and never there is an error, not an endless search", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  await keepDocument(vault, Buffer.from("settings"));
  await store.delete("kept/00000001");
  const listing: typeof store.list = async function* (prefix, signal) {
    yield* store.list(prefix, signal);
    if (prefix === "kept/") yield { name: "kept/00000001", size: 100, modified: 0 } as never;
  };
  const lying = new Proxy(store, { get: (target, key) => (key === "list" ? listing : Reflect.get(target, key)) });
  await assert.rejects(keptDocument({ ...vault, store: lying, keys: vault.keys } as typeof vault), {
    code: "ObjectMissing",
  });
});
