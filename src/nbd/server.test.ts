import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { randomBytes } from "../lib/random.ts";
import { connectNbd } from "./client.ts";
import type { NbdExport } from "./export.ts";
import { listNbdExports } from "./handshake.ts";
import { serveNbd } from "./server.ts";
import { scratchFolder } from "./testing/tools.ts";
import { nbdUri } from "./address.ts";

const mebibyte = 1024 * 1024;
const runTool = promisify(execFile);

/** A disk in memory: `content`, of which the stretch [holeStart, holeEnd) reads as zeroes. */
function memoryExport(name: string, content: Buffer, hole?: { start: number; end: number }): NbdExport {
  return {
    name,
    size: content.length,
    readOnly: true,
    read: async (into, offset) => {
      into.set(content.subarray(offset, offset + into.length));
    },
    extents: async function* (offset, length) {
      const start = Math.max(offset, hole?.start ?? content.length);
      const end = Math.min(offset + length, hole?.end ?? content.length);
      if (start < end) yield { offset: start, length: end - start, flags: 3 };
    },
  };
}

function writableExport(name: string, content: Buffer): NbdExport & { flushes: number } {
  const disk = {
    ...memoryExport(name, content),
    readOnly: false,
    flushes: 0,
    write: async (from: Uint8Array, offset: number) => {
      content.set(from, offset);
    },
    writeZeroes: async (offset: number, length: number) => {
      content.fill(0, offset, offset + length);
    },
    trim: async (offset: number, length: number) => {
      content.fill(0, offset, offset + length);
    },
    flush: async () => {
      disk.flushes += 1;
    },
  };
  return disk;
}

test("nbdcopy, nbdinfo, qemu-img and qemu-io read an export with a hole as it is", async () => {
  using scratch = scratchFolder();
  const content = randomBytes(8 * mebibyte);
  content.fill(0, 2 * mebibyte, 5 * mebibyte);
  const listen = { socketPath: scratch.path("nbd.sock") };
  const hole = { start: 2 * mebibyte, end: 5 * mebibyte };
  await using _server = await serveNbd({
    listen,
    exports: [memoryExport("disk", content, hole), memoryExport("empty", Buffer.alloc(0))],
  });
  const uri = nbdUri(listen, "disk");

  await runTool("nbdcopy", [uri, scratch.path("copy.raw")]);
  assert.ok(readFileSync(scratch.path("copy.raw")).equals(content));
  await runTool("qemu-img", ["convert", "-f", "raw", "-O", "raw", uri, scratch.path("convert.raw")]);
  assert.ok(readFileSync(scratch.path("convert.raw")).equals(content));
  await runTool("qemu-io", ["-r", "-f", "raw", "-c", "read -P 0 2M 3M", uri]);

  const map = JSON.parse((await runTool("nbdinfo", ["--map", "--json", uri])).stdout) as {
    offset: number;
    type: number;
  }[];
  assert.deepEqual(
    map.map(({ offset, type }) => [offset, type]),
    [
      [0, 0],
      [hole.start, 3],
      [hole.end, 0],
    ],
  );
  const listed = JSON.parse((await runTool("nbdinfo", ["--list", "--json", nbdUri(listen, "")])).stdout) as {
    exports: { "export-name": string; "export-size": number; is_read_only: boolean; can_multi_conn: boolean }[];
  };
  assert.deepEqual(
    listed.exports.map((entry) => [
      entry["export-name"],
      entry["export-size"],
      entry.is_read_only,
      entry.can_multi_conn,
    ]),
    [
      ["disk", content.length, true, true],
      ["empty", 0, true, true],
    ],
  );
});

test("qemu-io writes, discards and flushes through to the export", async () => {
  using scratch = scratchFolder();
  const content = randomBytes(4 * mebibyte);
  const expected = Buffer.from(content);
  const disk = writableExport("disk", content);
  const listen = { socketPath: scratch.path("nbd.sock") };
  await using _server = await serveNbd({ listen, exports: [disk] });
  await runTool("qemu-io", [
    "-f",
    "raw",
    "-d",
    "unmap",
    "-t",
    "none",
    "-c",
    "write -P 5 4k 70k",
    "-c",
    "write -z 1M 64k",
    "-c",
    "discard 2M 64k",
    "-c",
    "write -f -P 6 3M 4k",
    "-c",
    "flush",
    nbdUri(listen, "disk"),
  ]);
  expected.fill(5, 4096, 4096 + 70 * 1024);
  expected.fill(0, mebibyte, mebibyte + 65536);
  expected.fill(0, 2 * mebibyte, 2 * mebibyte + 65536);
  expected.fill(6, 3 * mebibyte, 3 * mebibyte + 4096);
  assert.ok(content.equals(expected));
  assert.ok(disk.flushes >= 2);
});

test("our client and our server understand each other, large reads come in pieces", async () => {
  const content = randomBytes(40 * mebibyte);
  const pieces: number[] = [];
  const disk = memoryExport("disk", content, { start: mebibyte, end: mebibyte + 4096 });
  content.fill(0, mebibyte, mebibyte + 4096);
  const read: NbdExport["read"] = (into, offset, signal) => {
    pieces.push(into.length);
    return disk.read(into, offset, signal);
  };
  await using server = await serveNbd({ listen: { host: "127.0.0.1", port: 0 }, exports: [{ ...disk, read }] });
  assert.ok("port" in server.address);
  await using client = await connectNbd({ ...server.address, exportName: "disk", metaContexts: ["base:allocation"] });
  const into = Buffer.alloc(content.length);
  await client.read(into, 0);
  assert.ok(into.equals(content));
  assert.ok(pieces.every((length) => length <= mebibyte));
});

