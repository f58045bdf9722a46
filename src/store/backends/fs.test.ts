import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile, stat, unlink, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { manualClock } from "../../lib/clock.ts";
import { disk, type FileSystem } from "../../lib/files.ts";
import { openFsStore } from "./fs.ts";
import { code, collect, objectStoreContract } from "./testing/object-store-contract.ts";

objectStoreContract(
  "fs",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fs-contract-"));
    const store = await openFsStore(join(folder, "deep/vault"), { create: true });
    const again = await openFsStore(join(folder, "deep/vault"));
    return { store, again, close: () => rm(folder, { recursive: true }) };
  },
  { supports: { objectLock: false, atomicCreate: true, contentCheck: false } },
);

describe("fs backend", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "fs-backend-"));
  });
  after(() => rm(folder, { recursive: true }));

  const systemError = (errno: string): Error => Object.assign(new Error(errno), { code: errno });

  it("says that a folder is missing and does not make it unasked", async () => {
    await assert.rejects(openFsStore(join(folder, "absent")), code("StoreMissing"));
  });

  it("syncs file, name and every new folder before it acknowledges", async () => {
    const steps: string[] = [];
    const recording: FileSystem = {
      ...disk,
      open: async (path, mode, permissions) => {
        const file = await disk.open(path, mode, permissions);
        const sync = async (): Promise<void> => {
          steps.push("sync file");
          await file.sync();
        };
        return { ...file, sync };
      },
      link: (from, to) => {
        steps.push(`link ${to.slice(to.indexOf("/order/") + 7)}`);
        return disk.link(from, to);
      },
      syncDirectory: (path) => {
        steps.push(`sync ${path.slice(path.indexOf("/order") + 7)}/`);
        return disk.syncDirectory(path);
      },
    };
    const store = await openFsStore(join(folder, "order"), { create: true, files: recording });
    steps.length = 0;
    await store.put("packs/ab/one", Buffer.from("x"), { onlyIfAbsent: true });
    assert.deepEqual(steps, ["sync file", "sync /", "sync packs/", "link packs/ab/one", "sync packs/ab/"]);
  });

  it("reports a full disk by its name and leaves nothing behind", async () => {
    let isFull = false;
    const files: FileSystem = {
      ...disk,
      open: async (path, mode, permissions) => {
        const file = await disk.open(path, mode, permissions);
        const write = async (source: Uint8Array, position: number): Promise<void> => {
          if (isFull) throw systemError("ENOSPC");
          await file.write(source, position);
        };
        return { ...file, write };
      },
    };
    const store = await openFsStore(join(folder, "full"), { create: true, files });
    isFull = true;
    await assert.rejects(store.put("a", Buffer.from("x")), code("StoreFull"));
    assert.deepEqual(await readdir(join(folder, "full/.holdfast/tmp")), []);
    isFull = false;
    await store.put("a", Buffer.from("x"));
  });

  it("does not acknowledge what could not be synced", async () => {
    let isBroken = false;
    const files: FileSystem = {
      ...disk,
      open: async (path, mode, permissions) => {
        const file = await disk.open(path, mode, permissions);
        const sync = async (): Promise<void> => {
          if (isBroken) throw systemError("EIO");
          await file.sync();
        };
        return { ...file, sync };
      },
    };
    const store = await openFsStore(join(folder, "eio"), { create: true, files });
    isBroken = true;
    await assert.rejects(store.put("a", Buffer.from("x")), code("StoreFailed"));
    assert.equal(await store.head("a"), undefined);
  });

  it("refuses file systems that are known to lose what they confirmed, unless told to trust them", async () => {
    const files: FileSystem = { ...disk, volumeType: async () => 0x6969 };
    const place = join(folder, "nfs");
    await assert.rejects(openFsStore(place, { create: true, files }), code("StoreUntrustworthy"));
    await using store = await openFsStore(place, { create: true, files, trustFileSystem: true });
    await store.put("a", Buffer.from("x"));
  });

  it("finds out a file system whose links replace, whose renames do not, or whose links are copies", async () => {
    const liars: Partial<FileSystem>[] = [
      { link: (from, to) => disk.link(from, to).catch(() => {}) },
      { link: (from, to) => disk.read(from).then((content) => disk.writeDurably(to, content)) },
      { rename: async () => {} },
      { syncDirectory: () => Promise.reject(systemError("EINVAL")) },
      { link: () => Promise.reject(systemError("EPERM")) },
    ];
    for (const [index, liar] of liars.entries()) {
      const place = join(folder, `liar-${index}`);
      await mkdir(place);
      await assert.rejects(openFsStore(place, { files: { ...disk, ...liar } }), code("StoreUntrustworthy"));
      assert.deepEqual(await readdir(join(place, ".holdfast/tmp")), []);
    }
  });

  it("follows no link out of the store", async () => {
    const place = join(folder, "links");
    const store = await openFsStore(place, { create: true });
    await store.put("packs/aa/x", Buffer.from("x"));
    const outside = join(folder, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "secret"), "secret");
    await symlink(outside, join(place, "packs/bb"));
    await symlink(join(outside, "secret"), join(place, "packs/aa/secret"));
    await assert.rejects(store.get("packs/aa/secret"), code("StoreRefused"));
    await assert.rejects(store.get("packs/bb/secret"), code("StoreRefused"));
    await assert.rejects(store.put("packs/bb/new", Buffer.from("x")), code("StoreRefused"));
    await assert.rejects(store.delete("packs/bb/secret"), code("StoreRefused"));
    assert.equal(await store.head("packs/aa/secret"), undefined);
    assert.deepEqual(
      (await collect(store.list(""))).map((info) => info.name),
      ["packs/aa/x"],
    );
    assert.deepEqual(await readdir(outside), ["secret"]);
  });

  it("removes what a killed writer left, and keeps what a living one is writing", async () => {
    const place = join(folder, "leftovers");
    await openFsStore(place, { create: true });
    const temporary = join(place, ".holdfast/tmp");
    const own = { name: "" };
    const files: FileSystem = {
      ...disk,
      open: (path, mode, permissions) => {
        if (mode === "createNew") own.name = path.slice(temporary.length + 1);
        return disk.open(path, mode, permissions);
      },
    };
    const store = await openFsStore(place, { files });
    await store.put("a", Buffer.from("x"));
    const [namespace, pid] = own.name.split("-");
    assert.equal(Number(pid), process.pid);
    const dead = `${namespace}-4999999-x`;
    const living = `${namespace}-${process.pid}-x`;
    const strangers = { young: "0123456789ab-1-x", old: "0123456789ab-1-y" };
    for (const name of [dead, living, strangers.young, strangers.old]) await writeFile(join(temporary, name), "x");
    const longAgo = Date.now() / 1000 - 100_000;
    await utimes(join(temporary, strangers.old), longAgo, longAgo);
    await openFsStore(place);
    assert.deepEqual((await readdir(temporary)).sort(), [living, strangers.young].sort());
  });

  it("locks objects with the immutable flag where it is root, until the time has come", async () => {
    const place = join(folder, "locked");
    const clock = manualClock(1000);
    const opening = openFsStore(place, { create: true, immutable: true, clock });
    if (process.getuid?.() !== 0) return assert.rejects(opening, code("StoreUntrustworthy"));
    const store = await opening;
    assert.equal(store.supports.objectLock, true);
    await store.put("packs/a", Buffer.from("stays"), { lockedUntil: 5000, onlyIfAbsent: true });
    await assert.rejects(unlink(join(place, "packs/a")), /EPERM/);
    await assert.rejects(store.delete("packs/a"), code("ObjectLocked"));
    await assert.rejects(store.put("packs/a", Buffer.from("other")), code("StoreRefused"));
    assert.equal((await store.get("packs/a")).toString(), "stays");
    // Whoever puts it again for less long shortens nothing.
    await assert.rejects(
      store.put("packs/a", Buffer.from("stays"), { lockedUntil: 2000, onlyIfAbsent: true }),
      code("ObjectExists"),
    );
    clock.set(4999);
    await assert.rejects(store.delete("packs/a"), code("ObjectLocked"));
    clock.set(5000);
    await store.delete("packs/a");
    assert.equal(await store.head("packs/a"), undefined);
    await store.put("free", Buffer.from("x"));
    await store.delete("free");
  });

  it("reads from a store that it may not write", async () => {
    const place = join(folder, "read-only");
    const writer = await openFsStore(place, { create: true });
    await writer.put("a", Buffer.from("x"));
    await rm(join(place, ".holdfast"), { recursive: true });
    const store = await openFsStore(place, { readOnly: true });
    assert.equal((await store.get("a")).toString(), "x");
    await assert.rejects(store.put("b", Buffer.from("x")), code("StoreReadOnly"));
    await assert.rejects(store.delete("a"), code("StoreReadOnly"));
    assert.deepEqual(await readdir(place), ["a"]);
  });

  it("makes objects that nobody changes by accident", async () => {
    const place = join(folder, "modes");
    const store = await openFsStore(place, { create: true });
    await store.put("a", Buffer.from("x"));
    assert.equal((await stat(join(place, "a"))).mode & 0o777, 0o400);
    assert.equal((await stat(place)).mode & 0o777, 0o700);
  });
});
