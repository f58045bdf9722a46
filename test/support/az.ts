// The real Azure CLI against a test's service, as a user would set it up: through az-env.

import { execFile } from "node:child_process";
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
  return async (...args) => {
    const { stdout } = await execute("az", [...args, "--output", "json"], {
      env: { ...process.env, ...environment },
      maxBuffer: 64 * 1024 * 1024,
    });
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
