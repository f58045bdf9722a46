// What AWS answers and s3rver does not: a scripted server that checks what we send.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { manualClock } from "../../lib/clock.ts";
import { openS3Store, type S3StoreOptions } from "./s3.ts";
import { code, collect } from "./testing/object-store-contract.ts";

type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

describe("s3 backend against AWS's answers", () => {
  let server: Server;
  let answer: Answer;
  const seen: string[] = [];
  before(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        seen.push(`${request.method} ${request.url}`);
        answer(request, response, Buffer.concat(chunks));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  after(() => server.close());
  beforeEach(() => {
    seen.length = 0;
  });

  const clock = manualClock(Date.UTC(2026, 10, 21));
  const open = (more: Partial<S3StoreOptions> = {}) =>
    openS3Store({
      bucket: "b",
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credentials: { accessKeyId: "a", secretAccessKey: "s" },
      clock,
      ...more,
    });
  const failure = (response: ServerResponse, status: number, name: string): void => {
    response.writeHead(status, { "content-type": "application/xml" });
    response.end(`<?xml version="1.0"?><Error><Code>${name}</Code><Message>told so</Message></Error>`);
  };

  it("creates on condition, and tries once whether the service honours conditions", async () => {
    const stored = new Set<string>();
    answer = (request, response) => {
      const key = request.url ?? "";
      if (request.headers["if-none-match"] === "*" && stored.has(key))
        return failure(response, 412, "PreconditionFailed");
      stored.add(key);
      response.end();
    };
    const store = open();
    await store.put("a", Buffer.from("x"), { onlyIfAbsent: true });
    await assert.rejects(store.put("a", Buffer.from("x"), { onlyIfAbsent: true }), code("ObjectExists"));
    const probes = seen.filter((line) => line.includes(".holdfast-conditional-put"));
    assert.equal(probes.length, 2);
    assert.equal(seen.length, 4);
  });

  it("sends the SHA-256 that the service compares", async () => {
    answer = (request, response, body) => {
      const sha256 = createHash("sha256").update(body).digest("base64");
      if (request.headers["x-amz-checksum-sha256"] === sha256) response.end();
      else failure(response, 400, "BadDigest");
    };
    const content = Buffer.from("content");
    await open().put("a", content);
    await open().put("a", content, { sha256: createHash("sha256").update(content).digest() });
    await assert.rejects(open().put("a", content, { sha256: Buffer.alloc(32) }), code("ObjectCorrupted"));
  });

  it("names throttling, a conflict of two writers, and a full service", async () => {
    const expected = {
      SlowDown: "StoreThrottled",
      ConditionalRequestConflict: "StoreThrottled",
      QuotaExceeded: "StoreFull",
    };
    const statuses = { SlowDown: 503, ConditionalRequestConflict: 409, QuotaExceeded: 403 };
    for (const [name, ours] of Object.entries(expected)) {
      answer = (_request, response) => failure(response, statuses[name as keyof typeof statuses], name);
      await assert.rejects(open().put("a", Buffer.from("x")), code(ours), name);
    }
  });

  it("locks until the time it is told, and removes the version when the lock has ended", async () => {
    const headers: Record<string, string> = {
      "x-amz-version-id": "v7",
      "x-amz-object-lock-mode": "COMPLIANCE",
      "x-amz-object-lock-retain-until-date": "2026-12-01T00:00:00.000Z",
    };
    answer = (request, response) => {
      if (request.method === "PUT") {
        assert.equal(request.headers["x-amz-object-lock-mode"], "COMPLIANCE");
        assert.equal(
          Date.parse(String(request.headers["x-amz-object-lock-retain-until-date"])),
          Date.parse("2026-12-01T00:00:00Z"),
        );
      }
      response.writeHead(request.method === "DELETE" ? 204 : 200, headers).end();
    };
    const store = open({ objectLock: "compliance" });
    assert.equal(store.supports.objectLock, true);
    await store.put("a", Buffer.from("x"), { lockedUntil: Date.parse("2026-12-01T00:00:00Z") });
    await assert.rejects(store.delete("a"), code("ObjectLocked"));
    clock.set(Date.parse("2026-12-01T00:00:01Z"));
    await store.delete("a");
    assert.match(seen.at(-1) ?? "", /^DELETE .*versionId=v7/);
  });

  it("follows a listing over its pages and refuses one without order", async () => {
    const pages: Record<string, string[]> = { "": ["a", "b"], next: ["c", ".hidden", "d"] };
    answer = (request, response) => {
      const token = new URL(request.url ?? "", "http://x").searchParams.get("continuation-token") ?? "";
      const more =
        token === "" ? "<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>" : "";
      const keys = (pages[token] ?? []).map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join("");
      response.end(`<?xml version="1.0"?><ListBucketResult>${more}${keys}</ListBucketResult>`);
    };
    assert.deepEqual(
      (await collect(open().list(""))).map((info) => info.name),
      ["a", "b", "c", "d"],
    );
    pages["next"] = ["a0"];
    await assert.rejects(collect(open().list("")), code("StoreUntrustworthy"));
  });

  it("does not take a broken answer for an object, nor a boundless one", async () => {
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("short");
      setImmediate(() => response.destroy());
    };
    await assert.rejects(open().get("a"), code("StoreUnreachable"));
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": "99000000000" });
      response.write("x");
    };
    await assert.rejects(open().get("a"), code("StoreFailed"));
    server.closeAllConnections();
  });
});
