import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { memoryStore } from "../../store/backends/memory.ts";
import type { ObjectStore, Point, Vault } from "../../store/index.ts";
import { backUp, bufferSource, newTestVault, openTestVault, patterned } from "../../store/testing/vaults.ts";
import type { DiskFile } from "../capture/index.ts";
import { bytesNeeded, restoreFailure, writeDisks } from "./write-disks.ts";

const MiB = 1024 * 1024;
const contents: Record<string, Buffer> = {
  os: Buffer.concat([patterned(3 * MiB, 1), Buffer.alloc(5 * MiB)]),
  data: patterned(2 * MiB + 512, 2),
};
let store: ObjectStore;
let vault: Vault;
let point: Point;
let folder: string;

before(async () => {
  store = memoryStore();
  vault = await newTestVault(store);
  const sources = Object.fromEntries(Object.entries(contents).map(([name, bytes]) => [name, bufferSource(bytes)]));
  point = await backUp(vault, { item: "vm" }, sources);
});
after(() => vault[Symbol.asyncDispose]());
beforeEach(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  folder = mkdtempSync(join(tmpdir(), "holdfast-restore-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const file = (disk: string): DiskFile => ({ disk, path: join(folder, `${disk}.raw`), format: "raw" });

test("all disks come back byte for byte, side by side, and each is reported when it is whole", async () => {
  const finished: string[] = [];
  let last = { bytesDone: 0, bytesTotal: 0 };
  await writeDisks(vault, point, {
    files: [file("os"), file("data")],
    onFinished: async ({ disk }) => void finished.push(disk),
    onProgress: (progress) => {
      assert.ok(progress.bytesDone >= last.bytesDone);
      last = progress;
    },
  });
  for (const [name, content] of Object.entries(contents)) {
    assert.ok(readFileSync(join(folder, `${name}.raw`)).equals(content), name);
  }
  assert.deepEqual(finished.sort(), ["data", "os"]);
  assert.deepEqual(last, { bytesDone: last.bytesTotal, bytesTotal: 10 * MiB + 512 });
});

test("what a killed attempt left is removed, and its finished disks are not written again", async () => {
  const { path } = file("os");
  writeFileSync(path, "finished before");
  writeFileSync(join(folder, ".data.raw.8d7ff67f-0001-4d2a-9a51-3a1f1a7c9b10.partial"), "half");
  writeFileSync(join(folder, ".other.raw.8d7ff67f-0001-4d2a-9a51-3a1f1a7c9b10.partial"), "somebody else's");
  await writeDisks(vault, point, { files: [file("os"), file("data")], finished: new Set([path]) });
  assert.equal(readFileSync(path, "utf8"), "finished before");
  assert.ok(readFileSync(file("data").path).equals(contents["data"]!));
  assert.deepEqual(readdirSync(folder).sort(), [
    ".other.raw.8d7ff67f-0001-4d2a-9a51-3a1f1a7c9b10.partial",
    "data.raw",
    "os.raw",
  ]);
});

test("what an earlier attempt named without coming to tell so is its own, and is written again", async () => {
  writeFileSync(file("os").path, "whole, or not: nobody knows");
  let isBegun = false;
  const onBegin = async (): Promise<void> => void (isBegun = true);
  await writeDisks(vault, point, { files: [file("os")], begun: new Set([file("os").path]), onBegin });
  assert.ok(readFileSync(file("os").path).equals(contents["os"]!));
  assert.ok(isBegun);
});

test("a target that is there, a folder that is not, and one name for two disks are refused before anything is written", async () => {
  writeFileSync(file("data").path, "mine");
  const both = [file("os"), file("data")];
  await assert.rejects(writeDisks(vault, point, { files: both }), { code: "UserErrorRestoreTargetExists" });
  assert.ok(!existsSync(file("os").path));
  assert.equal(readFileSync(file("data").path, "utf8"), "mine");
  const nowhere = { ...file("os"), path: join(folder, "no", "os.raw") };
  await assert.rejects(writeDisks(vault, point, { files: [nowhere] }), { code: "UserErrorRestoreTargetInvalid" });
  const twice = [file("os"), { ...file("data"), path: file("os").path }];
  await assert.rejects(writeDisks(vault, point, { files: twice }), { code: "UserErrorRestoreTargetInvalid" });
});

test("room is asked for what holds something, not for the disks' sizes", async () => {
  const needed = await bytesNeeded(vault, point, ["os", "data"]);
  assert.ok(needed >= 5 * MiB && needed < 6 * MiB, String(needed));
});

test("a target that becomes full, a missing point and bad bytes have names of their own", () => {
  const full = new Error("writing failed", { cause: Object.assign(new Error("no space"), { code: "ENOSPC" }) });
  const codeOf = (error: unknown): unknown => (restoreFailure(error, point) as { code?: string }).code;
  assert.equal(codeOf(full), "UserErrorInsufficientSpaceForRestore");
  const other = new Error("other");
  assert.equal(restoreFailure(other, point), other);
});

test("a damaged pack is a broken recovery point, and leaves no file behind", async () => {
  const damaged = memoryStore();
  for await (const { name } of store.list("")) {
    const bytes = Buffer.from(await store.get(name));
    if (name.startsWith("packs/")) bytes.fill(0, 0, 64);
    await damaged.put(name, bytes);
  }
  await using broken = await openTestVault(damaged);
  await assert.rejects(writeDisks(broken, point, { files: [file("os")] }), { code: "UserErrorRecoveryPointBroken" });
  assert.deepEqual(readdirSync(folder), []);
});

test("a restore that is called off leaves no file behind", async () => {
  const stop = new AbortController();
  const writing = writeDisks(
    vault,
    point,
    { files: [file("os"), file("data")], onProgress: () => stop.abort(new Error("called off")) },
    stop.signal,
  );
  await assert.rejects(writing, /called off/);
  assert.deepEqual(readdirSync(folder), []);
});
