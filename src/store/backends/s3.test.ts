import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openS3Store, type S3StoreOptions } from "./s3.ts";
import { code, collect, objectStoreContract } from "./testing/object-store-contract.ts";
import { startS3Server, type S3Server } from "./testing/s3rver.ts";

let server: S3Server;
before(async () => {
  server = await startS3Server();
});
after(() => server.close());

function open(bucket: string, more: Partial<S3StoreOptions> = {}) {
  const { endpoint, credentials } = server;
  return openS3Store({
    bucket,
    endpoint,
    credentials,
    // What s3rver can do: it has no conditional put, and does not know SHA-256 checksums.
    conditionalPut: "emulated",
    checksums: "md5",
    partBytes: 5 * 1024 * 1024,
    ...more,
  });
}

objectStoreContract(
  "s3",
  async () => {
    await server.newBucket("contract");
    const [store, again] = [open("contract", { prefix: "deep/vault" }), open("contract", { prefix: "/deep/vault/" })];
    return { store, again, close: async () => {} };
  },
  { supports: { objectLock: false, atomicCreate: false, contentCheck: true }, emptyRanges: false },
);

describe("s3 backend", () => {
  it("refuses a service that ignores conditions, unless told that nobody else writes", async () => {
    await server.newBucket("conditions");
    const store = open("conditions", { conditionalPut: "native" });
    await assert.rejects(store.put("a", Buffer.from("x"), { onlyIfAbsent: true }), code("StoreUntrustworthy"));
    assert.deepEqual(await collect(store.list("")), []);
    await open("conditions").put("a", Buffer.from("x"), { onlyIfAbsent: true });
  });

  it("keeps vaults in one bucket apart", async () => {
    await server.newBucket("shared");
    const [one, other] = [open("shared", { prefix: "one" }), open("shared", { prefix: "other" })];
    await one.put("a", Buffer.from("1"));
    await other.put("a", Buffer.from("22"));
    assert.deepEqual(
      (await collect(one.list(""))).map((info) => [info.name, info.size]),
      [["a", 1]],
    );
    assert.equal(other.location, "s3://shared/other");
  });

  it("tells a missing bucket, a wrong key and an absent service apart", async () => {
    await assert.rejects(open("nowhere").put("a", Buffer.from("x")), code("StoreMissing"));
    const wrong = { accessKeyId: "NOBODY", secretAccessKey: "wrong" };
    await assert.rejects(open("contract", { credentials: wrong }).get("a"), code("StoreRefused"));
    await assert.rejects(open("contract", { endpoint: "http://127.0.0.1:9" }).get("a"), code("StoreUnreachable"));
  });

  it("does not pretend to lock", async () => {
    const lockedUntil = Date.now() + 1000;
    await assert.rejects(open("contract").put("lock", Buffer.from("x"), { lockedUntil }), code("StoreRefused"));
  });
});
