// Files of a recovery point over the wire and with ./holdfast files: listed, downloaded, refused to who may not.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { startRig, type Rig } from "../backup/rig.ts";
import { clientFor } from "../support/client.ts";
import { holdfast } from "../support/service.ts";
import { cache, ext4Disk } from "./images.ts";

const execute = promisify(execFile);
let rig: Rig;
let folder: string;
let base: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-fileswire-"));
  mkdirSync(join(folder, "tree/etc"), { recursive: true });
  writeFileSync(join(folder, "tree/etc/motd"), "hello\n");
  rig = await startRig({ machines: { vm1: 1 } });
  ext4Disk(join(rig.images, "vm1/disk0.raw"), 16, join(folder, "tree"));
  // The helper guest is built once for all tests.
  cpSync(join(cache, "helper"), join(rig.data, "helper"), {
    recursive: true,
    filter: (path) => !/\/(?:debs|scratch)$/.test(path),
  });
  await rig.protect("vm1");
  assert.equal((await rig.backUp("vm1")).properties.status, "Completed");
  base = `${rig.itemPath("vm1")}/recoveryPoints/${(await rig.points("vm1"))[0]?.name}/providers/Microsoft.Holdfast`;
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test("volumes and folders are listed", async () => {
  const { json, status, text } = await rig.vault("GET", `${base}/volumes`);
  assert.equal(status, 200, text);
  assert.deepEqual(
    json.value.map(({ name, fileSystem, state }: Record<string, string>) => [name, fileSystem, state]),
    [["vda", "ext4", "mounted"]],
  );
  const listed = await rig.vault("GET", `${base}/files?path=vda/etc`);
  assert.equal(listed.status, 200, listed.text);
  assert.deepEqual(
    listed.json.value.map(({ path, kind, sizeBytes }: Record<string, unknown>) => [path, kind, sizeBytes]),
    [["motd", "file", 6]],
  );
  const outside = await rig.vault("GET", `${base}/files?path=vda/../etc`);
  assert.equal(outside.json.error.code, "FileRecoveryPathInvalid");
  const nowhere = await rig.vault("GET", `${base}/files?path=vda/nowhere`);
  assert.equal(nowhere.status, 404);
});

test("./holdfast files lists, and gets a file and an archive", async () => {
  const of = ["--data", rig.data, "--vault", "v1", "-g", "lab", "--item", "vm1"];
  const { stdout } = await execute(holdfast, ["files", "ls", "vda/etc", ...of]);
  assert.match(stdout, /^file +0644 +6 .* motd$/m);
  const file = join(folder, "motd");
  await execute(holdfast, ["files", "get", "vda/etc/motd", "--to", file, ...of]);
  assert.equal(readFileSync(file, "utf8"), "hello\n");
  const archive = join(folder, "etc.tar");
  await execute(holdfast, ["files", "get", "vda/etc", "--format", "tar", "--to", archive, ...of]);
  assert.equal(execFileSync("tar", ["-xOf", archive, "motd"], { encoding: "utf8" }), "hello\n");
});

test("who may only read backups sees no files, and a download that was not offered is none", async () => {
  const client = await clientFor(rig.service.running, rig.data);
  const reader = await client.createPrincipal("reader");
  await client.assign(reader.principalId, "a795c7a0-d4a2-40c1-ae25-d81f01202912", rig.group);
  const path = `${rig.vaultId}${base}/volumes?api-version=2023-06-01`;
  assert.equal((await reader.call("GET", path)).status, 403);
  assert.equal((await reader.call("GET", "/api/filerecovery/AAAA")).status, 404);
});
