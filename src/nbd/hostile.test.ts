// Servers and clients that lie, flood or fall silent: each ends in a named error, in time.

import assert from "node:assert/strict";
import { createServer, connect, type Socket } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { waitFor } from "../lib/time.ts";
import { connectNbd, type ConnectNbdOptions } from "./client.ts";
import type { BlockExtent } from "./extents.ts";
import { listNbdExports } from "./handshake.ts";
import { serveNbd } from "./server.ts";
import { scratchFolder } from "./testing/tools.ts";

type Bytes = (string | number[] | Buffer)[];

function bytes(...parts: Bytes): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "hex") : Buffer.from(part))));
}
function u16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(value);
  return buffer;
}
function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value >>> 0);
  return buffer;
}
function u64(value: number | bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64BE(BigInt(value));
  return buffer;
}
const greeting = bytes(Buffer.from("NBDMAGICIHAVEOPT"), u16(3));
const optionAnswer = (code: number, type: number, payload: Buffer = Buffer.alloc(0)): Buffer =>
  bytes(u64(0x3e889045565a9n), u32(code), u32(type), u32(payload.length), payload);
const sizeInfo = (size: number | bigint): Buffer => bytes(u16(0), u64(size), u16(3));
const blockInfo = (...sizes: number[]): Buffer => bytes(u16(3), ...sizes.map(u32));
const chunk = (cookie: Buffer, type: number, payload: Buffer, flags = 1): Buffer =>
  bytes(u32(0x668e33ef), u16(flags), u16(type), cookie, u32(payload.length), payload);

interface Lies {
  /** The whole answer to GO. */
  readonly go?: Buffer;
  /** The answer to each request, given its cookie. */
  readonly reply?: (cookie: Buffer, socket: Socket) => Buffer;
}

/** A server whose handshake is right unless `lies` says otherwise. */
async function liar(path: string, lies: Lies): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    let buffered = Buffer.alloc(0);
    let phase: "flags" | "options" | "requests" = "flags";
    socket.write(greeting);
    socket.on("data", (data: Buffer) => {
      buffered = Buffer.concat([buffered, data]);
      for (;;) {
        if (phase === "flags" && buffered.length >= 4) {
          buffered = buffered.subarray(4);
          phase = "options";
        } else if (phase === "options" && buffered.length >= 16 && buffered.length >= 16 + buffered.readUInt32BE(12)) {
          const code = buffered.readUInt32BE(8);
          buffered = buffered.subarray(16 + buffered.readUInt32BE(12));
          if (code === 10)
            socket.write(
              bytes(optionAnswer(code, 4, bytes(u32(1), Buffer.from("base:allocation"))), optionAnswer(code, 1)),
            );
          else if (code === 7) {
            socket.write(lies.go ?? bytes(optionAnswer(7, 3, sizeInfo(1 << 20)), optionAnswer(7, 1)));
            phase = "requests";
          } else socket.write(optionAnswer(code, 1));
        } else if (phase === "requests" && buffered.length >= 28) {
          const cookie = Buffer.from(buffered.subarray(8, 16));
          buffered = buffered.subarray(28);
          if (lies.reply !== undefined) socket.write(lies.reply(cookie, socket));
        } else return;
      }
    });
  }).listen(path);
  await once(server, "listening");
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const violation = { code: "NbdProtocolViolation" };

