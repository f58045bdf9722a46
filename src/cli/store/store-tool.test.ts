// The offline tool from outside: the command line, its output, its exit codes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, copyFile, glob, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { seededRandom } from "../../lib/random.ts";
import { projectRoot } from "../project.ts";
import { makeDisk, MiB, runFile, storeToolIn, type StoreTool } from "./testing/store-tool.ts";

describe("./holdfast store", () => {
  let folder: string;
  let vault: string;
  let disk: string;
  let key: string;
  let store: StoreTool;
  const path = (name: string): string => store.path(name);
  const tool = (...args: readonly string[]) => store.run(...args);
  const json = <T>(...args: readonly string[]) => store.json<T>(...args);

  async function write(file: string, at: number, text: string): Promise<void> {
    const handle = await open(file, "r+");
    await handle.write(Buffer.from(text), 0, text.length, at);
    await handle.close();
  }

  async function mustBeSame(one: string, other: string): Promise<void> {
    assert.ok((await readFile(one)).equals(await readFile(other)));
  }

  const add = (...args: string[]) =>
    json<{ point: string; bytesRead: number; bytesStored: number; bytesNew: number; warnings: string[] }>(
      "add",
      "--store",
      vault,
      "--item",
      "Web 1",
      ...args,
    );

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "store-tool-"));
    store = storeToolIn(folder);
    vault = path("vault");
    disk = path("disk.raw");
    await makeDisk(disk);
    const made = await json<{ keyFile: string; keyFileMade: boolean }>("init", "--store", vault);
    assert.ok(made.keyFileMade);
    key = made.keyFile;
  });
  after(() => rm(folder, { recursive: true }));

  it("makes a vault and a key that only its owner may read, and finds the key again", async () => {
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    assert.ok(key.startsWith(path("config")));
    const info = await json<{ keys: { kind: string }[]; objects: { points: { objects: number } } }>(
      "info",
      "--store",
      vault,
    );
    assert.deepEqual(
      info.keys.map(({ kind }) => kind),
      ["file"],
    );
    const again = await tool("init", "--store", vault);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /There is a vault/);
    assert.equal((await readdir(join(path("config"), "holdfast/keys"))).length, 1);
  });

  it("stores, increments by bitmap and without, lists and restores in every format", async () => {
    const first = await add("--disk", `os=${disk}`);
    assert.ok(first.bytesStored > 3 * MiB, String(first.bytesStored));
    const later = path("later.raw");
    await copyFile(disk, later);
    await write(later, 6 * MiB + 100, "changed");
    const second = await add("--disk", `os=${later}`, "--parent", "latest");
    assert.ok(second.bytesNew <= 8192, String(second.bytesNew));
    const bitmap = path("bitmap.json");
    await writeFile(bitmap, JSON.stringify([{ offset: 17 * MiB, length: 65536 }]));
    await write(later, 17 * MiB + 4096, "again");
    const third = await add("--disk", `os=${later}`, "--parent", "latest", "--bitmap", bitmap);
    assert.equal(third.bytesRead, 65536);
    const { points } = await json<{ points: { point: string; item: string }[] }>("points", "--store", vault);
    assert.deepEqual(
      points.map(({ point }) => point),
      [first.point, second.point, third.point],
    );
    assert.equal(points[0]?.item, "Web 1");
    for (const [format, driver] of [
      ["raw", "raw"],
      ["qcow2", "qcow2"],
      ["vhd", "vpc"],
    ] as const) {
      const target = path(`restored.${format}`);
      const args = ["--point", "Web 1/latest", "--disk", "os", "--to", target, "--format", format];
      await json("restore", "--store", vault, ...args);
      await runFile("qemu-img", ["compare", "-f", "raw", "-F", driver, later, target]);
    }
    await mustBeSame(later, path("restored.raw"));
    await json("restore", "--store", vault, "--point", first.point, "--disk", "os", "--to", path("first.raw"));
    await mustBeSame(disk, path("first.raw"));
    const kept = await tool(
      "restore",
      "--store",
      vault,
      "--point",
      first.point,
      "--disk",
      "os",
      "--to",
      path("first.raw"),
    );
    assert.equal(kept.code, 1);
    assert.match(kept.stderr, /exists.*--overwrite/);
  });

  it("stores several disks and formats in one point, with attachments", async () => {
    const image = path("second.qcow2");
    await runFile("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", disk, image]);
    const definition = path("machine.xml");
    await writeFile(definition, "<domain/>");
    const point = await json<{ disks: { name: string }[]; attachments: { name: string }[] }>(
      "add",
      "--store",
      vault,
      "--item",
      "two disks",
      "--attach",
      `machine.xml=${definition}`,
      "--disk",
      `os=${disk}`,
      `data=${image},format=qcow2`,
    );
    assert.deepEqual(point.disks.map(({ name }) => name).sort(), ["data", "os"]);
    assert.equal(point.attachments[0]?.name, "machine.xml");
    const target = path("data.raw");
    await json("restore", "--store", vault, "--point", "two disks/latest", "--disk", "data", "--to", target);
    await mustBeSame(disk, target);
  });

  it("copies the vault, goes on where it is, and restores from the copy", async () => {
    const copy = path("copy");
    const first = await json<{ copied: number; points: number }>("copy", "--store", vault, "--to", copy, "--read-back");
    assert.ok(first.points >= 1);
    const second = await json<{ copied: number }>("copy", "--store", vault, "--to", copy);
    assert.equal(second.copied, 0);
    const target = path("from-copy.raw");
    await json("restore", "--store", copy, "--point", "two disks/latest", "--disk", "os", "--to", target);
    await mustBeSame(disk, target);
  });

  it("restores an attachment", async () => {
    const args = ["--point", "two disks/latest", "--attachment", "machine.xml", "--to", path("back.xml")];
    await json("restore", "--store", vault, ...args);
    assert.equal(await readFile(path("back.xml"), "utf8"), "<domain/>");
    const absent = await tool("restore", "--store", vault, ...args.slice(0, 3), "nope", "--to", path("nope.xml"));
    assert.equal(absent.code, 3);
  });

  it("says where two points differ", async () => {
    const { points } = await json<{ points: { point: string }[] }>("points", "--store", vault, "--item", "Web 1");
    const [first, second] = points.map(({ point }) => point);
    const same = await tool("diff", "--store", vault, "--from", first!, "--to", first!);
    assert.equal(same.code, 0);
    const other = await tool("diff", "--store", vault, "--from", first!, "--to", second!, "--json");
    assert.equal(other.code, 4);
    const { disks } = JSON.parse(other.stdout) as { disks: { bytes: number; ranges: { offset: number }[] }[] };
    assert.equal(disks[0]?.bytes, 4096);
    assert.equal(disks[0]?.ranges[0]?.offset, 6 * MiB);
  });

  it("restores from a second copy what is damaged in the first", async () => {
    const damaged = path("damaged");
    await json("copy", "--store", vault, "--to", damaged);
    for await (const pack of glob(join(damaged, "packs/*/*"))) {
      await chmod(pack, 0o600);
      const { size } = await stat(pack);
      const handle = await open(pack, "r+");
      const bytes = Buffer.alloc(Math.min(size, 65536));
      await handle.read(bytes, 0, bytes.length, Math.floor(size / 3));
      await handle.write(
        bytes.map((byte) => byte ^ 1),
        0,
        bytes.length,
        Math.floor(size / 3),
      );
      await handle.close();
    }
    const args = ["--point", "two disks/latest", "--disk", "os", "--to", path("healed.raw")];
    const alone = await tool("restore", "--store", damaged, ...args);
    assert.equal(alone.code, 4, alone.stderr);
    const left = (await readdir(folder)).filter((name) => name.includes("healed"));
    assert.deepEqual(left, []);
    const healed = await json<{ warnings: string[] }>("restore", "--store", damaged, ...args, "--fallback", vault);
    assert.ok(healed.warnings.length > 0);
    await mustBeSame(disk, path("healed.raw"));
  });

  it("finds the damage by scrub and by verify, and repairs it from the copy", async () => {
    const damaged = path("damaged");
    assert.equal((await tool("scrub", "--store", vault)).code, 0);
    assert.equal((await tool("verify", "--store", vault)).code, 0);
    const scrubbed = await tool("scrub", "--store", damaged, "--json");
    assert.equal(scrubbed.code, 4);
    assert.ok((JSON.parse(scrubbed.stdout) as { findings: unknown[] }).findings.length > 0);
    const verified = await tool("verify", "--store", damaged);
    assert.equal(verified.code, 4);
    assert.match(verified.stdout, /BROKEN .*two_20disks/);
    const stranger = path("stranger");
    await json("init", "--store", stranger, "--key", path("stranger.key"));
    const refused = await tool("repair", "--store", damaged, "--from", stranger);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /not a copy of [0-9a-f]{32}.*--from/);
    const repaired = await json<{ repaired: string[] }>("repair", "--store", damaged, "--from", vault);
    assert.ok(repaired.repaired.length > 0);
    assert.equal((await tool("verify", "--store", damaged)).code, 0);
    assert.equal((await tool("scrub", "--store", damaged)).code, 0);
  });

  it("verifies where nothing may be written", async () => {
    const medium = path("medium");
    await json("copy", "--store", vault, "--to", medium);
    for await (const pack of glob(join(medium, "packs/*/*"))) {
      await chmod(pack, 0o600);
      await write(pack, 200, "damage");
    }
    await rm(join(medium, ".holdfast"), { recursive: true });
    const names = await readdir(medium, { recursive: true });
    const verified = await tool("verify", "--store", medium, "--no-quarantine");
    assert.equal(verified.code, 4, verified.stderr);
    assert.match(verified.stdout, /BAD PACK [0-9a-f]{64}: not quarantined/);
    assert.deepEqual(await readdir(medium, { recursive: true }), names);
  });

  it("changes keys: a new file, a passphrase, a printed recovery key; the old key opens no more", async () => {
    const place = path("keys");
    const made = await json<{ keyFile: string }>("init", "--store", place);
    const changed = await json<{ keyFile: string; epochs: number[] }>(
      "rekey",
      "--store",
      place,
      "--new-key",
      "--new-epoch",
    );
    assert.deepEqual(changed.epochs, [1, 2]);
    assert.equal((await tool("points", "--store", place)).code, 0);
    const old = await tool("points", "--store", place, "--key", made.keyFile);
    assert.match(old.stderr, /does not open vault/);
    const phrase = path("phrase");
    await writeFile(phrase, "correct horse battery staple\n", { mode: 0o600 });
    await json("rekey", "--store", place, "--new-passphrase-file", phrase);
    assert.equal((await tool("points", "--store", place, "--passphrase-file", phrase)).code, 0);
    const recovery = path("recovery");
    await json("export-key", "--store", place, "--to", recovery);
    assert.equal((await stat(recovery)).mode & 0o777, 0o600);
    await rm(changed.keyFile);
    assert.equal((await tool("points", "--store", place)).code, 3);
    assert.equal((await tool("points", "--store", place, "--recovery-key-file", recovery)).code, 0);
    const again = await tool("export-key", "--store", place, "--recovery-key-file", recovery);
    assert.match(again.stderr, /--replace/);
    const shown = await json<{ recoveryKey: string }>(
      "export-key",
      "--store",
      place,
      "--passphrase-file",
      phrase,
      "--replace",
    );
    assert.match(shown.recoveryKey, /^[A-Z2-9]{5}(-[A-Z2-9]{5}){12}$/);
    assert.equal((await tool("points", "--store", place, "--recovery-key-file", recovery)).code, 1);
    await json("rekey", "--store", place, "--passphrase-file", phrase, "--remove", "main");
  });

  it("collects what is no longer needed: the plan first, then the window", async () => {
    const dry = await json<{ plan: { bytesToDelete: number } }>("collect", "--store", vault, "--dry-run");
    assert.equal(dry.plan.bytesToDelete, 0);
    await json("collect", "--store", vault);
    assert.equal((await tool("verify", "--store", vault)).code, 0);
  });

  it("serves a point over NBD until it is interrupted, and ends in order", async () => {
    const socket = path("mount.sock");
    const args = ["store", "mount", "--store", vault, "--point", "two disks/latest", "--socket", socket, "--json"];
    const child = spawn(join(projectRoot, "holdfast"), args, {
      env: store.environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    const printed = await new Promise<string>((resolve) =>
      child.stdout.once("data", (data: Buffer) => resolve(data.toString())),
    );
    const { disks } = JSON.parse(printed) as { disks: { disk: string; uri: string }[] };
    const uri = disks.find((entry) => entry.disk === "os")?.uri ?? "";
    await runFile("qemu-img", ["compare", "-f", "raw", "-F", "raw", disk, uri]);
    const { stdout } = await runFile("qemu-img", ["map", "--output=json", "-f", "raw", uri]);
    const data = (JSON.parse(stdout) as { data: boolean; length: number }[]).filter((extent) => extent.data);
    assert.equal(
      data.reduce((sum, { length }) => sum + length, 0),
      4 * MiB,
    );
    child.kill("SIGINT");
    assert.equal(await ended, 0);
    await assert.rejects(stat(socket));
  });

  it("deletes a point and brings it back", async () => {
    const { points } = await json<{ points: { point: string }[] }>("points", "--store", vault, "--item", "two disks");
    const point = points[0]?.point ?? "";
    await json("delete-point", "--store", vault, "--point", point);
    const gone = await tool("restore", "--store", vault, "--point", point, "--disk", "os", "--to", path("never.raw"));
    assert.equal(gone.code, 3);
    await json("undelete-point", "--store", vault, "--point", point);
    assert.equal(
      (await json<{ points: unknown[] }>("points", "--store", vault, "--item", "two disks")).points.length,
      1,
    );
  });

  it("ends on SIGINT with 130 and leaves neither a point nor a session", async () => {
    const before = await json<{ points: unknown[] }>("points", "--store", vault);
    const args = ["store", "add", "--store", vault, "--item", "stopped", "--disk", `os=${disk}`, "--limit", "1"];
    const changed = path("changed.raw");
    await copyFile(disk, changed);
    args[args.indexOf(`os=${disk}`)] = `os=${changed}`;
    const handle = await open(changed, "r+");
    const random = seededRandom(99);
    await handle.write(Buffer.from(Array.from({ length: 8 * MiB }, () => random() * 256)), 0, 8 * MiB, 0);
    await handle.close();
    const child = spawn(join(projectRoot, "holdfast"), args, {
      env: store.environment,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (data: Buffer) => {
      stderr += data.toString();
    });
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    for (;;) {
      const sessions = await readdir(join(vault, "sessions")).catch(() => []);
      if (sessions.some((name) => name.endsWith(".open"))) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill("SIGINT");
    assert.equal(await ended, 130, stderr);
    assert.match(stderr, /Interrupted/);
    assert.deepEqual(await readdir(join(vault, "sessions")), []);
    assert.equal((await json<{ points: unknown[] }>("points", "--store", vault)).points.length, before.points.length);
  });
});
