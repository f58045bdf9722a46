import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isErrorCode } from "../../lib/errors.ts";
import { openStore } from "./open-store.ts";
import { startAzurite } from "./testing/azurite.ts";
import { code } from "./testing/object-store-contract.ts";
import { startS3Server } from "./testing/s3rver.ts";

describe("openStore", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "open-store-"));
  });
  after(() => rm(folder, { recursive: true }));

  it("opens folders by path and by URL", async () => {
    const place = join(folder, "with space");
    await (await openStore(place, { create: true })).put("a", Buffer.from("x"));
    const store = await openStore(`file://${folder}/with%20space`);
    assert.equal((await store.get("a")).toString(), "x");
    assert.equal(store.location, `file://${place}`);
    await assert.rejects(openStore(join(folder, "absent")), code("StoreMissing"));
  });

  it("opens for reading only", async () => {
    const store = await openStore(join(folder, "with space"), { readOnly: true });
    await assert.rejects(store.put("b", Buffer.from("x")), code("StoreReadOnly"));
  });

  it("opens a container, with requests observed", async () => {
    await using azurite = { ...(await startAzurite()), [Symbol.asyncDispose]: () => azurite.close() };
    await azurite.newContainer("vaults");
    const seen: string[] = [];
    const endpoint = encodeURIComponent(azurite.endpoint);
    const store = await openStore(`azblob://${azurite.account}/vaults/a/b?endpoint=${endpoint}`, {
      azureCredential: { kind: "key", key: azurite.key },
      observe: ({ operation, outcome }) => seen.push(`${operation} ${outcome}`),
    });
    await store.put("a", Buffer.from("x"));
    assert.equal((await store.get("a")).toString(), "x");
    assert.deepEqual(seen, ["put ok", "get ok"]);
    assert.equal(store.location, `azblob://${azurite.account}/vaults/a/b`);
  });

  it("opens a bucket", async () => {
    await using server = { ...(await startS3Server()), [Symbol.asyncDispose]: () => server.close() };
    await server.newBucket("vaults");
    const endpoint = encodeURIComponent(server.endpoint);
    const store = await openStore(`s3://vaults/x?endpoint=${endpoint}&checksums=md5&conditionalPut=emulated`, {
      s3Credentials: server.credentials,
    });
    await store.put("a", Buffer.from("x"), { onlyIfAbsent: true });
    assert.equal((await store.get("a")).toString(), "x");
    await store[Symbol.asyncDispose]();
  });

  it("refuses what it does not know, and never repeats a secret", async () => {
    const wrong = [
      "",
      "ftp://host/x",
      "s3://user:hunter2@bucket/x",
      "s3://bucket/x?secretAccessKey=hunter2",
      "s3://bucket/x?checksums=hunter2",
      "s3://bucket/x?endpoint=file:///hunter2",
      "azblob://account/container?sig=hunter2",
      "azblob://account",
      "file://host/x",
      "s3://",
    ];
    for (const location of wrong) {
      await assert.rejects(openStore(location), (error) => {
        assert.ok(isErrorCode(error, "StoreLocationInvalid"), `${location}: ${String(error)}`);
        return !String(error).includes("hunter2");
      });
    }
    assert.deepEqual(await readdir(folder), ["with space"]);
  });
});
