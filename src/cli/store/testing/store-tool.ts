// ./holdfast store as its users run it, with a folder of its own for keys, and a disk to store.

import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import assert from "node:assert/strict";
import { seededRandom } from "../../../lib/random.ts";
import { projectRoot } from "../../project.ts";

export const MiB = 1024 * 1024;
export const runFile = promisify(execFile);

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StoreTool {
  path(name: string): string;
  readonly environment: NodeJS.ProcessEnv;
  run(...args: readonly string[]): Promise<Outcome>;
  /** What it prints with --json; it has to succeed. */
  json<T>(...args: readonly string[]): Promise<T>;
}

export function storeToolIn(folder: string): StoreTool {
  const path = (name: string): string => join(folder, name);
  const environment = { ...process.env, XDG_CONFIG_HOME: path("config") };
  const run = async (...args: readonly string[]): Promise<Outcome> => {
    try {
      const { stdout, stderr } = await runFile(join(projectRoot, "holdfast"), ["store", ...args], { env: environment });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const failed = error as { code: number; stdout: string; stderr: string };
      return { code: failed.code, stdout: failed.stdout, stderr: failed.stderr };
    }
  };
  return {
    path,
    environment,
    run,
    json: async <T>(...args: readonly string[]): Promise<T> => {
      const { code, stdout, stderr } = await run(...args, "--json");
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as T;
    },
  };
}

/** A disk of 24 MiB and a sector, 4 MiB of it in use. */
export async function makeDisk(file: string): Promise<void> {
  const random = seededRandom(7);
  const noise = Buffer.from(Array.from({ length: MiB }, () => random() * 256));
  const handle = await open(file, "w");
  await handle.truncate(24 * MiB + 512);
  for (const at of [0, 5, 6, 17]) await handle.write(noise.fill(at, 0, 8), 0, MiB, at * MiB);
  await handle.close();
}
