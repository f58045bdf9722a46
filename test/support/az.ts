// The real Azure CLI against a test's service, as a user would set it up: through az-env.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { holdfast, type TestService } from "./service.ts";

const execute = promisify(execFile);

export interface Az {
  /** Runs az and returns its JSON output (undefined when it prints nothing). Throws with its error text. */
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely by tests
  (...args: string[]): Promise<any>;
}

export interface AzFailure {
  readonly exitCode: number;
  readonly text: string;
}

export async function azEnvironment(service: TestService): Promise<Record<string, string>> {
  const { stdout } = await execute(holdfast, ["az-env", "--data", service.data]);
  const lines = [...stdout.matchAll(/^export (\w+)='(.*)'$/gm)];
  return Object.fromEntries(lines.map(([, name = "", value = ""]) => [name, value.replaceAll(`'\\''`, "'")]));
}

export function azWith(environment: Record<string, string>): Az {
  let server: Promise<string> | undefined;
  return async (...args) => {
    const { exitCode, stdout, stderr } = await runAz(await (server ??= startAzServer(environment)), args);
    if (exitCode !== 0) throw Object.assign(new Error(`az ${args.join(" ")}: ${stderr}`), { code: exitCode, stderr });
    return stdout.trim() === "" ? undefined : JSON.parse(stdout);
  };
}

/** What az says when it fails; throws when it does not. */
export async function azFails(az: Az, ...args: string[]): Promise<AzFailure> {
  try {
    await az(...args);
  } catch (error) {
    const failure = error as { code?: number; stderr?: string };
    return { exitCode: failure.code ?? -1, text: failure.stderr ?? String(error) };
  }
  throw new Error(`az ${args.join(" ")} did not fail`);
}

/** The same for a shell: what `az` is there, with this added to its environment. */
export async function azOfShells(environment: Record<string, string>): Promise<Record<string, string>> {
  const programs = join(import.meta.dirname, "az-program");
  return {
    HOLDFAST_TEST_AZ: await startAzServer(environment),
    PATH: [programs, process.env["PATH"] ?? ""].join(delimiter),
  };
}

/** The path of its socket. It ends with this process. */
async function startAzServer(environment: Record<string, string>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-az-"));
  const child = spawn("/usr/bin/python3", [join(import.meta.dirname, "az-server.py"), folder], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  const [ready] = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  if (!Buffer.isBuffer(ready)) throw new Error(`az-server.py ended with ${ready}; is Debian's azure-cli installed?`);
  for (const handle of [child, child.stdin, child.stdout]) (handle as { unref?(): void }).unref?.();
  return join(folder, "az.sock");
}

async function runAz(
  socketPath: string,
  args: readonly string[],
): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
  const socket = connect(socketPath);
  socket.write(`${JSON.stringify({ args: [...args, "--output", "json"], cwd: process.cwd() })}\n`);
  return JSON.parse(await text(socket));
}
