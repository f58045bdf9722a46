import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { scratchFolder, tool } from "../../nbd/testing/tools.ts";
import { readVariables } from "./read-variables.ts";
import { emptyVariables } from "./testing/variables.ts";
import { NotVariables, uefiWith } from "./variables.ts";

const size = 128 * 1024;

test("variables are the same from a raw file, through a link, and from qcow2", async () => {
  using scratch = scratchFolder();
  const [raw, link, packed] = [scratch.path("a_VARS.fd"), scratch.path("link"), scratch.path("a.qcow2")];
  const content = emptyVariables(size);
  writeFileSync(raw, content);
  symlinkSync(raw, link);
  tool("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, packed);
  for (const path of [raw, link]) assert.ok((await readVariables({ path, format: "raw" })).equals(content), path);
  assert.ok((await readVariables({ path: packed, format: "qcow2" })).equals(content));
});

test("what is no store of variables is not read into a point, whatever the host says of it", async () => {
  using scratch = scratchFolder();
  const file = (name: string, content: Uint8Array | string): string => {
    writeFileSync(scratch.path(name), content);
    return scratch.path(name);
  };
  const pipe = scratch.path("pipe");
  execFileSync("mkfifo", [pipe]);
  const large = file("large", emptyVariables(size));
  truncateSync(large, 65 * 1024 ** 2);
  const shadow = file("shadow", "root:$6$secret:19000:0:99999:7:::\n".repeat(10));
  const other = emptyVariables(size);
  other[16] = 0;
  const wide = scratch.path("wide.qcow2");
  tool("qemu-img", "create", "-q", "-f", "qcow2", wide, "1G");
  const pointing = scratch.path("pointing.qcow2");
  tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", shadow, pointing);
  const refused: readonly (readonly [path: string, format: "raw" | "qcow2", why: RegExp])[] = [
    [shadow, "raw", /does not look like/],
    [file("system volume", other), "raw", /does not look like/],
    [file("short", emptyVariables(size).subarray(0, 4096)), "raw", /does not look like/],
    [file("empty", ""), "raw", /does not look like/],
    ["nvram/a", "raw", /does not say where it is/],
    [scratch.path("gone"), "raw", /cannot be read \(ENOENT\)/],
    [scratch.path("."), "raw", /is no file|EISDIR/],
    [pipe, "raw", /is no file/],
    [large, "raw", /has 68157440 bytes, more than/],
    [shadow, "qcow2", /is no qcow2 image/],
    [wide, "qcow2", /has 1073741824 bytes, more than/],
    [pointing, "qcow2", /refers to a backing file/],
  ];
  for (const [path, format, why] of refused) {
    const uefi = await uefiWith(true, () => readVariables({ path, format }), path);
    assert.ok(uefi.variables === undefined && uefi.isSecureBoot, path);
    assert.match(uefi.problem, why, path);
  }
  await assert.rejects(readVariables({ path: shadow, format: "raw" }), NotVariables);
});
