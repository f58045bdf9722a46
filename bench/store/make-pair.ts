// Makes the pair of disks that the comparison runs on: A, an ext4 file system with a system's files in
// it, and B, the same with scattered 4 KiB random writes. No root and no mount is needed.
//
//   node bench/store/make-pair.ts OUT [--size 4096] [--used 3400] [--writes 655] [--from /usr,/opt]

import { execFileSync } from "node:child_process";
import { copyFileSync, linkSync, lstatSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { closeSync, readlinkSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "../../src/lib/random.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: "string", default: "4096" },
    used: { type: "string", default: "3400" },
    writes: { type: "string", default: "655" },
    from: { type: "string", default: "/usr,/opt" },
  },
});
const out = positionals[0];
if (out === undefined) throw new Error("where to? node bench/store/make-pair.ts OUT");
const MiB = 1024 * 1024;
const size = Number(values.size) * MiB;

mkdirSync(out, { recursive: true });
const staging = join(out, "staging");
rmSync(staging, { recursive: true, force: true });
mkdirSync(staging);
const filled = stage(values.from.split(","), staging, Number(values.used) * MiB);
const [a, b] = [join(out, "A.raw"), join(out, "B.raw")];
rmSync(a, { force: true });
execFileSync("mkfs.ext4", ["-q", "-F", "-E", "root_owner=0:0", "-d", staging, a, `${size / 1024}k`]);
rmSync(staging, { recursive: true });
execFileSync("cp", ["--sparse=always", a, b]);
scatter(b, size, Number(values.writes));
process.stdout.write(`${a} and ${b}: ${filled} bytes of files on ${size} bytes\n`);

/** Files in the order of their names, until so many bytes are reached; nothing larger than a sixteenth. */
function stage(roots: readonly string[], target: string, wanted: number): number {
  let sum = 0;
  const visit = (path: string): void => {
    if (sum >= wanted) return;
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status === undefined) return;
    const place = join(target, relative("/", path));
    if (status.isDirectory()) {
      mkdirSync(place, { recursive: true });
      for (const name of readdirSync(path).sort()) visit(join(path, name));
    } else if (status.isSymbolicLink()) {
      symlinkSync(readlinkSync(path), place);
    } else if (status.isFile() && status.size <= wanted / 16) {
      mkdirSync(dirname(place), { recursive: true });
      try {
        linkSync(path, place);
      } catch {
        copyFileSync(path, place);
      }
      sum += status.blocks * 512;
    }
  };
  for (const root of roots) visit(root);
  return sum;
}

function scatter(path: string, size: number, count: number): void {
  const random = seededRandom(20261121);
  const file = openSync(path, "r+");
  const page = Buffer.alloc(4096);
  for (let index = 0; index < count; index += 1) {
    for (let at = 0; at < page.length; at += 4) page.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
    writeSync(file, page, 0, page.length, Math.floor((random() * size) / 4096) * 4096);
  }
  closeSync(file);
}
