import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { afterEach, beforeEach, test } from "node:test";
import fc from "fast-check";
import { manualClock } from "../lib/clock.ts";
import { waitFor } from "../lib/time.ts";
import { blobEndpoint } from "./http/endpoint.ts";
import type { BlobReply } from "./http/request.ts";
import { listBlobs } from "./listing.ts";
import { createPageBlob, writePages } from "./page-blobs.ts";
import { pageRanges } from "./page-ranges.ts";
import { unguarded } from "./guard.ts";
import { deleteBlob, getBlob } from "./rows/blob.ts";
import { partsOf, readParts } from "./rows/content.ts";
import { takeSnapshot } from "./snapshots.ts";
import { temporaryBlobs, type TemporaryBlobs } from "./testing/temporary-blobs.ts";

const clock = manualClock(Date.parse("2026-01-01T00:00:00Z"));
const never = new AbortController().signal;
const box = { account: "account", container: "box" };
let temporary: TemporaryBlobs;

beforeEach(async () => {
  temporary = await temporaryBlobs(clock);
});

afterEach(() => temporary[Symbol.asyncDispose]());

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of body) all.push(piece);
  return Buffer.concat(all);
}

async function fileNames(): Promise<string[]> {
  const entries = await readdir(temporary.folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

/** A GET through the endpoint, as a browser with a signed URL does it. */
function get(url: string, headers: Record<string, string> = {}): Promise<BlobReply | undefined> {
  const { store } = temporary.blobs;
  const callers = {
    authenticate: async () => ({ objectId: "", tenantId: "" }),
    may: async () => false,
    challenge: () => "Bearer",
  };
  const parsed = new URL(url);
  return blobEndpoint({
    store,
    callers,
    origins: () => [parsed.origin],
    report: (error) => assert.fail(String(error)),
  }).handle({
    method: "GET",
    target: parsed.pathname + parsed.search,
    host: parsed.host,
    clientAddress: "127.0.0.1",
    signal: never,
    header: (name) => headers[name],
    headerNames: Object.keys(headers),
    body: () => pieces(),
  });
}

test("a blob is written and read as a stream, and replacing it leaves one file behind", async () => {
  const { blobs } = temporary;
  const address = { ...box, name: "a/b" };
  await blobs.write(address, "text/plain", pieces("hello ", "world"), never);
  const { size, body } = await blobs.read(address, never);
  assert.equal(size, 11);
  assert.equal((await collect(body)).toString(), "hello world");
  await blobs.write(address, "text/plain", pieces("new"), never);
  await waitFor("one file", async () => ((await fileNames()).length === 1 ? true : undefined), 120_000);
});

test("a body that breaks off leaves the old blob, and no file", async () => {
  const { blobs } = temporary;
  const address = { ...box, name: "x" };
  await blobs.write(address, "text/plain", pieces("old"), never);
  const broken = (async function* () {
    yield Buffer.from("half");
    throw new Error("the client is gone");
  })();
  await assert.rejects(blobs.write(address, "text/plain", broken, never), /client is gone/);
  assert.equal((await collect((await blobs.read(address, never)).body)).toString(), "old");
  assert.equal((await fileNames()).length, 1);
});

test("a blob that is deleted while it is read is read to its end", async () => {
  const { blobs } = temporary;
  const address = { ...box, name: "x" };
  const text = "x".repeat(1_000_000);
  await blobs.write(address, "text/plain", pieces(text), never);
  const { body } = await blobs.read(address, never);
  const reader = body[Symbol.asyncIterator]();
  const first = await reader.next();
  await blobs.store.database.transaction((trx) => deleteBlob(trx, blobs.store.files, address, undefined));
  let length = (first.value as Uint8Array).length;
  for (let next = await reader.next(); next.done !== true; next = await reader.next()) length += next.value.length;
  assert.equal(length, text.length);
  await waitFor("no file", async () => ((await fileNames()).length === 0 ? true : undefined), 120_000);
});

test("a virtual blob is read from its reader through a signed URL until it is no longer served", async () => {
  const { blobs } = temporary;
  const asked: [number, number][] = [];
  const address = { ...box, name: "disk.vhd" };
  const content = Buffer.from("0123456789");
  const end = blobs.serveVirtual(address, {
    size: content.length,
    etag: '"v"',
    changedAt: clock.now(),
    read: async function* (offset, length) {
      asked.push([offset, length]);
      yield content.subarray(offset, offset + length);
    },
  });
  const url = await blobs.sasUrl(address, { permissions: "r", expiresAt: clock.now() + 60_000 });
  const part = await get(url, { range: "bytes=2-4" });
  assert.equal(part?.status, 206);
  assert.equal(part.headers["Content-Range"], "bytes 2-4/10");
  assert.match(part.headers["Content-Security-Policy"] ?? "", /sandbox/);
  assert.equal((await collect(part.body as AsyncIterable<Uint8Array>)).toString(), "234");
  assert.deepEqual(asked, [[2, 3]]);
  clock.advance(61_000);
  assert.equal((await get(url))?.headers["x-ms-error-code"], "AuthenticationFailed");
  const fresh = await blobs.sasUrl(address, { permissions: "r", expiresAt: clock.now() + 60_000 });
  end();
  assert.equal((await get(fresh))?.status, 404);
});

test("lists agree with a plain model whatever the names, the prefix and the page size", async () => {
  const { store } = temporary.blobs;
  const reader = store.database.kysely;
  const part = fc.constantFrom("a", "b", "/", "//", "é", "\u{1F600}", "\uFFFD", "0", "z");
  const name = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { maxLength: 12 }),
      fc.constantFrom("", "a", "a/", "/"),
      fc.constantFrom(undefined, "/", "b"),
      fc.integer({ min: 1, max: 4 }),
      async (names, prefix, delimiter, limit) => {
        await store.database.transaction(async (trx) => {
          await trx.deleteFrom("blobs").execute();
          for (const one of names) {
            const row = {
              ...box,
              name: one,
              snapshot: "~",
              kind: "BlockBlob",
              content_id: "c",
              size: 0,
              etag: "e",
              settings: "{}",
              metadata: "{}",
              lease: "{}",
              created_at: 0,
              changed_at: 0,
            };
            await trx.insertInto("blobs").values(row).execute();
          }
        });
        const seen: string[] = [];
        let marker: string | undefined;
        do {
          const page = await listBlobs(reader, box, { prefix, delimiter, marker, limit, snapshots: false });
          assert.ok(page.entries.length <= limit);
          seen.push(...page.entries.map((entry) => ("folder" in entry ? entry.folder : entry.blob.name)));
          marker = page.nextMarker;
        } while (marker !== undefined);
        const expected = names
          .filter((one) => one.startsWith(prefix))
          .map((one) => {
            const cut = delimiter === undefined ? -1 : one.indexOf(delimiter, prefix.length);
            return cut === -1 ? one : one.slice(0, cut + delimiter!.length);
          });
        assert.deepEqual([...seen].sort(), [...new Set(expected)].sort());
        assert.equal(new Set(seen).size, seen.length);
      },
    ),
    { seed: 7, numRuns: process.env["HOLDFAST_TEST_LONG"] === "1" ? 2000 : 60 },
  );
});

