// `./holdfast up --demo`: the story with a real guest, and with generated images where QEMU is missing.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { prepareHelper } from "../../src/backup/file-recovery/helper.ts";
import { holdfast, projectRoot } from "../support/service.ts";

interface Ready {
  readonly ready: boolean;
  readonly pid: number;
  readonly demo: { readonly ok: boolean; readonly steps: readonly { name: string; seconds: number; ok: boolean }[] };
}

async function demo(
  env: Record<string, string>,
  furnish: (data: string) => Promise<void> = async () => {},
): Promise<{ ready: Ready; lines: number; told: string; code: unknown }> {
  const data = mkdtempSync(join(tmpdir(), "holdfast-demo-"));
  await furnish(data);
  const child = spawn(holdfast, ["up", "--demo", "--json", "--data", data, "--listen", "127.0.0.1:0"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  try {
    let told = "";
    child.stderr.on("data", (chunk: Buffer) => (told += chunk.toString("utf8")));
    let lines = 0;
    let first = "";
    const reader = createInterface({ input: child.stdout });
    reader.on("line", (line) => {
      lines += 1;
      if (lines > 1) return;
      first = line;
      child.kill("SIGTERM");
    });
    const [code] = (await once(child, "close")) as [unknown];
    assert.notEqual(first, "", told);
    return { ready: JSON.parse(first) as Ready, lines, told, code };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** The packages of the machine, and file recovery's guest, are those of the other tests; the machine is built anew. */
async function fromCache(data: string): Promise<void> {
  const cache = join(projectRoot, ".cache");
  const packages = join(cache, "guests/debs");
  mkdirSync(packages, { recursive: true });
  mkdirSync(join(data, "demo/guest"), { recursive: true });
  symlinkSync(packages, join(data, "demo/guest/debs"));
  const image = dirname((await prepareHelper(join(cache, "helper"))).image.initrd);
  mkdirSync(join(data, "helper"));
  symlinkSync(image, join(data, "helper", basename(image)));
}

test("the demo boots a guest, backs it up twice, restores a file and a disk, and ends in order", async () => {
  const { ready, lines, told, code } = await demo({}, fromCache);
  const names = ["machine", "discover", "protect", "write", "firstBackup", "change", "secondBackup"];
  assert.deepEqual(
    ready.demo.steps.map(({ name, ok }) => [name, ok]),
    [...names, "restoreFile", "restoreDisk"].map((name) => [name, true]),
    told,
  );
  assert.equal(ready.demo.ok, true);
  assert.equal(lines, 1);
  assert.equal(code, 0);
});

test("without QEMU it tells the same story with generated images", async () => {
  // Every program of this machine but those that run or build machines.
  const programs = mkdtempSync(join(tmpdir(), "holdfast-programs-"));
  try {
    const hidden = /^(?:qemu-system|apt-)/;
    for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
      for (const name of list(folder)) {
        if (hidden.test(name)) continue;
        try {
          symlinkSync(join(folder, name), join(programs, name));
        } catch {
          // an earlier folder has it
        }
      }
    }
    const { ready, told } = await demo({ PATH: programs });
    assert.equal(ready.demo.ok, true, told);
    assert.ok(ready.demo.steps.some(({ name }) => name === "restoreDisk"));
    assert.match(told, /disk images are generated/);
  } finally {
    rmSync(programs, { recursive: true, force: true });
  }
});

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
