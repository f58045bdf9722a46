import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, open, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { isErrorCode } from "../../lib/errors.ts";
import { disk, type FileSystem } from "../../lib/files.ts";
import { seededRandom } from "../../lib/random.ts";
import { waitFor } from "../../lib/time.ts";
import type { DiskSource, SourceExtent } from "../sources/disk-source.ts";
import { writableFormats, type ReadableFormat } from "./format.ts";
import { createImage } from "./image-target.ts";
import { openImage } from "./open-image.ts";

const run = promisify(execFile);
const code = (expected: string) => (error: unknown) => isErrorCode(error, expected);
const MiB = 1024 * 1024;

interface Piece {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Pieces that do not overlap, in no order, at multiples of 4 KiB. */
function scattered(size: number, count: number, seed: number): Piece[] {
  const random = seededRandom(seed);
  const slot = Math.floor(size / count / 4096) * 4096;
  const pieces = Array.from({ length: count }, (_, index) => {
    const length = Math.max(4096, Math.floor((random() * slot) / 4096) * 4096);
    const bytes = Buffer.alloc(length, Buffer.from(Array.from({ length: 4099 }, () => 1 + random() * 255)));
    return { offset: index * slot, bytes };
  });
  return pieces.sort(() => random() - 0.5);
}

async function readAll(source: DiskSource): Promise<Buffer> {
  const all = Buffer.alloc(source.size);
  for (let at = 0; at < source.size; at += 3 * MiB) await source.read(all.subarray(at, at + 3 * MiB), at);
  return all;
}

async function extentsOf(source: DiskSource, from = 0, to = source.size): Promise<SourceExtent[]> {
  const extents: SourceExtent[] = [];
  for await (const extent of source.extents!(from, to)) extents.push(extent);
  return extents;
}

const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe("disk images", () => {
  let folder: string;
  let raw: string;
  let content: Buffer;
  const size = 40 * MiB + 1536;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "images-"));
    raw = join(folder, "disk.raw");
    const file = await open(raw, "w");
    await file.truncate(size);
    content = Buffer.alloc(size);
    for (const piece of scattered(size, 7, 1)) {
      piece.bytes.copy(content, piece.offset);
      await file.write(piece.bytes, 0, piece.bytes.length, piece.offset);
    }
    await file.close();
  });
  after(() => rm(folder, { recursive: true }));

  const path = (name: string): string => join(folder, name);

  describe("reading", () => {
    const formats: [ReadableFormat, string[]][] = [
      ["raw", ["-O", "raw"]],
      ["qcow2", ["-O", "qcow2"]],
      ["qcow2", ["-O", "qcow2", "-c"]],
      ["vhd", ["-O", "vpc", "-o", "subformat=fixed,force_size=on"]],
      ["vhd", ["-O", "vpc", "-o", "subformat=dynamic,force_size=on"]],
      ["vhdx", ["-O", "vhdx"]],
      ["vmdk", ["-O", "vmdk"]],
      ["vmdk", ["-O", "vmdk", "-o", "subformat=streamOptimized"]],
    ];
    for (const [format, options] of formats) {
      it(`reads ${format} (${options.slice(2).join(" ") || "plain"}) with its holes`, async () => {
        const image = path(`read.${format}`);
        await run("qemu-img", ["convert", "-f", "raw", ...options, raw, image]);
        await using source = await openImage(image, format);
        assert.ok(source.size >= size && source.size < size + MiB, String(source.size));
        assert.equal(hash((await readAll(source)).subarray(0, size)), hash(content));
        const extents = await extentsOf(source);
        assert.equal(extents[0]?.offset, 0);
        let end = 0;
        for (const extent of extents) {
          assert.equal(extent.offset, end);
          end += extent.length;
          if (extent.kind === "data") continue;
          const part = content.subarray(extent.offset, end);
          assert.ok(part.equals(Buffer.alloc(part.length)));
        }
        assert.equal(end, source.size);
        const holes = extents.filter((extent) => extent.kind === "zero").reduce((sum, { length }) => sum + length, 0);
        // QEMU does not tell where a VHDX has holes: all of it is read.
        assert.ok(format === "vhdx" || holes > 4 * MiB, `${holes} bytes of holes`);
        await rm(image);
      });
    }

    it("gives the extents of a part", async () => {
      await using source = await openImage(raw, "raw");
      const all = await extentsOf(source);
      const [from, to] = [5 * MiB + 4096, 31 * MiB];
      const part = await extentsOf(source, from, to);
      assert.equal(part[0]?.offset, from);
      assert.equal(part.at(-1)!.offset + part.at(-1)!.length, to);
      for (const { offset, length, kind } of part) {
        assert.ok(
          all.some((e) => e.kind === kind && e.offset <= offset && e.offset + e.length >= offset + length),
          `${offset}`,
        );
      }
    });

    it("names 1 GiB of a sparse TiB without reading the rest", async () => {
      const image = path("huge.raw");
      const file = await open(image, "w");
      await file.truncate(1024 ** 4);
      for (let index = 0; index < 64; index += 1) await file.write(Buffer.alloc(65536, 1), 0, 65536, index * 2 ** 33);
      await file.close();
      await using source = await openImage(image, "raw");
      const extents = await extentsOf(source);
      assert.equal(
        extents.filter(({ kind }) => kind === "data").reduce((sum, { length }) => sum + length, 0),
        64 * 65536,
      );
    });

    it("says when a raw disk becomes shorter while it is read", async () => {
      const image = path("shrinks.raw");
      await writeFile(image, Buffer.alloc(2 * MiB, 1));
      await using source = await openImage(image, "raw");
      await truncate(image, MiB);
      await assert.rejects(source.read(Buffer.alloc(MiB), 512 * 1024), code("SourceShort"));
    });

    it("never follows what an image names", async () => {
      const secret = path("secret.raw");
      await writeFile(secret, Buffer.alloc(MiB, "secret"));
      const hostile: [ReadableFormat, string, string[]][] = [
        ["qcow2", "backing.qcow2", ["-f", "qcow2", "-b", secret, "-F", "raw"]],
        ["qcow2", "data-file.qcow2", ["-f", "qcow2", "-o", `data_file=${path("out.raw")},data_file_raw=on`]],
        ["vmdk", "flat.vmdk", ["-f", "vmdk", "-o", "subformat=monolithicFlat"]],
        ["vmdk", "backing.vmdk", ["-f", "vmdk", "-b", path("base.vmdk"), "-F", "vmdk"]],
      ];
      await run("qemu-img", ["create", "-f", "vmdk", path("base.vmdk"), "1M"]);
      for (const [format, name, options] of hostile) {
        await run("qemu-img", ["create", "-q", ...options, path(name), "1M"]);
        await assert.rejects(openImage(path(name), format), code("ImageRefused"), name);
      }
      // The same header as raw is only bytes.
      await using source = await openImage(path("backing.qcow2"), "raw");
      assert.equal((await readAll(source)).toString("latin1", 0, 3), "QFI");
    });

    it("refuses encrypted images, and files of another format than was said", async () => {
      const image = path("luks.qcow2");
      await run("qemu-img", ["create", "-q", "-f", "qcow2", image, "1M"]);
      const file = await open(image, "r+");
      await file.write(Buffer.from([0, 0, 0, 2]), 0, 4, 32);
      await file.close();
      await assert.rejects(openImage(image, "qcow2"), code("ImageRefused"));
      for (const format of ["qcow2", "vhd", "vhdx", "vmdk"] as const) {
        await assert.rejects(openImage(raw, format), code("ImageFormatWrong"), format);
        await assert.rejects(openImage(path("nothing"), format), code("ImageMissing"));
      }
      await assert.rejects(openImage(path("nothing"), "raw"), code("ImageMissing"));
      await assert.rejects(openImage(folder, "raw"), code("ImageMissing"));
    });

    it("survives damaged headers with a named error, and leaves no process or folder behind", async () => {
      const image = path("damaged.qcow2");
      await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", raw, image]);
      const random = seededRandom(3);
      const file = await open(image, "r+");
      const header = Buffer.alloc(112);
      await file.read(header, 0, header.length, 0);
      for (let round = 0; round < 12; round += 1) {
        const broken = Buffer.from(header);
        for (let flips = 0; flips < 3; flips += 1) broken[4 + Math.floor(random() * 100)] = Math.floor(random() * 256);
        await file.write(broken, 0, broken.length, 0);
        try {
          await using source = await openImage(image, "qcow2");
          await source.read(Buffer.alloc(4096), 0);
        } catch (error) {
          assert.match((error as Error).name, /^(Image|Nbd)[A-Z]/);
        }
      }
      await file.close();
      const left = (await readdir(tmpdir())).filter((name) => name.startsWith("holdfast-image-"));
      assert.deepEqual(left, []);
    });

    it("says that an image is in use", async () => {
      const image = path("used.qcow2");
      await run("qemu-img", ["create", "-q", "-f", "qcow2", image, "1M"]);
      const socket = path("used.sock");
      const holder = spawn("qemu-nbd", ["-f", "qcow2", "-t", `--socket=${socket}`, image], { stdio: "ignore" });
      const gone = new Promise((resolve) => holder.once("exit", resolve));
      try {
        await waitFor("qemu-nbd", () => stat(socket).catch(() => undefined), 120_000);
        await assert.rejects(openImage(image, "qcow2"), code("ImageInUse"));
      } finally {
        holder.kill();
        await gone;
      }
    });
  });

  describe("writing", () => {
    for (const format of writableFormats) {
      it(`writes ${format} in any order and in parallel, as QEMU reads it, sparse`, async () => {
        const image = path(`written.${format}`);
        const pieces = scattered(size, 40, 9);
        const expected = path("expected.raw");
        const file = await open(expected, "w");
        await file.truncate(size);
        for (const { bytes, offset } of pieces) await file.write(bytes, 0, bytes.length, offset);
        await file.close();
        await using target = await createImage(image, format, size);
        await Promise.all(pieces.map((piece) => target.write(piece.bytes, piece.offset)));
        await target.write(Buffer.alloc(MiB), 39 * MiB + 65536);
        const beforehand = await readdir(folder);
        assert.ok(!beforehand.includes(`written.${format}`));
        await target.finish();
        const driver = format === "vhd" ? "vpc" : format;
        if (format === "qcow2") await run("qemu-img", ["check", "-f", "qcow2", image]);
        const { stdout } = await run("qemu-img", ["info", "--output=json", "-f", driver, image]);
        assert.equal((JSON.parse(stdout) as { "virtual-size": number })["virtual-size"], size);
        await run("qemu-img", ["compare", "-f", "raw", "-F", driver, expected, image]);
        const [{ blocks: ours }, { blocks: plain }] = [await stat(image), await stat(expected)];
        assert.ok(ours * 512 < plain * 512 * 1.4 + MiB, `${ours * 512} bytes against ${plain * 512}`);
      });

      it(`leaves nothing of a ${format} that was not finished, and overwrites only when told to`, async () => {
        const image = path(`unfinished.${format}`);
        {
          await using target = await createImage(image, format, size);
          await target.write(Buffer.alloc(MiB, 1), 0);
        }
        assert.deepEqual(
          (await readdir(folder)).filter((name) => name.includes(`unfinished.${format}`)),
          [],
        );
        await writeFile(image, "precious");
        await assert.rejects(createImage(image, format, size), code("ImageExists"));
        await using target = await createImage(image, format, size, { overwrite: true });
        await target.finish();
        assert.ok((await stat(image)).size > 1000);
      });
    }

    it("writes an empty disk, a tiny one and a huge one as qcow2", async () => {
      for (const [name, diskSize] of [
        ["tiny", 512],
        ["huge", 60 * 1024 ** 4],
        ["odd", 3 * MiB + 100],
      ] as const) {
        const image = path(`${name}.qcow2`);
        await using target = await createImage(image, "qcow2", diskSize);
        if (name === "huge") await target.write(Buffer.alloc(MiB, 7), 59 * 1024 ** 4 + 512 * 1024);
        await target.finish();
        await run("qemu-img", ["check", "-f", "qcow2", image]);
        const { stdout } = await run("qemu-img", ["info", "--output=json", "-f", "qcow2", image]);
        const info = JSON.parse(stdout) as { "virtual-size": number };
        assert.equal(info["virtual-size"], Math.ceil(diskSize / 512) * 512);
      }
    });

    it("does not finish when the disk lost something on the way, even if the last sync succeeds", async () => {
      let syncs = 0;
      const files: FileSystem = {
        ...disk,
        open: async (name, mode, permissions) => {
          const file = await disk.open(name, mode, permissions);
          const sync = async (): Promise<void> => {
            syncs += 1;
            if (syncs === 1) throw Object.assign(new Error("EIO"), { code: "EIO" });
          };
          const write = async (): Promise<void> => {};
          return { ...file, sync, write };
        },
      };
      await using target = await createImage(path("lost.raw"), "raw", 1024 * MiB, { files });
      const content = Buffer.alloc(64 * MiB, 1);
      for (let at = 0; at < 8; at += 1) await target.write(content, at * content.length);
      await assert.rejects(target.finish(), code("ImageUnwritable"));
      assert.equal(syncs >= 1, true);
      assert.ok(!(await readdir(folder)).includes("lost.raw"));
    });

    it("says that a disk does not fit into a VHD", async () => {
      await assert.rejects(createImage(path("large.vhd"), "vhd", 2041 * 1024 ** 3), code("ImageTooLarge"));
      assert.deepEqual(
        (await readdir(folder)).filter((name) => name.includes("large")),
        [],
      );
    });
  });
});
