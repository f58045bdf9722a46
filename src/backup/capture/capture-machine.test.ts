import assert from "node:assert/strict";
import { closeSync, openSync, readSync, renameSync, rmSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { waitFor } from "../../lib/time.ts";
import { deletePoint, listPoints, type Point } from "../../store/index.ts";
import { readAttachment } from "../../store/read/attachment.ts";
import { captureMachine, type Captured, type CaptureRequest } from "./capture-machine.ts";
import { mustBeCaptured } from "./captured-point.ts";
import { writePointDisks } from "./point-disks.ts";
import { contentOf, imagesRig, type ImagesRig } from "./testing/images.ts";

function capture(rig: ImagesRig, more: Partial<CaptureRequest> = {}, signal?: AbortSignal): Promise<Captured> {
  const { host, machineId, vault } = rig;
  return captureMachine(
    { host, machineId, vault, item: "web", chain: "vault-1", consistency: "crash", ...more },
    signal,
  );
}

async function assertEqual(rig: ImagesRig, point: Point, ...disks: string[]): Promise<void> {
  for (const disk of disks) assert.ok((await contentOf(rig.vault, point, disk)).equals(rig.content(disk)), disk);
}

const codes = ({ remarks }: Pick<Captured, "remarks">): string[] =>
  remarks.map(({ code, severity, disk }) => `${severity}: ${code}${disk === undefined ? "" : ` ${disk}`}`);

test("the first point holds everything, the next ones read only what changed, and each equals its disks", async () => {
  await using rig = await imagesRig();
  const attachments = [{ name: "machine.xml", content: Buffer.from("<domain/>") }];
  const first = await capture(rig, { attachments, details: { vm: "/subscriptions/x" } });
  assert.deepEqual(codes(first), []);
  assert.deepEqual(
    first.disks.map(({ id, lun, changes }) => [id, lun, changes]),
    [
      ["a-os.qcow2", -1, "FirstPoint"],
      ["b-data.qcow2", 0, "FirstPoint"],
    ],
  );
  await assertEqual(rig, first.point, "a-os", "b-data");
  assert.equal((await readAttachment(rig.vault, first.point, "machine.xml")).toString(), "<domain/>");
  const facts = mustBeCaptured(first.point);
  assert.deepEqual(facts.details, { vm: "/subscriptions/x" });
  assert.equal(facts.consistency.reason, "MachineNotRunning");
  assert.deepEqual(
    facts.disks.map(({ id, sizeBytes }) => [id, sizeBytes]),
    [
      ["a-os.qcow2", 12 << 20],
      ["b-data.qcow2", 9 << 20],
    ],
  );

  for (let number = 1; number <= 3; number += 1) {
    rig.write("a-os", `write -P ${number + 9} ${number}M 64k`);
    rig.write("b-data", `write -z 5M 64k`);
    const next = await capture(rig);
    assert.equal(next.parent, number === 1 ? first.point.name : next.parent);
    assert.deepEqual(
      next.disks.map(({ changes }) => changes),
      ["known", "known"],
    );
    assert.ok(next.bytesRead <= 4 * 65_536, `${next.bytesRead} bytes were read`);
    await assertEqual(rig, next.point, "a-os", "b-data");
    assert.deepEqual(rig.bitmaps("a-os"), [`holdfast.vault-1.${next.facts.mark}`]);
  }
});

test("the snapshot is told of before the transfer, and progress ends with everything done", async () => {
  await using rig = await imagesRig();
  const told: string[] = [];
  let done = 0;
  let total = 0;
  await capture(rig, {
    onSnapshot: ({ disks, consistency }) => void told.push(`snapshot of ${disks.length}, ${consistency.level}`),
    onProgress: ({ bytesDone, bytesTotal }) => {
      if (told.length === 1) told.push("progress");
      assert.ok(bytesDone >= done && bytesDone <= bytesTotal);
      done = bytesDone;
      total = bytesTotal;
    },
  });
  assert.deepEqual(told, ["snapshot of 2, crash", "progress"]);
  assert.equal(total, 21 << 20);
  assert.equal(done, total);
});

test("disks are left out by LUN, never the system disk, and the point names them", async () => {
  await using rig = await imagesRig();
  const without = await capture(rig, { disks: { kind: "exclude", luns: [-1, 0] } });
  assert.deepEqual(
    without.point.disks.map(({ name }) => name),
    ["a-os.qcow2"],
  );
  assert.deepEqual(
    without.facts.excluded.map(({ id, reason }) => [id, reason]),
    [["b-data.qcow2", "Excluded"]],
  );
  const withMissing = await capture(rig, { disks: { kind: "include", luns: [0, 7] } });
  assert.deepEqual(codes(withMissing), ["warning: DiskNotAttached", "note: DiskIsNew b-data.qcow2"]);
});

test("a grown disk, a new one, a lost and an inconsistent bitmap cost a comparison and a remark, never the point", async () => {
  await using rig = await imagesRig();
  await capture(rig);
  execFileSync("qemu-img", ["resize", "-q", "-f", "qcow2", rig.imagePath("a-os"), "14M"]);
  rig.write("a-os", "write -P 5 13M 64k");
  rig.create("c-new", 2);
  rig.write("c-new", "write -P 6 0 64k");
  const grown = await capture(rig);
  assert.deepEqual(codes(grown), ["note: DiskResized a-os.qcow2", "note: DiskIsNew c-new.qcow2"]);
  await assertEqual(rig, grown.point, "a-os", "b-data", "c-new");

  for (const name of rig.bitmaps("b-data"))
    execFileSync("qemu-img", ["bitmap", "-f", "qcow2", "--remove", rig.imagePath("b-data"), name]);
  rig.write("b-data", "write -P 8 1M 64k");
  await dieWhileWriting(rig, "c-new");
  const mended = await capture(rig);
  assert.deepEqual(codes(mended), ["warning: BitmapLost b-data.qcow2", "warning: BitmapInconsistent c-new.qcow2"]);
  assert.ok(mended.bytesStored < 200_000, `${mended.bytesStored} bytes were stored`);
  await assertEqual(rig, mended.point, "a-os", "b-data", "c-new");

  rig.write("c-new", "write -P 9 1M 64k");
  const after = await capture(rig);
  assert.deepEqual(codes(after), []);
  await assertEqual(rig, after.point, "a-os", "b-data", "c-new");
});

test("disks that change places take their records of changes along: they are compared, and each point is right", async () => {
  await using rig = await imagesRig();
  await capture(rig);
  const [a, b] = [rig.imagePath("a-os"), rig.imagePath("b-data")];
  rig.write("b-data", "write -P 4 1M 64k");
  for (const [from, to] of [
    [a, `${a}.aside`],
    [b, a],
    [`${a}.aside`, b],
  ] as const)
    renameSync(from, to);
  const swapped = await capture(rig);
  assert.deepEqual(
    codes(swapped).filter((code) => !code.includes("DiskResized")),
    ["note: ImageReplaced a-os.qcow2", "note: ImageReplaced b-data.qcow2"],
  );
  await assertEqual(rig, swapped.point, "a-os", "b-data");

  rig.write("a-os", "write -P 5 2M 64k");
  const after = await capture(rig);
  assert.deepEqual(codes(after), []);
  await assertEqual(rig, after.point, "a-os", "b-data");
});

test("a disk that cannot be read leaves no point, and the next attempt still knows the changes", async () => {
  await using rig = await imagesRig();
  await capture(rig);
  rig.write("a-os", "write -P 20 2M 64k");
  const mend = breakMapping(rig.imagePath("b-data"));
  // Nothing is known to have changed on the broken disk, so only another chain comes to read it.
  await assert.rejects(capture(rig, { item: "other", chain: "vault-2" }), {
    code: "DiskUnreadable",
    message: /disk "b-data.qcow2" \(LUN 0\)/,
  });
  assert.deepEqual(
    (await listPoints(rig.vault)).points.map(({ item }) => item),
    ["web"],
  );
  mend();
  const next = await capture(rig);
  assert.ok(next.bytesRead <= 65_536);
  assert.equal(rig.bitmaps("a-os").length, 1);
  await assertEqual(rig, next.point, "a-os", "b-data");
});

test("an image that is written to meanwhile is no point in time, so there is no point", async () => {
  await using rig = await imagesRig();
  const touch = (): void => utimesSync(rig.imagePath("a-os"), new Date(), new Date());
  await assert.rejects(capture(rig, { onSnapshot: touch }), { code: "ImageInUse" });
  assert.deepEqual((await listPoints(rig.vault)).points, []);
  const next = await capture(rig);
  await assertEqual(rig, next.point, "a-os", "b-data");
});

test("a machine whose images are deleted meanwhile is named with its disk, and leaves no point", async () => {
  await using rig = await imagesRig();
  const raw = rig.imagePath("c-raw").replace(/qcow2$/, "raw");
  writeFileSync(raw, Buffer.alloc(1024 * 1024, 1));
  const deleteAll = (): void => rmSync(dirname(raw), { recursive: true });
  await assert.rejects(capture(rig, { onSnapshot: deleteAll }), {
    code: "DiskUnreadable",
    message: /c-raw\.raw" cannot be opened any more: ENOENT/,
  });
  await assert.rejects(capture(rig), { code: "MachineNotFound" });
});

test("a cancelled capture leaves neither point nor bitmap, and the next one reads the changes only", async () => {
  await using rig = await imagesRig();
  const first = await capture(rig);
  rig.write("a-os", "write -P 30 2M 64k");
  const cancel = new AbortController();
  const reason = new Error("cancelled");
  await assert.rejects(capture(rig, { onSnapshot: () => cancel.abort(reason) }, cancel.signal), reason);
  assert.deepEqual(rig.bitmaps("a-os"), [`holdfast.vault-1.${first.facts.mark}`]);
  const next = await capture(rig);
  assert.equal(next.parent, first.point.name);
  assert.ok(next.bytesRead <= 65_536);
  await assertEqual(rig, next.point, "a-os", "b-data");
});

test("a disk that comes or goes while the snapshot is taken makes the capture fail", async () => {
  await using rig = await imagesRig();
  const { host } = rig;
  let looks = 0;
  const changing = {
    ...host,
    findMachine: async (id: string) => {
      looks += 1;
      if (looks === 2) rig.create("z-late", 1);
      return host.findMachine(id);
    },
  };
  await assert.rejects(capture(rig, { host: changing }), { code: "MachineChangedMeanwhile" });
  assert.deepEqual((await listPoints(rig.vault)).points, []);
});

test("a machine with an image that is refused is not captured without it", async () => {
  await using rig = await imagesRig();
  execFileSync("qemu-img", [
    "create",
    "-q",
    "-f",
    "qcow2",
    "-F",
    "qcow2",
    "-b",
    rig.imagePath("a-os"),
    rig.imagePath("c"),
  ]);
  await assert.rejects(capture(rig), { code: "MachineUnusable" });
});

test("chains of one machine do not see each other, and a deleted last point costs a comparison", async () => {
  await using rig = await imagesRig();
  const one = await capture(rig);
  const other = await capture(rig, { chain: "collection-2", item: "points" });
  rig.write("a-os", "write -P 40 2M 64k");
  const next = await capture(rig);
  assert.ok(next.bytesRead <= 65_536);
  assert.equal(next.parent, one.point.name);
  assert.equal(rig.bitmaps("a-os").length, 2);
  await deletePoint(rig.vault, next.point.name);
  rig.write("a-os", "write -P 41 3M 64k");
  const compared = await capture(rig);
  assert.equal(compared.parent, one.point.name);
  assert.deepEqual(codes(compared), ["warning: BitmapLost a-os.qcow2", "warning: BitmapLost b-data.qcow2"]);
  await assertEqual(rig, compared.point, "a-os", "b-data");
  const increment = await capture(rig, { chain: "collection-2", item: "points" });
  assert.equal(increment.parent, other.point.name);
  await assertEqual(rig, increment.point, "a-os", "b-data");
});

const mebibytesWritten = process.env["HOLDFAST_TEST_LONG"] === "1" ? 32 : 2;

test("thirty-two disks are one point, in bounded memory", async () => {
  await using rig = await imagesRig();
  const names = Array.from({ length: 30 }, (_, index) => `d-${String(index).padStart(2, "0")}`);
  for (const [index, name] of names.entries()) {
    rig.create(name, 64);
    rig.write(name, `write -P ${index + 1} ${index}M ${mebibytesWritten}M`);
  }
  const first = await capture(rig);
  assert.equal(first.point.disks.length, 32);
  for (const [index, name] of names.entries()) rig.write(name, `write -P ${index + 101} ${index}M 64k`);
  const next = await capture(rig);
  assert.ok(next.bytesRead <= 30 * 65_536);
  await assertEqual(rig, next.point, "a-os", ...names);
  assert.ok(process.resourceUsage().maxRSS < 600 * 1024, `${process.resourceUsage().maxRSS} KiB`);
});

test("disks of a point become image files; where one name is taken nothing is written", async () => {
  await using rig = await imagesRig();
  const { point } = await capture(rig);
  const file = (name: string): string => join(rig.folder, name);
  const progress: number[] = [];
  const written = await writePointDisks(
    rig.vault,
    point,
    [
      { disk: "a-os.qcow2", path: file("os.raw"), format: "raw" },
      { disk: "b-data.qcow2", path: file("data.vhd"), format: "vhd" },
    ],
    { onProgress: ({ bytesDone }) => void progress.push(bytesDone) },
  );
  assert.deepEqual(
    written.map(({ disk, sizeBytes }) => [disk, sizeBytes]),
    [
      ["a-os.qcow2", 12 << 20],
      ["b-data.qcow2", 9 << 20],
    ],
  );
  assert.equal(progress.at(-1), 21 << 20);
  execFileSync("qemu-img", ["compare", "-f", "raw", "-F", "qcow2", file("os.raw"), rig.imagePath("a-os")]);
  execFileSync("qemu-img", ["compare", "-f", "vpc", "-F", "qcow2", file("data.vhd"), rig.imagePath("b-data")]);
  rmSync(file("os.raw"));
  await assert.rejects(
    writePointDisks(rig.vault, point, [
      { disk: "a-os.qcow2", path: file("os.raw"), format: "raw" },
      { disk: "b-data.qcow2", path: file("data.vhd"), format: "vhd" },
    ]),
    { code: "ImageExists" },
  );
  assert.throws(() => openSync(file("os.raw"), "r"), { code: "ENOENT" });
});

/** A QEMU that is killed while it holds the image open for writing leaves its bitmaps unreliable. */
async function dieWhileWriting(rig: ImagesRig, disk: string): Promise<void> {
  const socket = join(rig.folder, "die.sock");
  const child = spawn("qemu-storage-daemon", [
    "--blockdev",
    JSON.stringify({ driver: "qcow2", "node-name": "d", file: { driver: "file", filename: rig.imagePath(disk) } }),
    "--nbd-server",
    `addr.type=unix,addr.path=${socket}`,
    "--export",
    "type=nbd,id=e,node-name=d,name=d,writable=on",
    "--pidfile",
    `${socket}.pid`,
  ]);
  await waitFor("the daemon", () => tryOpen(`${socket}.pid`), 120_000, 10);
  execFileSync("qemu-io", ["-f", "raw", "-c", "write -P 77 64k 64k", `nbd+unix:///d?socket=${socket}`]);
  child.kill("SIGKILL");
  await once(child, "exit");
}

function tryOpen(path: string): true | undefined {
  try {
    closeSync(openSync(path, "r"));
    return true;
  } catch {
    return undefined;
  }
}

/** Points the image's first mapping table to nowhere; the returned function mends it. */
function breakMapping(path: string): () => void {
  const file = openSync(path, "r+");
  const header = Buffer.alloc(48);
  readSync(file, header, 0, 48, 0);
  const tableAt = Number(header.readBigUInt64BE(40));
  const entry = Buffer.alloc(8);
  readSync(file, entry, 0, 8, tableAt);
  const bad = Buffer.from(entry);
  bad.writeBigUInt64BE(entry.readBigUInt64BE(0) | 0x200n);
  writeSync(file, bad, 0, 8, tableAt);
  return () => {
    writeSync(file, entry, 0, 8, tableAt);
    closeSync(file);
  };
}
