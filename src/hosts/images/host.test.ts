import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { test } from "node:test";
import { randomBytes } from "../../lib/random.ts";
import { isAlive } from "../../lib/processes.ts";
import { connectNbd } from "../../nbd/client.ts";
import { scratchFolder, startServer, tool } from "../../nbd/testing/tools.ts";
import type { SnapshotDisk } from "../host.ts";
import { openImagesHost } from "./host.ts";

const mebibyte = 1024 * 1024;

async function readDisk({ address, exportName }: SnapshotDisk): Promise<Buffer> {
  await using client = await connectNbd({ ...address, exportName });
  const content = Buffer.alloc(client.size);
  await client.read(content, 0);
  return content;
}

test("single images and sub-folders are machines, in every format with the same bytes", async () => {
  using scratch = scratchFolder();
  const content = Buffer.alloc(8 * mebibyte);
  randomBytes(mebibyte).copy(content, 3 * mebibyte);
  mkdirSync(scratch.path("machine; rm -rf $HOME, 'x'"));
  writeFileSync(scratch.path("one.raw"), content);
  const formats = { qcow2: "qcow2", vhdx: "vhdx", vmdk: "vmdk", vhd: "vpc" };
  for (const [extension, format] of Object.entries(formats)) {
    const options = format === "vpc" ? ["-o", "subformat=dynamic,force_size"] : [];
    tool(
      "qemu-img",
      "convert",
      "-f",
      "raw",
      "-O",
      format,
      ...options,
      scratch.path("one.raw"),
      `${scratch.path("machine; rm -rf $HOME, 'x'")}/disk, file="x" $(id).${extension}`,
    );
  }
  writeFileSync(scratch.path("notes.txt"), "no disk");
  symlinkSync("/etc/passwd", scratch.path("link.raw"));

  const host = openImagesHost({ folder: scratch.path(".") });
  const machines = await host.listMachines();
  assert.deepEqual(
    machines.map(({ name, disks, powerState, problem }) => [name, disks.length, powerState, problem]),
    [
      ["machine; rm -rf $HOME, 'x'", 4, "stopped", undefined],
      ["one", 1, "stopped", undefined],
    ],
  );
  for (const machine of machines) {
    await using session = await host.snapshot(machine.id, { consistency: "fileSystem", chain: "c", point: "p" });
    assert.equal(session.consistency.level, "crash");
    for (const disk of session.disks) assert.ok((await readDisk(disk)).equals(content), disk.disk.name);
    await assert.rejects(host.snapshot(machine.id, { consistency: "crash", chain: "c", point: "q" }), {
      code: "SnapshotInProgress",
    });
  }
});

test("a machine keeps its identity when it is renamed", async () => {
  using scratch = scratchFolder();
  writeFileSync(scratch.path("old.raw"), Buffer.alloc(mebibyte));
  const host = openImagesHost({ folder: scratch.path(".") });
  const [before] = await host.listMachines();
  renameSync(scratch.path("old.raw"), scratch.path("new.raw"));
  assert.equal((await host.findMachine(before?.id ?? "")).name, "new");
  await assert.rejects(host.findMachine("inode:1"), { code: "MachineNotFound" });
});

test("a raw image stays raw, whatever header the guest wrote into it", async () => {
  using scratch = scratchFolder();
  writeFileSync(scratch.path("secret"), "the secret");
  tool(
    "qemu-img",
    "create",
    "-q",
    "-f",
    "qcow2",
    "-u",
    "-b",
    scratch.path("secret"),
    "-F",
    "raw",
    scratch.path("trap.qcow2"),
    "1M",
  );
  const content = readFileSync(scratch.path("trap.qcow2"));
  renameSync(scratch.path("trap.qcow2"), scratch.path("trap.raw"));
  const host = openImagesHost({ folder: scratch.path(".") });
  const [machine] = await host.listMachines();
  await using session = await host.snapshot(machine?.id ?? "", { consistency: "crash", chain: "c", point: "p" });
  assert.ok((await readDisk(session.disks[0]!)).subarray(0, content.length).equals(content));
});

const traps: Record<string, (path: (name: string) => string) => void> = {
  "a backing file": (path) =>
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", path("trap.qcow2"), "1M"),
  "an external data file": (path) => {
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-o", `data_file=${path("data.bin")}`, path("trap.qcow2"), "1M");
  },
  "the extents of a text descriptor": (path) => {
    tool("qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", path("trap.vmdk"), "1M");
  },
  "a parent that its descriptor names": (path) => {
    tool("qemu-img", "create", "-q", "-f", "vmdk", path("trap.vmdk"), "1M");
    const content = readFileSync(path("trap.vmdk"));
    const at = content.indexOf("# Extent description");
    content.write('parentFileNameHint="/etc/shadow"\n', at, "latin1");
    writeFileSync(path("trap.vmdk"), content);
  },
  "a parent of a differencing VHD": (path) => {
    tool("qemu-img", "create", "-q", "-f", "vpc", path("trap.vhd"), "1M");
    const file = openSync(path("trap.vhd"), "r+");
    writeSync(file, Buffer.from([0, 0, 0, 4]), 0, 4, 60);
    closeSync(file);
  },
  "nothing, but is no qcow2": (path) => writeFileSync(path("trap.qcow2"), Buffer.alloc(4096)),
};

