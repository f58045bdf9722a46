// The comparison: Holdfast, borg, restic, qemu-img and casync on the same pair of disks in one run,
// and what the computing alone would take. Prints a Markdown table, and writes it where --result says.
//
//   node bench/store/compare.ts [--pair FOLDER] [--work FOLDER] [--rounds 1] [--result FILE] [--size 4096 --used 3400]

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { StoreBenchResult } from "../../src/cli/bench.ts";
import { measurePeers, type PeerResult } from "./peers.ts";

const { values } = parseArgs({
  options: {
    pair: { type: "string" },
    work: { type: "string", default: "bench/work" },
    rounds: { type: "string", default: "1" },
    result: { type: "string" },
    size: { type: "string", default: "4096" },
    used: { type: "string", default: "3400" },
  },
});

const root = resolve(import.meta.dirname, "../..");
const workParent = resolve(root, values.work);
mkdirSync(workParent, { recursive: true });
const work = mkdtempSync(join(workParent, "compare-"));
const pair = values.pair === undefined ? join(work, "pair") : resolve(values.pair);
const [a, b] = [join(pair, "A.raw"), join(pair, "B.raw")];
try {
  if (!existsSync(a) || !existsSync(b)) {
    const args = [join(import.meta.dirname, "make-pair.ts"), pair, "--size", values.size, "--used", values.used];
    execFileSync(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  }
  const rounds = Array.from({ length: Number(values.rounds) }, () => runOnce());
  const text = rounds.map(report).join("\n");
  process.stdout.write(text);
  if (values.result !== undefined) writeFileSync(resolve(values.result), text);
} finally {
  rmSync(work, { recursive: true, force: true });
}

interface Round {
  readonly ours: StoreBenchResult;
  readonly limit: { readonly seconds: number; readonly bytesOut: number; readonly hash: string };
  readonly peers: readonly PeerResult[];
}

function runOnce(): Round {
  // Both disks are in memory for everybody.
  for (const path of [a, b]) execFileSync("sh", ["-c", 'exec cat "$1" >/dev/null', "sh", path]);
  execFileSync("sync");
  const ours = JSON.parse(
    execFileSync(join(root, "holdfast"), ["bench", "store", "--full", a, "--then", b, "--work", work, "--json"], {
      encoding: "utf8",
    }),
  ) as StoreBenchResult;
  const limit = JSON.parse(
    execFileSync(process.execPath, [join(import.meta.dirname, "limit.ts"), a], { encoding: "utf8" }),
  ) as Round["limit"];
  return { ours, limit, peers: measurePeers(a, b, work) };
}

function report({ ours, limit, peers }: Round): string {
  const borg = peers.find(({ version }) => version.startsWith("borg"));
  const bestRestore = Math.min(...peers.flatMap(({ restoreSeconds }) => restoreSeconds ?? []));
  const rows = [
    [
      "**Holdfast**",
      seconds(ours.full.seconds),
      mega(ours.full.bytesStored),
      seconds(ours.increment.seconds),
      mega(ours.increment.bytesStored),
      seconds(ours.restore.seconds),
    ],
    [
      "**Holdfast**, with a bitmap",
      "",
      "",
      seconds(ours.incrementWithBitmap.seconds),
      mega(ours.incrementWithBitmap.bytesStored),
      "",
    ],
    ...peers.map(({ name, version, full, increment, restoreSeconds }) => [
      `${version}${name.includes(",") || name.includes("(") ? ` ${name.replace(/^\S+\s*/, "")}` : ""}`,
      seconds(full?.seconds),
      mega(full?.bytes),
      seconds(increment?.seconds),
      mega(increment?.bytes),
      seconds(restoreSeconds),
    ]),
    [`computing alone (${limit.hash}, zstd 1, AES-256-GCM)`, seconds(limit.seconds), mega(limit.bytesOut), "", "", ""],
  ];
  const ratios = [
    ["full, time, of borg's", ours.full.seconds, borg?.full?.seconds, "< 0.50"],
    ["full, bytes, of borg's", ours.full.bytesStored, borg?.full?.bytes, "< 1.05"],
    ["full, time, of computing alone", ours.full.seconds, limit.seconds, "< 1.20"],
    ["increment, time, of borg's", ours.increment.seconds, borg?.increment?.seconds, "< 0.50"],
    ["increment, bytes, of borg's", ours.increment.bytesStored, borg?.increment?.bytes, "< 0.05"],
    ["restore, time, of the best peer's", ours.restore.seconds, bestRestore, "< 0.50"],
  ] as const;
  return [
    `Machine: ${availableParallelism()} cores of ${cpus()[0]?.model ?? "an unknown processor"}${flags()}, ${Math.round(totalmem() / 2 ** 30)} GiB memory, Linux ${release()}, Node ${ours.node}.`,
    `Disks: ${mega(statSync(a).size)}, ${mega(statSync(a).blocks * 512)} of it in use; B differs from A in scattered pages of 4 KiB (655, unless the pair was made otherwise). Both are in the page cache. Every step is a process of its own, its start included; every restore was compared with the disk.`,
    "",
    markdown(["", "full", "stored", "increment", "added", "restore"], rows),
    "",
    `Increment with a bitmap: ${ours.incrementWithBitmap.seconds} s (goal < 1 s). Verify (every blob opened): ${ours.verify.seconds} s. Memory at most ${Math.max(ours.full.rssMiB, ours.increment.rssMiB, ours.incrementWithBitmap.rssMiB, ours.restore.rssMiB)} MiB (goal < 300).`,
    "",
    markdown(
      ["ratio", "measured", "goal"],
      ratios.map(([name, one, other, goal]) => [name, other === undefined ? "" : (one / other).toFixed(3), goal]),
    ),
    "",
  ].join("\n");
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function seconds(value: number | undefined): string {
  return value === undefined ? "" : `${value.toFixed(2)} s`;
}

function mega(bytes: number | undefined): string {
  if (bytes === undefined) return "";
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

/** What makes hashing and encrypting quick or slow. */
function flags(): string {
  const known = readFileSync("/proc/cpuinfo", "latin1");
  const has = (flag: string): boolean => new RegExp(`^flags.*\\b${flag}\\b`, "m").test(known);
  return ` (${has("sha_ni") ? "with" : "without"} SHA instructions, ${has("aes") ? "with" : "without"} AES instructions)`;
}
