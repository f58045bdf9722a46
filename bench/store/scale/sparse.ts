// The same bytes on a disk that they fill and scattered over a sparse disk of a terabyte, backed up and
// restored by the offline tool, in turns. What others still have to write is written before each step: a
// machine's disk can vary by more than what is looked for here, so beside the wall time stands the processor's.

import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { diskBytes } from "./disk-bytes.ts";

const root = resolve(import.meta.dirname, "../../..");
const TiB = 2 ** 40;
const pieces = 64;
const rounds = 3;

interface Cost {
  readonly wall: number;
  /** Of the tool's process. */
  readonly processor: number;
}

interface Costs {
  readonly add: Cost;
  readonly restore: Cost;
}

export async function measureSparse(folder: string, mebibytes: number): Promise<string[][]> {
  mkdirSync(folder, { recursive: true });
  const content = diskBytes(mebibytes * 2 ** 20);
  const [plain, sparse] = [join(folder, "plain.raw"), join(folder, "sparse.raw")];
  write(plain, content, content.length / pieces);
  write(sparse, content, TiB / pieces);
  truncateSync(sparse, TiB);
  const costs = { plain: [] as Costs[], sparse: [] as Costs[] };
  for (let round = 0; round < rounds; round += 1) {
    costs.plain.push(addAndRestore(folder, plain));
    costs.sparse.push(addAndRestore(folder, sparse));
  }
  const [small, large] = [middleOf(costs.plain), middleOf(costs.sparse)];
  const row = (what: string, { add, restore }: Costs): string[] => [
    `${what}: backup; restore`,
    `${text(add)}; ${text(restore)}`,
    "",
  ];
  return [
    row(`${mebibytes} MiB on a full disk, median of ${rounds}`, small),
    row(`${mebibytes} MiB on a disk of 1 TiB`, large),
    [
      "the large of the full: backup; restore",
      `${ratio(large.add, small.add)}; ${ratio(large.restore, small.restore)}`,
      "< 1.2",
    ],
  ];
}

const text = ({ wall, processor }: Cost): string => `${wall.toFixed(2)} s (processor ${processor.toFixed(2)} s)`;
const ratio = (one: Cost, other: Cost): string =>
  `${(one.wall / other.wall).toFixed(2)} (processor ${(one.processor / other.processor).toFixed(2)})`;

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0;

function middleOf(costs: readonly Costs[]): Costs {
  const middle = (step: keyof Costs): Cost => ({
    wall: median(costs.map((each) => each[step].wall)),
    processor: median(costs.map((each) => each[step].processor)),
  });
  return { add: middle("add"), restore: middle("restore") };
}

function write(path: string, content: Buffer, every: number): void {
  const file = openSync(path, "w");
  const length = content.length / pieces;
  for (let piece = 0; piece < pieces; piece += 1) {
    writeSync(file, content, piece * length, length, piece * every);
  }
  closeSync(file);
}

function addAndRestore(folder: string, path: string): Costs {
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

/** The tool is a process of its own, as a user would start it. */
function tool(args: readonly string[]): Cost {
  execFileSync("sync");
  const command = `TIMEFORMAT='%R %U %S'; time "$@" >/dev/null`;
  const { stderr, status } = spawnSync("bash", ["-c", command, "bash", join(root, "holdfast"), "store", ...args], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  const [wall, user, system] = (stderr.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  if (status !== 0 || wall === undefined || user === undefined || system === undefined) throw new Error(stderr);
  return { wall, processor: user + system };
}
