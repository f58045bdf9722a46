import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseEntries, rawPathOf, type Entry } from "./entries.ts";
import { tarArchive, type ReadEntry } from "./tar.ts";
import { zipArchive } from "./zip.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-archives-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const contents: Record<string, string> = {
  "a.txt": "hello",
  [`deep/${"long-name-".repeat(12)}.txt`]: "behind a pax record",
  "deep/ünïcode\nline": "a line break in a name",
  "deep/empty": "",
};
const record = (kind: string, size: number, path: string, link = ""): string =>
  `${kind} ${kind === "d" ? 750 : 640} ${size} 1700000000.5000000000 0 0 ${path}\0${link}\0`;
const listing = [
  record("d", 4096, "deep"),
  ...Object.entries(contents).map(([path, text]) => record("f", text.length, path)),
  record("l", 5, "link", "a.txt"),
  record("s", 0, "socket"),
].join("");
const entries = parseEntries(Buffer.from(listing));
const read: ReadEntry = async function* ({ path }: Entry) {
  const bytes = Buffer.from(contents[path] ?? "");
  yield bytes.subarray(0, 3);
  yield bytes.subarray(3);
};

async function made(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

test("a tar archive unpacks with tar: content, long names, line breaks, links and modes", async () => {
  execFileSync("tar", ["-x", "-C", folder], { input: await made(tarArchive(entries, read)) });
  for (const [path, text] of Object.entries(contents)) assert.equal(readFileSync(join(folder, path), "utf8"), text);
  assert.equal(readlinkSync(join(folder, "link")), "a.txt");
  assert.equal(statSync(join(folder, "a.txt")).mode & 0o777, 0o640);
  assert.equal(statSync(join(folder, "a.txt")).mtimeMs, 1_700_000_000_000);
});

test("a zip archive passes the check of another reader, and gives the same content", async () => {
  const path = join(folder, "all.zip");
  writeFileSync(path, await made(zipArchive(entries, read)));
  const script = [
    "import json, sys, zipfile",
    "z = zipfile.ZipFile(sys.argv[1])",
    "assert z.testzip() is None",
    "print(json.dumps({i.filename: [z.read(i).decode(), i.external_attr >> 16, list(i.date_time)] for i in z.infolist()}))",
  ].join("\n");
  const found = JSON.parse(execFileSync("python3", ["-c", script, path], { encoding: "utf8" }));
  for (const [name, text] of Object.entries(contents)) assert.equal(found[name][0], text);
  assert.deepEqual(found["a.txt"].slice(1), [0o100640, [2023, 11, 14, 22, 13, 20]]);
  assert.deepEqual(found["link"].slice(0, 2), ["a.txt", 0o120640]);
  assert.ok("deep/" in found && !("socket" in found));
});

test("names that are no UTF-8 are shown, and asked for by their bytes", () => {
  const raw = Buffer.concat([Buffer.from("f 644 1 1.0 0 0 100%/x"), Buffer.of(0xff, 0, 0)]);
  const [entry] = parseEntries(raw);
  assert.equal(entry?.path, "100%25/x%FF");
  assert.deepEqual(rawPathOf(`vda/${entry.path}`), Buffer.concat([Buffer.from("vda/100%/x"), Buffer.of(0xff)]));
});

test("paths that leave the volumes are refused, however they are spelt", () => {
  for (const path of [
    "",
    "..",
    "vda/../../etc",
    "vda//x",
    "/etc/passwd",
    "vda/%2E%2E/x",
    "vda/%2Fetc",
    "vda/a\0b",
    "vda/%00",
  ]) {
    assert.throws(() => rawPathOf(path), { code: "FileRecoveryPathInvalid" }, path);
  }
});

test("what is no listing ends the session, and a record that was cut off is left out", () => {
  assert.throws(() => parseEntries(Buffer.from("hello\0there\0")), { code: "FileRecoverySessionFailed" });
  assert.equal(parseEntries(Buffer.from(`${record("f", 1, "a")}f 644 1 1.0 0 0 b`)).length, 1);
});
