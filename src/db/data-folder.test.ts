import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../lib/clock.ts";
import { isErrorCode } from "../lib/errors.ts";
import { holdDataFolder } from "./data-folder.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-hold-"));
});
after(() => rm(folder, { recursive: true, force: true }));

test("a folder that another process holds is refused with its number, and free at once when that is killed", async () => {
  const script = `
    const { holdDataFolder } = await import(${JSON.stringify(import.meta.resolve("./data-folder.ts"))});
    await holdDataFolder(${JSON.stringify(folder)}, { now: () => Date.parse("2026-01-02T03:04:05Z") });
    console.log("held");
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await assert.rejects(holdDataFolder(folder, systemClock), (error) => {
    assert.ok(isErrorCode(error, "DataFolderHeld"));
    const said = `held by process ${child.pid} on ${hostname()} since 2026-01-02T03:04:05.000Z`;
    assert.ok(String(error).includes(said), String(error));
    return true;
  });
  child.kill("SIGKILL");
  await once(child, "close");
  await using _hold = await holdDataFolder(folder, systemClock);
});

test("a folder is held once also within one process, and free after release", async () => {
  const first = await holdDataFolder(folder, systemClock);
  await assert.rejects(holdDataFolder(folder, systemClock), (error) => isErrorCode(error, "DataFolderHeld"));
  await first.release();
  await using _second = await holdDataFolder(folder, systemClock);
});
