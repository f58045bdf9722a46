// A service with a host of QEMU sockets, and how tests look at its machines.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { waitFor } from "../../src/lib/time.ts";
import { azEnvironment, azWith, type Az } from "../support/az.ts";
import { holdfast, startTestService, type Answer, type TestService } from "../support/service.ts";

const execute = promisify(execFile);

export interface Rack extends AsyncDisposable {
  readonly service: TestService;
  /** Of sockets. */
  readonly folder: string;
  readonly group: string;
  readonly az: Az;
  readonly environment: Record<string, string>;
  cli(...args: string[]): Promise<CliResult>;
  /** GET of a machine, or of what is below it. */
  machine(name: string, rest?: string): Promise<Answer>;
  untilSeen(name: string): Promise<void>;
  untilAgentReady(name: string): Promise<void>;
}

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function startRack(): Promise<Rack> {
  const service = await startTestService();
  const folder = mkdtempSync(join(tmpdir(), "holdfast-rack-"));
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/lab`;
  const environment = await azEnvironment(service);
  const machine = (name: string, rest = "?"): Promise<Answer> =>
    service.call(
      "GET",
      `${group}/providers/Microsoft.Compute/virtualMachines/${encodeURIComponent(name)}${rest}&api-version=2024-11-01`,
    );
  return {
    service,
    folder,
    group,
    environment,
    az: azWith(environment),
    machine,
    cli: async (...args) => {
      try {
        const { stdout, stderr } = await execute(holdfast, [...args, "--data", service.data]);
        return { exitCode: 0, stdout, stderr };
      } catch (error) {
        const failure = error as { code?: number; stdout?: string; stderr?: string };
        return { exitCode: failure.code ?? -1, stdout: failure.stdout ?? "", stderr: failure.stderr ?? "" };
      }
    },
    untilSeen: async (name) => {
      await waitFor(
        `the machine ${name}`,
        async () => ((await machine(name)).status === 200 ? true : undefined),
        120_000,
        100,
      );
    },
    untilAgentReady: async (name) => {
      await waitFor(
        `the agent of ${name}`,
        async () => {
          const { json } = await machine(name, "/instanceView?");
          return json.vmAgent.statuses[0].displayStatus === "Ready" ? true : undefined;
        },
        120_000,
        250,
      );
    },
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
