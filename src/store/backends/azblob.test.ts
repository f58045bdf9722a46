import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openAzureBlobStore } from "./azblob.ts";
import { startAzurite, type Azurite } from "./testing/azurite.ts";
import { code, collect, objectStoreContract } from "./testing/object-store-contract.ts";

let azurite: Azurite;
before(async () => {
  azurite = await startAzurite();
});
after(() => azurite.close());

function open(container: string, more: { prefix?: string; key?: string } = {}) {
  const { account, key, endpoint } = azurite;
  const credential = { kind: "key", key: more.key ?? key } as const;
  return openAzureBlobStore({
    account,
    endpoint,
    container,
    prefix: more.prefix,
    credential,
    blockBytes: 4 * 1024 * 1024,
    pageSize: 10,
  });
}

objectStoreContract(
  "azblob",
  async () => {
    await azurite.newContainer("contract");
    const [store, again] = [open("contract", { prefix: "deep/vault" }), open("contract", { prefix: "/deep/vault/" })];
    return { store, again, close: async () => {} };
  },
  { supports: { objectLock: false, atomicCreate: true, contentCheck: true } },
);

describe("azblob backend", () => {
  it("keeps vaults in one container apart, and passes over blobs that are not objects", async () => {
    await azurite.newContainer("shared");
    const [one, other] = [open("shared", { prefix: "one" }), open("shared", { prefix: "other" })];
    await one.put("a", Buffer.from("1"));
    await other.put("a", Buffer.from("22"));
    await open("shared").put("one/b", Buffer.from("x"));
    assert.deepEqual(
      (await collect(one.list(""))).map((info) => [info.name, info.size]),
      [
        ["a", 1],
        ["b", 1],
      ],
    );
    assert.equal(other.location, "azblob://testaccount/shared/other");
  });

  it("tells a missing container, a wrong key and an absent service apart", async () => {
    await assert.rejects(open("nowhere").put("a", Buffer.from("x")), code("StoreMissing"));
    const wrongKey = open("contract", { key: Buffer.alloc(64).toString("base64") });
    await assert.rejects(wrongKey.get("a"), code("StoreRefused"));
    const absent = openAzureBlobStore({ account: "a", container: "c", endpoint: "http://127.0.0.1:9" });
    await assert.rejects(absent.get("a"), code("StoreUnreachable"));
  });

  it("lists more blobs than one page holds", async () => {
    await azurite.newContainer("many");
    const store = open("many");
    const names = Array.from({ length: 25 }, (_, index) => `o/${100 + index}`);
    await Promise.all(names.map((name) => store.put(name, Buffer.from("x"))));
    assert.deepEqual(
      (await collect(store.list("o/"))).map((info) => info.name),
      names,
    );
  });

  it("does not pretend to lock", async () => {
    const lockedUntil = Date.now() + 1000;
    await assert.rejects(open("contract").put("lock", Buffer.from("x"), { lockedUntil }), code("StoreRefused"));
  });
});