test("an export that fails reports its error and the session goes on; ENOSPC stays ENOSPC", async () => {
  using scratch = scratchFolder();
  const disk = writableExport("disk", Buffer.alloc(mebibyte));
  const listen = { socketPath: scratch.path("nbd.sock") };
  await using _server = await serveNbd({
    listen,
    exports: [{ ...disk, write: () => Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" })) }],
  });
  await using client = await connectNbd({ ...listen, exportName: "disk" });
  await assert.rejects(client.write(Buffer.alloc(512), 0), { code: "NbdRequestFailed", message: /ENOSPC/ });
  await client.read(Buffer.alloc(512), 0);
});

test("exports come and go while the server runs; clients of a removed one are cut off", async () => {
  using scratch = scratchFolder();
  const listen = { socketPath: scratch.path("nbd.sock") };
  await using server = await serveNbd({ listen });
  await assert.rejects(connectNbd({ ...listen, exportName: "disk" }), { code: "NbdRefused" });
  server.add(memoryExport("disk", Buffer.alloc(4096)));
  assert.throws(() => server.add(memoryExport("disk", Buffer.alloc(4096))), { code: "NbdExportTaken" });
  await using client = await connectNbd({ ...listen, exportName: "disk", reconnectAttempts: 0 });
  await client.read(Buffer.alloc(512), 0);
  server.remove("disk");
  await assert.rejects(client.read(Buffer.alloc(512), 0), { code: "NbdConnectionLost" });
});

test("a client that stops reading does not make the server hold more than its share", async () => {
  using scratch = scratchFolder();
  const listen = { socketPath: scratch.path("nbd.sock") };
  let open = 0;
  let most = 0;
  const disk: NbdExport = {
    name: "disk",
    size: 1024 * mebibyte,
    readOnly: true,
    read: async (into) => {
      open += into.length;
      most = Math.max(most, open);
      await new Promise((resolve) => setImmediate(resolve));
      open -= into.length;
    },
  };
  await using _server = await serveNbd({ listen, exports: [disk] });
  await using client = await connectNbd({ ...listen, exportName: "disk" });
  const reads = Array.from({ length: 256 }, (_, index) => client.read(Buffer.alloc(mebibyte), index * mebibyte));
  await Promise.all(reads);
  assert.ok(most <= 64 * mebibyte, `${most} bytes at once`);
});

test("with TLS demanded, only verified clients that speak TLS get in", async () => {
  using scratch = scratchFolder();
  const { certificate, key } = selfSigned(scratch.path("key.pem"), scratch.path("cert.pem"));
  const content = randomBytes(3 * mebibyte);
  const listen = { socketPath: scratch.path("nbd.sock") };
  await using _server = await serveNbd({ listen, exports: [memoryExport("disk", content)], tls: { certificate, key } });
  const tls = { authorities: certificate, serverName: "nbd.test" };
  await using client = await connectNbd({ ...listen, exportName: "disk", tls });
  const into = Buffer.alloc(content.length);
  await client.read(into, 0);
  assert.ok(into.equals(content));
  await assert.rejects(connectNbd({ ...listen, exportName: "disk" }), {
    code: "NbdRefused",
    message: /it demands TLS/,
  });
  await assert.rejects(listNbdExports({ address: listen }), { code: "NbdRefused" });
  for (const wrong of [{ serverName: "nbd.test" }, { authorities: certificate, serverName: "other.test" }]) {
    await assert.rejects(connectNbd({ ...listen, exportName: "disk", tls: wrong }), {
      code: "NbdRefused",
      message: /TLS/,
    });
  }
});

test("with client certificates demanded, a client without one stays out", async () => {
  using scratch = scratchFolder();
  const server = selfSigned(scratch.path("key.pem"), scratch.path("cert.pem"));
  const known = selfSigned(scratch.path("client-key.pem"), scratch.path("client-cert.pem"));
  const listen = { socketPath: scratch.path("nbd.sock") };
  await using _server = await serveNbd({
    listen,
    exports: [memoryExport("disk", Buffer.alloc(4096))],
    tls: { ...server, clientAuthorities: known.certificate },
  });
  const tls = { authorities: server.certificate, serverName: "nbd.test" };
  await assert.rejects(connectNbd({ ...listen, exportName: "disk", tls, reconnectAttempts: 0 }));
  await using client = await connectNbd({ ...listen, exportName: "disk", tls: { ...tls, ...known } });
  await client.read(Buffer.alloc(512), 0);
});

test("nbdinfo with TLS is served", async () => {
  using scratch = scratchFolder();
  const { certificate, key } = selfSigned(scratch.path("key.pem"), scratch.path("ca-cert.pem"), "localhost");
  await using server = await serveNbd({
    listen: { host: "127.0.0.1", port: 0 },
    exports: [memoryExport("disk", Buffer.alloc(mebibyte))],
    tls: { certificate, key },
  });
  assert.ok("port" in server.address);
  const uri = `nbds://localhost:${server.address.port}/disk?tls-certificates=${scratch.path(".")}`;
  const { stdout } = await runTool("nbdinfo", ["--size", uri]);
  assert.equal(Number(stdout), mebibyte);
});

function selfSigned(keyPath: string, certificatePath: string, name = "nbd.test"): { certificate: string; key: string } {
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`, "-days", "2", "-nodes"];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-keyout",
      keyPath,
      "-out",
      certificatePath,
      ...subject,
    ],
    { stdio: "ignore" },
  );
  writeFileSync(keyPath, readFileSync(keyPath), { mode: 0o600 });
  return { certificate: readFileSync(certificatePath, "utf8"), key: readFileSync(keyPath, "utf8") };
}