const handshakeLies: Record<string, Buffer> = {
  "a size of 2^63": bytes(optionAnswer(7, 3, sizeInfo(2n ** 63n)), optionAnswer(7, 1)),
  "no size at all": optionAnswer(7, 1),
  "a block size of zero": bytes(
    optionAnswer(7, 3, sizeInfo(4096)),
    optionAnswer(7, 3, blockInfo(0, 0, 0)),
    optionAnswer(7, 1),
  ),
  "a block size that is no power of two": bytes(
    optionAnswer(7, 3, sizeInfo(4096)),
    optionAnswer(7, 3, blockInfo(3, 4096, 65536)),
    optionAnswer(7, 1),
  ),
  "a maximum below the minimum": bytes(
    optionAnswer(7, 3, sizeInfo(4096)),
    optionAnswer(7, 3, blockInfo(4096, 4096, 512)),
    optionAnswer(7, 1),
  ),
  "an answer of 4 GiB": bytes(u64(0x3e889045565a9n), u32(7), u32(3), u32(0xffffffff)),
  "an answer to another option": optionAnswer(5, 1),
  "endless answers": Buffer.concat(Array.from({ length: 20_000 }, () => optionAnswer(7, 3, sizeInfo(4096)))),
};

for (const [name, go] of Object.entries(handshakeLies)) {
  test(`a server that gives ${name} is refused`, async () => {
    using scratch = scratchFolder();
    await using _server = await liar(scratch.path("s"), { go });
    await assert.rejects(connectNbd({ socketPath: scratch.path("s"), exportName: "" }), violation);
  });
}

const readLies: Record<string, (cookie: Buffer) => Buffer> = {
  "data before the place asked for": (cookie) => chunk(cookie, 1, bytes(u64(0), Buffer.alloc(4096))),
  "data behind the place asked for": (cookie) => chunk(cookie, 1, bytes(u64(8192 + 512), Buffer.alloc(4096))),
  "data at an offset of 2^64 - 1": (cookie) => chunk(cookie, 1, bytes(u64(2n ** 64n - 1n), Buffer.alloc(4096))),
  "more data than asked for": (cookie) => chunk(cookie, 1, bytes(u64(8192), Buffer.alloc(8192))),
  "less data than asked for": (cookie) => chunk(cookie, 1, bytes(u64(8192), Buffer.alloc(512))),
  "the same data twice": (cookie) =>
    bytes(
      chunk(cookie, 1, bytes(u64(8192), Buffer.alloc(2048)), 0),
      chunk(cookie, 1, bytes(u64(8192), Buffer.alloc(2048))),
    ),
  "a hole larger than asked for": (cookie) => chunk(cookie, 2, bytes(u64(8192), u32(0xffffffff))),
  "nothing and calls it done": (cookie) => chunk(cookie, 0, Buffer.alloc(0)),
  "block status for a read": (cookie) => chunk(cookie, 5, bytes(u32(1), u32(512), u32(0))),
  "an unknown kind of chunk": (cookie) => chunk(cookie, 77, Buffer.alloc(12)),
  "an error of 4 GiB": (cookie) => bytes(u32(0x668e33ef), u16(1), u16(32769), cookie, u32(0xffffffff)),
  "an answer to another request": () => chunk(u64(4711), 1, bytes(u64(8192), Buffer.alloc(4096))),
  "an answer to a request beyond counting": () => chunk(u64(2n ** 40n + 1n), 1, bytes(u64(8192), Buffer.alloc(4096))),
  "a simple reply although structured ones were agreed": (cookie) =>
    bytes(u32(0x67446698), u32(0), cookie, Buffer.alloc(4096)),
  "bytes that are no reply": () => Buffer.alloc(64, 0x55),
};

for (const [name, reply] of Object.entries(readLies)) {
  test(`a server that answers a read with ${name} is given up`, async () => {
    using scratch = scratchFolder();
    await using _server = await liar(scratch.path("s"), { reply });
    await using client = await connectNbd({ socketPath: scratch.path("s"), exportName: "" });
    await assert.rejects(client.read(Buffer.alloc(4096), 8192), violation);
  });
}

