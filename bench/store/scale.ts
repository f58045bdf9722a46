// What size costs: an index of millions of blobs, a huge disk with little in it, hundreds of
// increments, and the metadata of a small change on a large disk. Prints a Markdown table.
//
//   node bench/store/scale.ts [--blobs 10000000] [--used 1024] [--increments 200] [--changed-disk 16] [--result FILE]

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { measureIndex } from "./scale/index-size.ts";
import { measureIncrements } from "./scale/increments.ts";
import { measureMetadata } from "./scale/metadata.ts";
import { measureSparse } from "./scale/sparse.ts";
import { toolEnvironment } from "./scale/tool-environment.ts";

// An allocator takes its settings when its process starts.
const asTheTool = { ...toolEnvironment(), ...process.env };
if (Object.keys(toolEnvironment()).some((name) => process.env[name] === undefined)) {
  const again = spawnSync(process.execPath, process.argv.slice(1), { stdio: "inherit", env: asTheTool });
  process.exit(again.status ?? 1);
}

const { values } = parseArgs({
  options: {
    blobs: { type: "string", default: "10000000" },
    used: { type: "string", default: "1024" },
    increments: { type: "string", default: "200" },
    "changed-disk": { type: "string", default: "16" },
    only: { type: "string", default: "index,metadata,increments,sparse" },
    work: { type: "string", default: tmpdir() },
    result: { type: "string" },
  },
});

const work = mkdtempSync(join(resolve(values.work), "holdfast-scale-"));
const parts: Readonly<Record<string, () => Promise<string[][]>>> = {
  index: () => measureIndex(Number(values.blobs)),
  metadata: () => measureMetadata(Number(values["changed-disk"])),
  increments: () => measureIncrements(join(work, "increments"), Number(values.used), Number(values.increments)),
  sparse: () => measureSparse(join(work, "sparse"), Number(values.used)),
};
try {
  const rows: string[][] = [];
  for (const name of values.only.split(",")) {
    const measure = parts[name];
    if (measure === undefined) throw new Error(`--only knows ${Object.keys(parts).join(", ")}, not ${name}`);
    rows.push(...(await measure()));
  }
  const text = [
    `Machine: ${availableParallelism()} cores of ${cpus()[0]?.model ?? "an unknown processor"}, Node ${process.version}.`,
    "",
    "| what | measured | goal |",
    "| --- | --- | --- |",
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
    "",
  ].join("\n");
  process.stdout.write(text);
  if (values.result !== undefined) writeFileSync(resolve(values.result), text);
} finally {
  rmSync(work, { recursive: true, force: true });
}
