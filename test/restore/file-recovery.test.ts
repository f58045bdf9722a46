// Files out of a recovery point: a guest of our own opens its disks, whatever they hold, and this
// machine never mounts them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes as random } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  type Stats,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { download } from "../../src/backup/file-recovery/download.ts";
import { openFileSessions, type FileSessions, type SessionOf } from "../../src/backup/file-recovery/file-sessions.ts";
import { prepareHelper, type Helper } from "../../src/backup/file-recovery/helper.ts";
import { startHelper } from "../../src/backup/file-recovery/helper-session.ts";
import { resumeMachine } from "../../src/backup/file-recovery/saved-state.ts";
import type { Volume } from "../../src/backup/file-recovery/volumes.ts";
import { platformKeyOf } from "../../src/backup/stores/store-key.ts";
import { vaultStore } from "../../src/backup/stores/store-name.ts";
import { openStores, type Stores } from "../../src/backup/stores/stores.ts";
import { openDatabase, type Database } from "../../src/db/database.ts";
import type { NbdExport } from "../../src/nbd/export.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { newGuid } from "../../src/lib/random.ts";
import { secretBox } from "../../src/lib/secret-box.ts";
import { waitFor } from "../../src/lib/time.ts";
import { backUp, bufferSource } from "../../src/store/testing/vaults.ts";
import { writeLuks } from "../support/luks.ts";
import { cache, emptyDisk, ext4Disk, lvmDisk, partitioned, xfsDisk } from "./images.ts";

const big = random(9_000_001);
const passphrase = "correct-horse";
let folder: string;
let helper: Helper;
let stateBefore: Stats;
let database: Database;
let stores: Stores;
let sessions: FileSessions;
let of: SessionOf;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-files-"));
  const tree = join(folder, "tree");
  mkdirSync(join(tree, "etc/deep"), { recursive: true });
  writeFileSync(join(tree, "etc/hostname"), "restored-host\n");
  writeFileSync(join(tree, "etc/deep/big"), big);
  symlinkSync("/etc/passwd", join(tree, "etc/outside"));
  symlinkSync("/proc/self/root", join(tree, "root-of-helper"));
  writeFileSync(join(tree, "a name\nwith a break"), "odd");
  mkdirSync(join(folder, "small"));
  writeFileSync(join(folder, "small/inside"), "inside\n");

  const at = (name: string): string => join(folder, name);
  helper = await prepareHelper(join(cache, "helper"));
  stateBefore = statSync(helper.statePath ?? "");
  const inner = ext4Disk(at("inner"), 24, join(folder, "small"));
  const images: Record<string, string> = {
    os: ext4Disk(at("os"), 48, tree),
    gpt: partitioned(at("gpt"), inner),
    xfs: await xfsDisk(at("xfs"), join(folder, "small")),
    luks: at("luks"),
    lvm: lvmDisk(at("lvm"), inner, helper.image, join(folder, "lvm-work")),
    blank: emptyDisk(at("blank"), 4),
    noise: at("noise"),
  };
  writeFileSync(at("noise"), random(1 << 20));
  await writeLuks(inner, at("luks"), passphrase);

  const key = random(32);
  database = await openDatabase({ file: join(folder, "db"), clock: systemClock });
  stores = openStores({
    folder: at("stores"),
    database,
    secretBox: secretBox(key),
    keyOf: platformKeyOf(key),
    workers: 1,
    trustFileSystem: true,
  });
  const store = vaultStore(newGuid());
  await stores.create(store, { location: { kind: "folder" } });
  await using opened = await stores.open(store);
  const disks = Object.fromEntries(
    Object.entries(images).map(([name, path]) => [name, bufferSource(readFileSync(path))]),
  );
  const point = await backUp(opened.vault, { item: "vm" }, disks);
  sessions = openFileSessions({ folder: cache, stores });
  of = { store, point: point.name, owner: "tester" };
});
after(async () => {
  await sessions?.[Symbol.asyncDispose]();
  await stores?.[Symbol.asyncDispose]();
  await database?.close();
  rmSync(folder, { recursive: true, force: true });
});

const on = (volumes: readonly Volume[], disk: string): Volume | undefined =>
  volumes.find((each) => each.disk === disk && each.state !== "empty");

