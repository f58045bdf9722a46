// The same bytes on a disk that they fill and scattered over a sparse disk of a terabyte, backed up and
// restored by the offline tool.

import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { diskBytes } from "./disk-bytes.ts";

const root = resolve(import.meta.dirname, "../../..");
const TiB = 2 ** 40;
const pieces = 64;

export async function measureSparse(folder: string, mebibytes: number): Promise<string[][]> {
  mkdirSync(folder, { recursive: true });
  const content = diskBytes(mebibytes * 2 ** 20);
  const [plain, sparse] = [join(folder, "plain.raw"), join(folder, "sparse.raw")];
  write(plain, content, content.length / pieces);
  write(sparse, content, TiB / pieces);
  truncateSync(sparse, TiB);
  const [small, large] = [plain, sparse].map((path) => addAndRestore(folder, path));
  if (small === undefined || large === undefined) throw new Error("nothing was measured");
  return [
    [
      `${mebibytes} MiB on a full disk: backup, restore`,
      `${small.add.toFixed(2)} s, ${small.restore.toFixed(2)} s`,
      "",
    ],
    [`${mebibytes} MiB on a disk of 1 TiB`, `${large.add.toFixed(2)} s, ${large.restore.toFixed(2)} s`, ""],
    [
      "backup, restore: the large of the full",
      `${(large.add / small.add).toFixed(2)}, ${(large.restore / small.restore).toFixed(2)}`,
      "< 1.2",
    ],
  ];
}

function write(path: string, content: Buffer, every: number): void {
  const file = openSync(path, "w");
  const length = content.length / pieces;
  for (let piece = 0; piece < pieces; piece += 1) {
    writeSync(file, content, piece * length, length, piece * every);
  }
  closeSync(file);
}

function addAndRestore(folder: string, path: string): { add: number; restore: number } {
  const [vault, key, back] = [`${path}.vault`, join(folder, "key"), `${path}.back`];
  rmSync(key, { force: true });
  tool(["init", "--store", vault, "--key", key]);
  const add = tool(["add", "--store", vault, "--key", key, "--item", "a", "--disk", `os=${path}`]);
  const target = ["--point", "a/latest", "--disk", "os", "--to", back];
  const restore = tool(["restore", "--store", vault, "--key", key, ...target]);
  if (statSync(back).blocks > statSync(path).blocks + 2048) throw new Error("the restored disk has lost its holes");
  for (const made of [vault, back]) rmSync(made, { recursive: true });
  return { add, restore };
}

/** Wall seconds: the tool is a process of its own, as a user would start it. */
function tool(args: readonly string[]): number {
  const from = performance.now();
  execFileSync(join(root, "holdfast"), ["store", ...args], { stdio: ["ignore", "ignore", "inherit"] });
  return (performance.now() - from) / 1000;
}