const statusLies: Record<string, (cookie: Buffer) => Buffer> = {
  "an extent of no length": (cookie) => chunk(cookie, 5, bytes(u32(1), u32(0), u32(0))),
  "extents beyond the range": (cookie) => chunk(cookie, 5, bytes(u32(1), u32(1 << 20), u32(0), u32(512), u32(0))),
  "a context never granted": (cookie) => chunk(cookie, 5, bytes(u32(9), u32(512), u32(0))),
  "half an extent": (cookie) => chunk(cookie, 5, bytes(u32(1), u32(512))),
  "the same context twice": (cookie) =>
    bytes(chunk(cookie, 5, bytes(u32(1), u32(512), u32(0)), 0), chunk(cookie, 5, bytes(u32(1), u32(512), u32(0)))),
  nothing: (cookie) => chunk(cookie, 0, Buffer.alloc(0)),
};

test("a large read that is given up in the middle of its answer leaves its buffer alone afterwards", async () => {
  using scratch = scratchFolder();
  const path = scratch.path("nbd.sock");
  const length = 512 * 1024;
  const goOn = Promise.withResolvers<void>();
  let answers = 0;
  await using _server = await liar(path, {
    reply: (cookie, socket) => {
      answers += 1;
      const answer = chunk(cookie, 1, bytes(u64(0), Buffer.alloc(length, answers)));
      if (answers > 1) return answer;
      void goOn.promise.then(() => socket.write(answer.subarray(length / 2)));
      return answer.subarray(0, length / 2);
    },
  });
  await using client = await connectNbd({ socketPath: path, exportName: "disk" });
  const into = Buffer.alloc(length);
  const abort = new AbortController();
  const reading = client.read(into, 0, abort.signal);
  await waitFor("the first half", () => (into[length / 4] === 1 ? true : undefined), 120_000, 1);
  const other = client.read(Buffer.alloc(length), 0);
  abort.abort(new Error("no longer wanted"));
  await assert.rejects(reading, /no longer wanted/);
  into.fill(0xaa);
  goOn.resolve();
  await other;
  assert.ok(into.every((byte) => byte === 0xaa));
  const again = Buffer.alloc(length);
  await client.read(again, 0);
  assert.ok(again.every((byte) => byte === answers));
});

for (const [name, reply] of Object.entries(statusLies)) {
  test(`a server that answers block status with ${name} is given up`, async () => {
    using scratch = scratchFolder();
    await using _server = await liar(scratch.path("s"), { reply });
    await using client = await connectNbd(withContext(scratch.path("s")));
    await assert.rejects(async () => {
      for await (const _ of client.blockStatus(0, client.size, "base:allocation"));
    }, violation);
  });
}

function withContext(socketPath: string): ConnectNbdOptions {
  return { socketPath, exportName: "", metaContexts: ["base:allocation"] };
}

test("an extent that reaches beyond the request is cut, not believed", async () => {
  using scratch = scratchFolder();
  await using _server = await liar(scratch.path("s"), {
    reply: (cookie) => chunk(cookie, 5, bytes(u32(1), u32(0xfffffe00), u32(3))),
  });
  await using client = await connectNbd(withContext(scratch.path("s")));
  const found: BlockExtent[] = [];
  for await (const extent of client.blockStatus(0, 8192, "base:allocation")) found.push(extent);
  assert.deepEqual(found, [{ offset: 0, length: 8192, flags: 3 }]);
});

test("silence in the handshake and after it ends in NbdTimedOut", async () => {
  using scratch = scratchFolder();
  const mute = createServer(() => {}).listen(scratch.path("mute"));
  await once(mute, "listening");
  const quick = { handshakeTimeoutMilliseconds: 50, silenceMilliseconds: 50, reconnectAttempts: 0, exportName: "" };
  await assert.rejects(connectNbd({ socketPath: scratch.path("mute"), ...quick }), { code: "NbdTimedOut" });
  await assert.rejects(
    listNbdExports({ address: { socketPath: scratch.path("mute") }, handshakeTimeoutMilliseconds: 50 }),
    { code: "NbdTimedOut" },
  );
  mute.close();
  await using _server = await liar(scratch.path("s"), {});
  await using client = await connectNbd({ socketPath: scratch.path("s"), ...quick });
  await assert.rejects(client.read(Buffer.alloc(512), 0), { code: "NbdTimedOut" });
});