function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return ""; // it has ended
      }
    })
    .filter((line) => line.startsWith("qemu-system"));
}

function machinesIn(place: string): string[] {
  return commandLines().filter((line) => line.includes(place));
}

function bufferExport(name: string, bytes: Buffer): NbdExport {
  return {
    name,
    description: "",
    size: bytes.length,
    readOnly: true,
    multiConnection: true,
    read: async (into, offset) => into.set(bytes.subarray(offset, offset + into.length)),
  };
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

test("volumes of every kind are found, and one folder is listed", async () => {
  const volumes = await sessions.use(of, (session) => session.volumes());
  assert.deepEqual(
    ["os", "gpt", "xfs", "luks", "lvm"].map((disk) => [disk, on(volumes, disk)?.fileSystem, on(volumes, disk)?.state]),
    [
      ["os", "ext4", "mounted"],
      ["gpt", "ext4", "mounted"],
      ["xfs", "xfs", "mounted"],
      ["luks", "crypto_LUKS", "locked"],
      ["lvm", "LVM2_member", "part"],
    ],
  );
  const logical = volumes.find(({ name }) => name === "vg0-data");
  assert.equal(logical?.state, "mounted");
  const entries = await sessions.use(of, (session) => session.list(on(volumes, "os")?.name ?? "", 1));
  const kinds = Object.fromEntries(entries.map(({ path, kind }) => [path, kind]));
  assert.deepEqual(kinds, {
    "a name\nwith a break": "file",
    etc: "folder",
    "lost+found": "folder",
    "root-of-helper": "link",
  });
  for (const disk of ["gpt", "xfs"]) {
    const name = on(volumes, disk)?.name ?? "";
    assert.equal(
      String(await sessions.use(of, (session) => gathered(session.read(`${name}/inside`, 0, 7)))),
      "inside\n",
    );
  }
  assert.equal(String(await sessions.use(of, (session) => gathered(session.read("vg0-data/inside", 2, 4)))), "side");
});

test("a session goes on from the saved state: disks keep their order, and the state is as it was", async () => {
  const volumes = await sessions.use(of, (session) => session.volumes());
  assert.deepEqual(
    ["os", "gpt", "xfs", "luks", "lvm", "blank", "noise"].map(
      (disk) => volumes.find((each) => each.disk === disk && /^vd.$/.test(each.name))?.name,
    ),
    ["vda", "vdb", "vdc", "vdd", "vde", "vdf", "vdg"],
  );
  const machines = machinesIn(join(cache, "helper", "scratch"));
  assert.ok(machines.length > 0 && machines.every((line) => line.includes("-incoming")), machines.join("\n"));
  const now = statSync(helper.statePath ?? "");
  assert.deepEqual(
    [now.ino, now.size, now.mtimeMs, now.mode & 0o777],
    [stateBefore.ino, stateBefore.size, stateBefore.mtimeMs, 0o600],
  );
});

test("a saved state that QEMU refuses is given up, and the guest boots", async () => {
  const statePath = join(folder, "state-broken");
  writeFileSync(statePath, random(1 << 20));
  const base = bufferExport("os", readFileSync(join(folder, "os")));
  await using session = await startHelper([base], { helper: { ...helper, statePath }, scratchFolder: folder });
  assert.deepEqual(
    (await session.volumes()).map(({ name, disk, state }) => [name, disk, state]),
    [["vda", "os", "mounted"]],
  );
  assert.ok(!existsSync(statePath));
});

test("a guest whose service is gone ends by itself", async () => {
  const place = mkdtempSync(join(folder, "alone-"));
  const settings = { folder: place, extraArguments: [] };
  const { machine, monitor } = await resumeMachine(helper, helper.statePath ?? "", settings);
  await using _ended = machine;
  await machine.port.ask(["volumes"], 120_000);
  machine.port.close(); // as the kernel does it for a process that is killed
  assert.match(String(await monitor.ended), /./);
  await waitFor("the end of QEMU", () => machinesIn(place).length === 0 || undefined, 120_000);
});

test("sessions that end do not wait for a guest that is starting, and leave none", async () => {
  const own = openFileSessions({ folder: cache, stores });
  const asked = own.use({ ...of, owner: "in a hurry" }, (session) => session.volumes());
  const refused = assert.rejects(asked);
  await own[Symbol.asyncDispose]();
  await refused;
  await assert.rejects(own.borrow(of), { code: "FileRecoverySessionFailed" });
  const others = machinesIn(join(cache, "helper", "scratch")).length;
  await using ending = openFileSessions({ folder: cache, stores });
  const ended = assert.rejects(ending.borrow({ ...of, owner: "also in a hurry" }));
  await waitFor("a guest", () => machinesIn(join(cache, "helper", "scratch")).length > others || undefined, 120_000, 5);
  await ending[Symbol.asyncDispose]();
  await ended;
  assert.equal(machinesIn(join(cache, "helper", "scratch")).length, others);
});

test("a file comes out byte for byte, and any part of it", async () => {
  await sessions.use(of, async (session) => {
    const name = on(await session.volumes(), "os")?.name;
    const { body, sizeBytes } = await download(session, `${name}/etc/deep/big`, "file");
    const whole = await gathered(body);
    assert.equal(sizeBytes, big.length);
    assert.equal(createHash("sha256").update(whole).digest("hex"), createHash("sha256").update(big).digest("hex"));
    const part = await gathered(session.read(`${name}/etc/deep/big`, 4_194_300, 1_100_000));
    assert.ok(part.equals(big.subarray(4_194_300, 5_294_300)));
  });
});

test("a folder comes out as tar, with links as links", async () => {
  await sessions.use(of, async (session) => {
    const name = on(await session.volumes(), "os")?.name;
    const { body, fileName } = await download(session, `${name}/etc`, "tar");
    assert.equal(fileName, "etc.tar");
    const target = join(folder, "unpacked");
    mkdirSync(target);
    execFileSync("tar", ["-x", "-C", target], { input: await gathered(body), maxBuffer: 1 << 26 });
    assert.deepEqual(readdirSync(target).sort(), ["deep", "hostname", "outside"]);
    assert.ok(readFileSync(join(target, "deep/big")).equals(big));
    assert.ok(!existsSync(join(target, "deep/passwd")));
  });
});

test("links do not lead out of the volume, and neither do paths", async () => {
  await sessions.use(of, async (session) => {
    const name = on(await session.volumes(), "os")?.name;
    await assert.rejects(session.list(`${name}/root-of-helper/bin`, 1), { code: "FileNotFound" });
    await assert.rejects(gathered(session.read(`${name}/etc/outside`, 0, 10)), { code: "NotAFile" });
    await assert.rejects(session.list(`${name}/../etc`, 1), { code: "FileRecoveryPathInvalid" });
    await assert.rejects(session.list(`${name}/nowhere`, 1), { code: "FileNotFound" });
    await assert.rejects(download(session, `${name}/etc`, "file"), { code: "NotAFile" });
    assert.equal((await session.list(`${name}/etc/hostname`, 0))[0]?.sizeBytes, 14);
  });
});

test("an encrypted volume opens with its key only, and only for whoever gave it", async () => {
  await sessions.use(of, async (session) => {
    const luks = on(await session.volumes(), "luks")?.name ?? "";
    await assert.rejects(session.unlock(luks, Buffer.from("wrong")), { code: "VolumeKeyWrong" });
    await assert.rejects(session.unlock("sda", Buffer.from("x")), { code: "VolumeNotFound" });
    const opened = await session.unlock(luks, Buffer.from(passphrase));
    assert.equal(opened.find(({ name }) => name === luks)?.state, "unlocked");
    const inside = `open-${luks}`;
    assert.equal(opened.find(({ name }) => name === inside)?.state, "mounted");
    assert.equal(String(await gathered(session.read(`${inside}/inside`, 0, 7))), "inside\n");
  });
  const other = { ...of, owner: "somebody else" };
  const seen = await sessions.use(other, (session) => session.volumes());
  assert.equal(on(seen, "luks")?.state, "locked");
  await sessions.end(other);
});

test("a guest that dies is replaced at the next request", async () => {
  using borrowed = await sessions.borrow(of);
  await sessions.end(of);
  await assert.rejects(borrowed.session.volumes(), { code: "FileRecoverySessionFailed" });
  const volumes = await sessions.use(of, (session) => session.volumes());
  assert.ok(volumes.length >= 7);
});
