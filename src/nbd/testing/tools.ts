// Real NBD servers and throw-away folders for the tests.

import { spawn, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../lib/time.ts";

export interface Scratch extends Disposable {
  path(name: string): string;
}

export function scratchFolder(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-nbd-"));
  return {
    path: (name) => join(folder, name),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface RunningServer extends AsyncDisposable {
  kill(): Promise<void>;
}

/** The socket's file is there a moment before anybody listens. */
export function isListening(socketPath: string): boolean {
  const accepts = "00010000";
  return readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .some((line) => line.endsWith(` ${socketPath}`) && line.split(/\s+/)[3] === accepts);
}

/** Starts a server program and waits for its socket. */
export async function startServer(
  program: string,
  args: readonly string[],
  socketPath: string,
): Promise<RunningServer> {
  const child = spawn(program, [...args], { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const exited = once(child, "exit");
  await waitFor(
    `${program} at ${socketPath}`,
    () => {
      if (child.exitCode !== null) throw new Error(`${program} ended: ${errors}`);
      return isListening(socketPath) ? true : undefined;
    },
    120_000,
    10,
  );
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await exited;
    rmSync(socketPath, { force: true });
  };
  return { kill, [Symbol.asyncDispose]: kill };
}

export function tool(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