test("a server that drops every request is not asked for ever", async () => {
  using scratch = scratchFolder();
  await using _server = await liar(scratch.path("s"), {
    reply: (_cookie, socket) => {
      socket.destroy();
      return Buffer.alloc(0);
    },
  });
  await using client = await connectNbd({ socketPath: scratch.path("s"), exportName: "", reconnectAttempts: 3 });
  await assert.rejects(client.read(Buffer.alloc(512), 0), { code: "NbdConnectionLost" });
});

const clientLies: Record<string, Buffer> = {
  "an option of 4 GiB": bytes(u32(3), Buffer.from("IHAVEOPT"), u32(7), u32(0xffffffff)),
  "an option that begins with wrong bytes": bytes(u32(3), Buffer.from("WRONGOPT"), u32(7), u32(0)),
  "an unknown export by the old option": bytes(u32(3), Buffer.from("IHAVEOPT"), u32(1), u32(5), Buffer.from("other")),
  "a write of 4 GiB": bytes(
    u32(3),
    Buffer.from("IHAVEOPT"),
    u32(1),
    u32(4),
    Buffer.from("disk"),
    u32(0x25609513),
    u16(0),
    u16(1),
    u64(1),
    u64(0),
    u32(0xffffffff),
  ),
  "a request that begins with wrong bytes": bytes(
    u32(3),
    Buffer.from("IHAVEOPT"),
    u32(1),
    u32(4),
    Buffer.from("disk"),
    Buffer.alloc(28),
  ),
};

for (const [name, sent] of Object.entries(clientLies)) {
  test(`a client that sends ${name} is cut off, others are served on`, async () => {
    using scratch = scratchFolder();
    const listen = { socketPath: scratch.path("s") };
    await using _server = await serveNbd({
      listen,
      exports: [{ name: "disk", size: 4096, readOnly: true, read: async (into) => void into.fill(1) }],
    });
    const socket = connect(listen.socketPath);
    socket.on("error", () => {});
    socket.resume();
    socket.write(sent);
    await once(socket, "close");
    await using client = await connectNbd({ ...listen, exportName: "disk" });
    const into = Buffer.alloc(512);
    await client.read(into, 0);
    assert.equal(into[0], 1);
  });
}

test("requests beyond the end, or writes to a read-only export, are refused by the server", async () => {
  using scratch = scratchFolder();
  const listen = { socketPath: scratch.path("s") };
  await using _server = await serveNbd({
    listen,
    exports: [{ name: "disk", size: 4096, readOnly: true, read: async (into) => void into.fill(1) }],
  });
  const socket = connect(listen.socketPath);
  socket.write(bytes(u32(3), Buffer.from("IHAVEOPT"), u32(1), u32(4), Buffer.from("disk")));
  const request = (code: number, offset: number | bigint, length: number, payload = Buffer.alloc(0)): Buffer =>
    bytes(u32(0x25609513), u16(0), u16(code), u64(code), u64(offset), u32(length), payload);
  socket.write(
    bytes(request(0, 4000, 512), request(0, 2n ** 63n, 512), request(1, 0, 4, Buffer.alloc(4)), request(6, 0, 4)),
  );
  let received = Buffer.alloc(0);
  const wanted = 18 + 10 + 4 * 16;
  for await (const part of socket) {
    received = Buffer.concat([received, part as Buffer]);
    if (received.length >= wanted + 124 || received.length === wanted) break;
  }
  const errors = [0, 1, 2, 3]
    .map((index) => received.readUInt32BE(received.length - 64 + index * 16 + 4))
    .sort((a, b) => a - b);
  assert.deepEqual(errors, [1, 1, 22, 22]);
});