test("pages, their ranges and their snapshots agree with a plain model", async () => {
  const { store } = temporary.blobs;
  const size = 16 * 512;
  const step = fc.oneof(
    fc.record({
      kind: fc.constantFrom("write", "clear"),
      start: fc.integer({ min: 0, max: 15 }),
      pages: fc.integer({ min: 1, max: 6 }),
      byte: fc.integer({ min: 1, max: 255 }),
    }),
    fc.constant({ kind: "snapshot", start: 0, pages: 0, byte: 0 }),
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      run += 1;
      const address = { ...box, name: `disk-${run}` };
      await createPageBlob(store, address, size, { settings: {}, metadata: {}, guard: unguarded });
      const model = Buffer.alloc(size);
      const written = new Set<number>();
      const snapshots: { snapshot: string; bytes: Buffer }[] = [];
      for (const { kind, start, pages, byte } of steps) {
        clock.advance(1);
        if (kind === "snapshot") {
          snapshots.push({
            snapshot: (await takeSnapshot(store, address, undefined, unguarded)).snapshot,
            bytes: Buffer.from(model),
          });
          continue;
        }
        const end = Math.min(16, start + pages);
        const range = { start: start * 512, end: end * 512 };
        const bytes = kind === "write" ? Buffer.alloc(range.end - range.start, byte) : undefined;
        await writePages(store, address, range, bytes, unguarded);
        model.fill(bytes === undefined ? 0 : byte, range.start, range.end);
        for (let page = start; page < end; page += 1) written[kind === "write" ? "add" : "delete"](page);
      }
      const check = async (snapshot: string | undefined, bytes: Buffer): Promise<string> => {
        const blob = await getBlob(store.database.kysely, { ...address, snapshot });
        assert.deepEqual(
          await collect(readParts(store.files, await partsOf(store.database.kysely, blob.contentId), 0, size)),
          bytes,
        );
        return blob.contentId;
      };
      for (const { snapshot, bytes } of snapshots) await check(snapshot, bytes);
      const ranges = await pageRanges(store.database.kysely, await check(undefined, model), 0, size);
      const pages = ranges.flatMap(({ start, end }) =>
        Array.from({ length: (end - start) / 512 }, (_, index) => start / 512 + index),
      );
      assert.deepEqual(
        pages,
        [...written].sort((left, right) => left - right),
      );
      for (const [index, range] of ranges.entries()) assert.ok(index === 0 || ranges[index - 1]!.end < range.start);
    }),
    { seed: 11, numRuns: process.env["HOLDFAST_TEST_LONG"] === "1" ? 500 : 15 },
  );
});
