// The only place that starts processes: never a shell, arguments always as an array, every child
// owned by somebody who waits for it or ends it.

import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { constants, accessSync } from "node:fs";
import { delimiter, join } from "node:path";
import { defineErrors } from "./errors.ts";

export type { ChildProcess };

export const processErrors = defineErrors({
  ProgramMissing: { status: 500, remedy: "Install it; ./holdfast doctor says which package brings it." },
  ProgramFailed: { status: 500 },
  ProgramTimedOut: { status: 500 },
});

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly timeoutMilliseconds?: number;
  /** Output beyond this is a failure: nothing that we run may flood us. */
  readonly maxOutputBytes?: number;
  /** Exit codes that are no failure; 0 if absent. */
  readonly acceptedExitCodes?: readonly number[];
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end and returns what it printed. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const limit = options.maxOutputBytes ?? 64 * 1024 * 1024;
  const child = start(program, args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
  const collected = { stdout: [] as Buffer[], stderr: [] as Buffer[], bytes: 0, flooded: false, late: false };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.on("data", (chunk: Buffer) => {
      collected.bytes += chunk.length;
      if (collected.bytes > limit) {
        collected.flooded = true;
        child.kill("SIGKILL");
      } else collected[name].push(chunk);
    });
  }
  child.stdin?.on("error", () => {}); // a program may end without reading its input
  child.stdin?.end(options.input ?? "");
  const timer =
    options.timeoutMilliseconds === undefined
      ? undefined
      : setTimeout(() => {
          collected.late = true;
          child.kill("SIGKILL");
        }, options.timeoutMilliseconds);
  try {
    const exitCode = await ended(child, program);
    const stdout = Buffer.concat(collected.stdout).toString("utf8");
    const stderr = Buffer.concat(collected.stderr).toString("utf8");
    const called = [program, ...args].join(" ").slice(0, 300);
    if (collected.late)
      throw processErrors.ProgramTimedOut(`${called} did not end in ${options.timeoutMilliseconds} ms.`);
    if (collected.flooded) throw processErrors.ProgramFailed(`${called} printed more than ${limit} bytes.`);
    if (!(options.acceptedExitCodes ?? [0]).includes(exitCode)) {
      throw processErrors.ProgramFailed(`${called} ended with ${exitCode}: ${stderr.trim().slice(-2000)}`, {
        facts: { exitCode },
      });
    }
    return { exitCode, stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdio?: StdioOptions;
  readonly detached?: boolean;
  readonly signal?: AbortSignal;
}

/** Starts a program that goes on by itself; the caller owns the child. */
export function start(program: string, args: readonly string[], options: StartOptions = {}): ChildProcess {
  return spawn(program, [...args], {
    cwd: options.cwd,
    env: options.env === undefined ? process.env : { ...process.env, ...options.env },
    stdio: options.stdio ?? "pipe",
    detached: options.detached ?? false,
    signal: options.signal,
    shell: false,
  });
}

/** Resolves with the exit code; a death by signal counts as 128 + 9. */
export function ended(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => {
      const missing = "code" in cause && cause.code === "ENOENT";
      reject(
        missing
          ? processErrors.ProgramMissing(`The program ${program} is not installed.`, { cause })
          : processErrors.ProgramFailed(`${program} could not be started: ${cause.message}`, { cause }),
      );
    });
    child.once("close", (code) => resolve(code ?? 137));
  });
}

/** Where a program stands on PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
