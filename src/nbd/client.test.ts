import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { randomBytes } from "../lib/random.ts";
import { connectNbd } from "./client.ts";
import type { BlockExtent } from "./extents.ts";
import { listNbdExports } from "./handshake.ts";
import { allocationFlags, baseAllocation, dirtyBitmapContext } from "./protocol.ts";
import { serveNbd } from "./server.ts";
import { scratchFolder, startServer, tool, type Scratch } from "./testing/tools.ts";

const mebibyte = 1024 * 1024;

function qemuNbd(scratch: Scratch, ...args: string[]): ReturnType<typeof startServer> {
  return startServer("qemu-nbd", ["-t", "-e", "16", "-k", scratch.path("nbd.sock"), ...args], scratch.path("nbd.sock"));
}

async function collect(extents: AsyncIterable<BlockExtent>): Promise<BlockExtent[]> {
  const found: BlockExtent[] = [];
  for await (const extent of extents) found.push(extent);
  return found;
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test("reads of any length and offset give what the image holds", async () => {
  using scratch = scratchFolder();
  const content = randomBytes(9 * mebibyte + 512);
  writeFileSync(scratch.path("disk.raw"), content);
  await using _server = await qemuNbd(scratch, "-r", "-f", "raw", "-x", "disk", scratch.path("disk.raw"));
  await using client = await connectNbd({ socketPath: scratch.path("nbd.sock"), exportName: "disk" });
  assert.equal(client.size, content.length);
  assert.equal(client.readOnly, true);
  const whole = Buffer.alloc(content.length);
  await client.read(whole, 0);
  assert.equal(digest(whole), digest(content));
  const offsets = [1, 4095, mebibyte - 3, 5 * mebibyte + 17];
  await Promise.all(
    offsets.map(async (offset) => {
      const piece = Buffer.alloc(3 * mebibyte + 5);
      await client.read(piece, offset);
      assert.equal(digest(piece), digest(content.subarray(offset, offset + piece.length)));
    }),
  );
});

test("block status tells holes, also beyond 4 GiB, and merges neighbours", async () => {
  using scratch = scratchFolder();
  const image = scratch.path("disk.qcow2");
  tool("qemu-img", "create", "-q", "-f", "qcow2", image, "10G");
  tool(
    "qemu-io",
    "-f",
    "qcow2",
    "-c",
    "write -P 7 0 1M",
    "-c",
    "write -P 8 5G 64k",
    "-c",
    "write -P 9 5368774656 64k",
    image,
  );
  await using _server = await qemuNbd(scratch, "-r", "-f", "qcow2", "-x", "disk", image);
  await using client = await connectNbd({
    socketPath: scratch.path("nbd.sock"),
    exportName: "disk",
    metaContexts: [baseAllocation],
  });
  const data = (await collect(client.blockStatus(0, client.size, baseAllocation))).filter(
    ({ flags }) => (flags & allocationFlags.zero) === 0,
  );
  assert.deepEqual(
    data.map(({ offset, length }) => [offset, length]),
    [
      [0, mebibyte],
      [5 * 1024 * mebibyte, 128 * 1024],
    ],
  );
  assert.throws(() => client.blockStatus(0, 512, dirtyBitmapContext("none")), { code: "NbdRequestInvalid" });
});

test("a dirty bitmap tells exactly what was written since it began", async () => {
  using scratch = scratchFolder();
  const image = scratch.path("disk.qcow2");
  tool("qemu-img", "create", "-q", "-f", "qcow2", image, "64M");
  tool("qemu-img", "bitmap", "--add", "-g", "65536", image, "since");
  tool("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 100k", "-c", "write -P 8 40M 4k", image);
  await using _server = await qemuNbd(scratch, "-r", "-f", "qcow2", "-x", "disk", "-B", "since", image);
  const context = dirtyBitmapContext("since");
  await using client = await connectNbd({
    socketPath: scratch.path("nbd.sock"),
    exportName: "disk",
    metaContexts: [context, baseAllocation],
  });
  const dirty = (await collect(client.blockStatus(0, client.size, context))).filter(({ flags }) => flags === 1);
  assert.deepEqual(
    dirty.map(({ offset, length }) => [offset, length]),
    [
      [mebibyte, 128 * 1024],
      [40 * mebibyte, 64 * 1024],
    ],
  );
});

test("writes, zeroes, trims and flushes arrive in the image", async () => {
  using scratch = scratchFolder();
  const image = scratch.path("disk.qcow2");
  tool("qemu-img", "create", "-q", "-f", "qcow2", image, "64M");
  const content = randomBytes(5 * mebibyte);
  {
    await using _server = await qemuNbd(scratch, "-f", "qcow2", "--discard=unmap", "-x", "disk", image);
    await using client = await connectNbd({ socketPath: scratch.path("nbd.sock"), exportName: "disk" });
    await client.write(content, mebibyte);
    await client.writeZeroes(2 * mebibyte, mebibyte);
    await client.write(content.subarray(0, 4096), 32 * mebibyte, { forceUnitAccess: true });
    await client.trim(4 * mebibyte, mebibyte);
    await client.cache(0, mebibyte);
    await client.flush();
    await assert.rejects(client.write(content, 62 * mebibyte), { code: "NbdRequestInvalid" });
  }
  const expected = Buffer.alloc(64 * mebibyte);
  content.copy(expected, mebibyte);
  expected.fill(0, 2 * mebibyte, 3 * mebibyte);
  expected.fill(0, 4 * mebibyte, 5 * mebibyte);
  content.copy(expected, 32 * mebibyte, 0, 4096);
  tool("qemu-img", "convert", "-O", "raw", image, scratch.path("out.raw"));
  assert.equal(digest(readFileSync(scratch.path("out.raw"))), digest(expected));
});

test("a server that dies in the middle of reading is connected to again", async () => {
  using scratch = scratchFolder();
  const content = randomBytes(4 * mebibyte);
  writeFileSync(scratch.path("disk.raw"), content);
  const args = ["-r", "-f", "raw", "-x", "disk", scratch.path("disk.raw")];
  const first = await qemuNbd(scratch, ...args);
  await using client = await connectNbd({ socketPath: scratch.path("nbd.sock"), exportName: "disk" });
  await client.read(Buffer.alloc(4096), 0);
  await first.kill();
  const into = Buffer.alloc(content.length);
  const reading = client.read(into, 0);
  await using _second = await qemuNbd(scratch, ...args);
  await reading;
  assert.equal(digest(into), digest(content));
});

test("writes that were not flushed when the server died are reported as lost, not repeated", async () => {
  using scratch = scratchFolder();
  truncateSync(writeEmpty(scratch.path("disk.raw")), mebibyte);
  const args = ["-f", "raw", "-x", "disk", scratch.path("disk.raw")];
  const first = await qemuNbd(scratch, ...args);
  await using client = await connectNbd({ socketPath: scratch.path("nbd.sock"), exportName: "disk" });
  await client.write(randomBytes(4096), 0);
  await first.kill();
  await using _second = await qemuNbd(scratch, ...args);
  await assert.rejects(client.flush(), { code: "NbdWritesLost" });
  await assert.rejects(client.read(Buffer.alloc(512), 0), { code: "NbdWritesLost" });
});

test("an export that comes back with another size is another disk", async () => {
  using scratch = scratchFolder();
  truncateSync(writeEmpty(scratch.path("disk.raw")), mebibyte);
  const args = ["-r", "-f", "raw", "-x", "disk", scratch.path("disk.raw")];
  const first = await qemuNbd(scratch, ...args);
  await using client = await connectNbd({ socketPath: scratch.path("nbd.sock"), exportName: "disk" });
  await first.kill();
  truncateSync(scratch.path("disk.raw"), 2 * mebibyte);
  await using _second = await qemuNbd(scratch, ...args);
  await assert.rejects(client.read(Buffer.alloc(512), 0), { code: "NbdExportChanged" });
});

test("a failing read names the place and the server's error, and the connection goes on", async () => {
  using scratch = scratchFolder();
  const socketPath = scratch.path("nbd.sock");
  await using _server = await startServer(
    "nbdkit",
    [
      "-f",
      "-r",
      "-U",
      socketPath,
      "-e",
      "disk",
      "--filter=error",
      "memory",
      "1M",
      "error-pread-rate=100%",
      "error=ENOMEM",
    ],
    socketPath,
  );
  await using client = await connectNbd({ socketPath, exportName: "disk" });
  const failing = client.read(Buffer.alloc(512), 4096);
  await assert.rejects(failing, { code: "NbdRequestFailed", message: /read of 512 bytes at 4096 with ENOMEM/ });
  await assert.rejects(client.read(Buffer.alloc(512), 0), { code: "NbdRequestFailed" });
});

test("an aborted read returns at once and leaves its buffer alone afterwards", async () => {
  using scratch = scratchFolder();
  const socketPath = scratch.path("nbd.sock");
  await using _server = await startServer(
    "nbdkit",
    ["-f", "-U", socketPath, "--filter=delay", "pattern", "1M", "rdelay=300ms"],
    socketPath,
  );
  await using client = await connectNbd({ socketPath, exportName: "" });
  const abort = new AbortController();
  const into = Buffer.alloc(4096, 0xaa);
  const reading = client.read(into, 8192, abort.signal);
  abort.abort(new Error("no longer wanted"));
  await assert.rejects(reading, /no longer wanted/);
  await client.read(Buffer.alloc(512), 0);
  assert.ok(into.every((byte) => byte === 0xaa));
});

test("the exports of a server are listed with size and description", async () => {
  using scratch = scratchFolder();
  const socketPath = scratch.path("nbd.sock");
  truncateSync(writeEmpty(scratch.path("disk.raw")), 3 * mebibyte);
  await using _server = await qemuNbd(
    scratch,
    "-r",
    "-f",
    "raw",
    "-x",
    "disk",
    "-D",
    "the first disk",
    scratch.path("disk.raw"),
  );
  const [listed, ...others] = await listNbdExports({ address: { socketPath } });
  assert.equal(others.length, 0);
  assert.equal(listed?.name, "disk");
  assert.equal(listed?.description, "the first disk");
  assert.equal(listed?.info?.size, 3 * mebibyte);
});

test("an unknown export and an absent server have names of their own", async () => {
  using scratch = scratchFolder();
  const socketPath = scratch.path("nbd.sock");
  await assert.rejects(connectNbd({ socketPath, exportName: "disk" }), { code: "NbdUnreachable" });
  truncateSync(writeEmpty(scratch.path("disk.raw")), mebibyte);
  await using _server = await qemuNbd(scratch, "-r", "-f", "raw", "-x", "disk", scratch.path("disk.raw"));
  await assert.rejects(connectNbd({ socketPath, exportName: "other" }), {
    code: "NbdRefused",
    message: /the export "other": it has no such export/,
  });
});

test("block sizes of the server are kept, and misaligned requests refused before they are sent", async () => {
  using scratch = scratchFolder();
  const socketPath = scratch.path("nbd.sock");
  await using _server = await startServer(
    "nbdkit",
    [
      "-f",
      "-U",
      socketPath,
      "--filter=blocksize-policy",
      "memory",
      "64M",
      "blocksize-minimum=4096",
      "blocksize-preferred=64K",
      "blocksize-maximum=256K",
      "blocksize-error-policy=error",
    ],
    socketPath,
  );
  await using client = await connectNbd({ socketPath, exportName: "" });
  assert.deepEqual(client.blockSizes, { minimum: 4096, preferred: 65536, maximum: 256 * 1024 });
  const content = randomBytes(3 * mebibyte);
  await client.write(content, 4096);
  const back = Buffer.alloc(content.length);
  await client.read(back, 4096);
  assert.equal(digest(back), digest(content));
  await assert.rejects(client.read(Buffer.alloc(512), 0), { code: "NbdRequestInvalid" });
});

function writeEmpty(path: string): string {
  writeFileSync(path, "");
  return path;
}

test("no more requests are on their way than the client was told, and all of them are answered", async () => {
  using scratch = scratchFolder();
  let running = 0;
  let most = 0;
  await using _server = await serveNbd({
    listen: { socketPath: scratch.path("nbd.sock") },
    exports: [
      {
        name: "disk",
        size: 16 * mebibyte,
        readOnly: true,
        read: async (into, offset) => {
          running += 1;
          most = Math.max(most, running);
          await setImmediate();
          into.fill(offset / (mebibyte / 2));
          running -= 1;
        },
      },
    ],
  });
  const socketPath = scratch.path("nbd.sock");
  await using client = await connectNbd({ socketPath, exportName: "disk", requestsInFlight: 3 });
  const whole = Buffer.alloc(16 * mebibyte);
  await client.read(whole, 0);
  assert.equal(most, 3);
  for (let piece = 0; piece < 32; piece += 1) assert.equal(whole[piece * (mebibyte / 2) + 7], piece);
});
