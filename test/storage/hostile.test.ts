// Clients that break off, lie, or try to reach what is not theirs; and a service that is killed.

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { request } from "node:https";
import { connect } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BlobSASPermissions, BlobServiceClient } from "@azure/storage-blob";
import { waitFor } from "../../src/lib/time.ts";
import { startTestService } from "../support/service.ts";
import { createAccount, failure, startStorage, trust, type TestAccount } from "./support.ts";

interface RawReply {
  readonly status: number;
  readonly code: string;
  readonly text: string;
}

/** A request with the target exactly as given, signed by nobody unless headers say so. */
function raw(
  endpoint: string,
  method: string,
  target: string,
  headers: Record<string, string> = {},
  body = "",
): Promise<RawReply> {
  const { hostname, port } = new URL(endpoint);
  return new Promise((answered, failed) => {
    const sent = request(
      { hostname, port, method, path: target, headers: { ...headers, "Content-Length": Buffer.byteLength(body) } },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on("data", (piece: Buffer) => pieces.push(piece));
        answer.on("end", () =>
          answered({
            status: answer.statusCode ?? 0,
            code: String(answer.headers["x-ms-error-code"] ?? ""),
            text: Buffer.concat(pieces).toString(),
          }),
        );
      },
    );
    sent.on("error", failed);
    sent.end(body);
  });
}

/** Headers of a request signed with the account's key, for whatever target. */
function signed(
  account: TestAccount,
  key: string,
  method: string,
  target: string,
  extra: Record<string, string> = {},
): Record<string, string> {
  const headers: Record<string, string> = {
    "x-ms-date": new Date().toUTCString(),
    "x-ms-version": "2021-12-02",
    ...extra,
  };
  const [path = "", query = ""] = target.split("?");
  const names = Object.keys(headers)
    .filter((name) => name.startsWith("x-ms-"))
    .sort();
  const parameters = [...new URLSearchParams(query)]
    .sort()
    .map(([name, value]) => `\n${name}:${value}`)
    .join("");
  const text = `${method}${"\n".repeat(12)}${names.map((name) => `${name}:${headers[name]}\n`).join("")}/${account.name}${path}${parameters}`;
  return {
    ...headers,
    Authorization: `SharedKey ${account.name}:${createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64")}`,
  };
}

test("paths lead nowhere but to blobs, and nothing is answered without proof", async () => {
  const storage = await startStorage();
  await using service = storage.service;
  const account = await createAccount(storage, "hostile");
  const listed = await service.call("POST", `${account.path}/listKeys?api-version=2022-09-01`);
  const key = listed.json.keys[0].value as string;
  const container = account.client.getContainerClient("box");
  await container.create();
  const ask = (method: string, target: string, extra?: Record<string, string>): Promise<RawReply> =>
    raw(service.endpoint, method, target, signed(account, key, method, target, extra));

  // A name that looks like a path is a name: it is kept, and it never leaves the container.
  const odd = "/hostile/box/..%2F..%2F..%2Fadmin.json";
  assert.equal((await ask("PUT", odd, { "x-ms-blob-type": "BlockBlob" })).status, 201);
  assert.equal((await ask("GET", odd)).status, 200);
  assert.equal((await ask("GET", "/hostile/box/../../admin.json")).status, 404);
  assert.equal((await ask("GET", "/hostile/box/%00")).code, "InvalidResourceName");
  assert.equal((await ask("GET", "/hostile/box/%ZZ")).code, "InvalidUri");
  assert.equal((await ask("PUT", "/hostile/..?restype=container")).code, "InvalidResourceName");
  assert.equal(
    (await ask("PUT", `/hostile/box/${"n".repeat(1025)}`, { "x-ms-blob-type": "BlockBlob" })).code,
    "InvalidResourceName",
  );
  const inBlobs = await readdir(join(service.data, "blobs"), { recursive: true });
  assert.ok(inBlobs.every((name) => /^[0-9a-f]{2}(\/[0-9a-f-]{36})?$/.test(name)));

  assert.equal((await raw(service.endpoint, "GET", "/hostile/box/x")).status, 401);
  assert.equal(
    (await raw(service.endpoint, "GET", "/hostile/box/x", { ...signed(account, key, "GET", "/hostile/box/y") })).code,
    "AuthenticationFailed",
  );
  assert.equal(
    (
      await raw(
        service.endpoint,
        "GET",
        "/hostile/box/x",
        signed(account, randomBytes(64).toString("base64"), "GET", "/hostile/box/x"),
      )
    ).code,
    "AuthenticationFailed",
  );
  const old = signed(account, key, "GET", "/hostile/box/x", {
    "x-ms-date": new Date(Date.now() - 3_600_000).toUTCString(),
  });
  assert.equal((await raw(service.endpoint, "GET", "/hostile/box/x", old)).code, "AuthenticationFailed");
  assert.equal((await raw(service.endpoint, "GET", "/hostile/box/x", { Authorization: "Bearer x.y.z" })).status, 401);

  for (const target of [
    "/hostile/box/x?comp=nonsense",
    "/hostile/box/x?comp=metadata&COMP=blocklist",
    "/hostile/box?comp=list",
    "/hostile/box?restype=container&comp=list&maxresults=0",
    "/hostile/box?restype=container&comp=list&marker=zzz",
    "/hostile/box/x?snapshot=now",
  ]) {
    assert.equal((await ask("GET", target)).status, 400, target);
  }
  // A list of blocks that never ends, and one that would grow when it is read.
  const list = "/hostile/box/x?comp=blocklist";
  const bomb = `<!DOCTYPE a [<!ENTITY b "bb">]><BlockList><Latest>&b;</Latest></BlockList>`;
  const send = (body: string): Promise<RawReply> => {
    const headers = signed(account, key, "PUT", list);
    const text = `PUT\n\n\n${Buffer.byteLength(body)}${"\n".repeat(9)}x-ms-date:${headers["x-ms-date"]}\nx-ms-version:2021-12-02\n/hostile/hostile/box/x\ncomp:blocklist`;
    return raw(
      service.endpoint,
      "PUT",
      list,
      {
        ...headers,
        Authorization: `SharedKey hostile:${createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64")}`,
      },
      body,
    );
  };
  assert.equal((await send(bomb)).code, "InvalidXmlDocument");
  assert.equal(
    (await send(`<BlockList>${"<Latest>AAAA</Latest>".repeat(50_001)}</BlockList>`)).code,
    "InvalidBlockList",
  );
  // Names of the service's own paths are no account names.
  for (const name of ["subscriptions", "healthz", "vaults", "portal"]) {
    const path = account.path.replace(/hostile$/, name);
    const answer = await service.call("PUT", `${path}?api-version=2022-09-01`, {
      body: { location: "local", sku: { name: "Standard_LRS" } },
    });
    assert.equal(answer.json.error.code, "AccountNameInvalid", name);
  }
});