for (const [name, make] of Object.entries(traps)) {
  test(`an image that refers to ${name} is refused, and the machine says why`, async () => {
    using scratch = scratchFolder();
    make((file) => scratch.path(file));
    const host = openImagesHost({ folder: scratch.path(".") });
    const [machine] = await host.listMachines();
    assert.match(machine?.problem ?? "", /trap/);
    assert.equal(machine?.disks.length, 0);
    await assert.rejects(host.snapshot(machine?.id ?? "", { consistency: "crash", chain: "c", point: "p" }), {
      code: "ImageRefused",
    });
  });
}

test("bitmaps of a qcow2 tell what was written between points; abandoned attempts change nothing", async () => {
  using scratch = scratchFolder();
  const image = scratch.path("disk.qcow2");
  tool("qemu-img", "create", "-q", "-f", "qcow2", image, "16M");
  const host = openImagesHost({ folder: scratch.path(".") });
  const [machine] = await host.listMachines();
  const take = (point: string, since?: string) =>
    host.snapshot(machine?.id ?? "", {
      consistency: "crash",
      chain: "c",
      point,
      since: since === undefined ? undefined : { point: since, sizes: { "disk.qcow2": 16 * mebibyte } },
    });
  const first = await take("one");
  assert.deepEqual(first.disks[0]?.changes, { known: false, reason: "FirstPoint" });
  await first.commit();
  tool("qemu-io", "-f", "qcow2", "-c", "write -P 3 5M 64k", image);
  await (await take("attempt", "one")).abandon();
  tool("qemu-io", "-f", "qcow2", "-c", "write -P 4 9M 4k", image);

  const second = await take("two", "one");
  const [disk] = second.disks;
  assert.ok(disk?.changes.known);
  const dirty: [number, number][] = [];
  {
    await using client = await connectNbd({
      ...disk.address,
      exportName: disk.exportName,
      metaContexts: [disk.changes.metaContext],
    });
    for await (const { offset, length, flags } of client.blockStatus(0, client.size, disk.changes.metaContext)) {
      if (flags === 1) dirty.push([offset, length]);
    }
  }
  assert.deepEqual(dirty, [
    [5 * mebibyte, 65536],
    [9 * mebibyte, 65536],
  ]);
  await second.commit();
  const info = JSON.parse(tool("qemu-img", "info", "--output=json", image)) as {
    "format-specific": { data: { bitmaps: { name: string }[] } };
  };
  assert.deepEqual(
    info["format-specific"].data.bitmaps.map(({ name }) => name),
    ["holdfast.c.two"],
  );
  const third = await take("three", "gone");
  assert.deepEqual(third.disks[0]?.changes, { known: false, reason: "BitmapLost" });
  await third.abandon();
});

test("an image that somebody has open for writing is in use", async () => {
  using scratch = scratchFolder();
  const image = scratch.path("disk.qcow2");
  tool("qemu-img", "create", "-q", "-f", "qcow2", image, "1M");
  const host = openImagesHost({ folder: scratch.path(".") });
  const [machine] = await host.listMachines();
  await using _user = await startServer(
    "qemu-nbd",
    ["-t", "-f", "qcow2", "-k", scratch.path("s"), image],
    scratch.path("s"),
  );
  await assert.rejects(host.snapshot(machine?.id ?? "", { consistency: "crash", chain: "c", point: "p" }), {
    code: "ImageInUse",
  });
});

for (const format of ["raw", "qcow2"]) {
  test(`a machine may start on its ${format} image while it is read; then the point does not count`, async () => {
    using scratch = scratchFolder();
    const image = scratch.path(`disk.${format}`);
    tool("qemu-img", "create", "-q", "-f", format, image, "1M");
    const host = openImagesHost({ folder: scratch.path(".") });
    const [machine] = await host.listMachines();
    await using session = await host.snapshot(machine?.id ?? "", { consistency: "crash", chain: "c", point: "p" });
    tool("qemu-io", "-f", format, "-c", "write -P 5 0 64k", image);
    await assert.rejects(session.commit(), { code: "ImageInUse", message: /was written to while it was read/ });
  });
}

test("a storage daemon that a killed process left is ended by the clean-up", async () => {
  using scratch = scratchFolder();
  const image = scratch.path("disk.raw");
  writeFileSync(image, "");
  truncateSync(image, mebibyte);
  const script = `
    import { openImagesHost } from ${JSON.stringify(new URL("host.ts", import.meta.url).href)};
    const host = openImagesHost({ folder: ${JSON.stringify(scratch.path("."))} });
    const [machine] = await host.listMachines();
    await host.snapshot(machine.id, { consistency: "crash", chain: "c", point: "p" });
    console.log("open");
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
  const pidFile = readdirSync(scratch.path(".holdfast")).find((name) => name.endsWith(".pid")) ?? "";
  const pid = Number(readFileSync(scratch.path(`.holdfast/${pidFile}`), "utf8"));
  assert.ok(isAlive(pid));
  const report = await openImagesHost({ folder: scratch.path(".") }).cleanUp();
  assert.equal(report.removed.length, 2);
  assert.ok(!isAlive(pid));
});