test("an upload that breaks off, and a service that is killed, leave what was; the leftovers go", async () => {
  const data = await mkdtemp(join(tmpdir(), "holdfast-blob-crash-"));
  try {
    const first = await startStorage({ data, keepData: true });
    const account = await createAccount(first, "crashing");
    const container = account.client.getContainerClient("box");
    await container.create();
    const blob = container.getBlockBlobClient("x");
    await blob.upload("old", 3);
    const url = new URL(
      await blob.generateSasUrl({
        permissions: BlobSASPermissions.parse("rcw"),
        expiresOn: new Date(Date.now() + 3_600_000),
      }),
    );
    const files = async (): Promise<number> =>
      (await readdir(join(data, "blobs"), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
        .length;

    const upload = (): Promise<() => void> =>
      new Promise((started) => {
        const socket = connect({ host: "localhost", port: Number(url.port), servername: "localhost" }, () => {
          socket.write(
            `PUT ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nx-ms-blob-type: BlockBlob\r\nx-ms-version: 2021-12-02\r\nContent-Length: 50000000\r\n\r\n`,
          );
          socket.write(Buffer.alloc(1_000_000, 1));
          started(() => socket.destroy());
        });
        socket.on("error", () => {});
      });
    const cut = await upload();
    await waitFor("the upload's file", async () => ((await files()) === 2 ? true : undefined), 120_000);
    cut();
    await waitFor("no leftover", async () => ((await files()) === 1 ? true : undefined), 120_000);
    assert.equal((await blob.downloadToBuffer()).toString(), "old");

    await upload();
    await waitFor("the upload's file", async () => ((await files()) === 2 ? true : undefined), 120_000);
    await first.service.kill();
    await using second = await startTestService({ data, keepData: true });
    await trust(second);
    await waitFor("the sweep", async () => ((await files()) === 1 ? true : undefined), 120_000);
    const again = new BlobServiceClient(`${second.endpoint}/crashing`, account.credential).getContainerClient("box");
    assert.equal((await again.getBlobClient("x").downloadToBuffer()).toString(), "old");
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});

test("a kill between the file and the row leaves the old blob, and every acknowledged one is there", async () => {
  const data = await mkdtemp(join(tmpdir(), "holdfast-blob-fault-"));
  try {
    const first = await startStorage({ data, keepData: true, env: { HOLDFAST_FAULTS: "blobs.after-file=kill@6" } });
    const account = await createAccount(first, "faulty");
    const container = account.client.getContainerClient("box");
    await container.create();
    let acknowledged = 0;
    for (;;) {
      const failed = await failure(container.getBlockBlobClient("x").upload(`version ${acknowledged + 1}`, 9)).catch(
        () => undefined,
      );
      if (failed !== undefined) break;
      acknowledged += 1;
    }
    assert.equal(acknowledged, 5);
    await using second = await startTestService({ data, keepData: true });
    await trust(second);
    const again = new BlobServiceClient(`${second.endpoint}/faulty`, account.credential).getContainerClient("box");
    assert.equal((await again.getBlobClient("x").downloadToBuffer()).toString(), "version 5");
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
