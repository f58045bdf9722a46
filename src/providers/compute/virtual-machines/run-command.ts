// `az vm run-command invoke`: a script in the guest, through its agent. What it prints comes back as
// it is; the guest is its owner's, and its output is shown to whoever ran the command.

import { z } from "zod";
import type { OperationHandler } from "../../../arm/operations/runner.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import type { Route } from "../../../arm/routes.ts";
import { readCapabilities } from "../../../guest/capabilities.ts";
import { runInGuest, type GuestProgramResult } from "../../../guest/programs.ts";
import { beginOperation } from "../begin-operation.ts";
import { computeErrors } from "../errors.ts";
import type { ComputeServices } from "../services.ts";
import { findMachine, machinePath } from "./find-machine.ts";

const kind = "virtualMachine.runCommand";
const limitMilliseconds = 90 * 60_000;
/** Azure shows the last 4 KiB of each. */
const shownCharacters = 4096;

const inputSchema = z.object({
  commandId: z.string(),
  script: z.array(z.string()).max(10_000).nullish(),
  parameters: z
    .array(z.object({ name: z.string().max(256).nullish(), value: z.string().max(32_768).nullish() }))
    .max(100)
    .nullish(),
});
type CommandInput = z.output<typeof inputSchema>;

const commands: Readonly<Record<string, { readonly osType: "Linux" | "Windows"; readonly about: string }>> = {
  RunShellScript: { osType: "Linux", about: "Executes a Linux shell script" },
  RunPowerShellScript: { osType: "Windows", about: "Executes a PowerShell script" },
};

export function runCommandRoutes(services: ComputeServices): Route[] {
  const { inventory, operations } = services;
  const carryOut: OperationHandler = async ({ operation, signal }) => {
    const { host, machineId, machine } = await inventory.open(operation.resourceId, signal);
    const input = operation.input as CommandInput;
    const { powerState } = await host.findMachine(machineId, signal);
    if (powerState !== "running") {
      throw computeErrors.OperationNotAllowed(
        `Cannot run a command in ${machine.name}: the machine is ${powerState}. Start it with az vm start.`,
      );
    }
    const result = await host.withAgent(
      machineId,
      async (agent) => {
        const { commands: able } = await readCapabilities(agent, signal);
        if (!able.has("guest-exec")) {
          throw computeErrors.GuestAgentUnavailable(
            `The agent of ${machine.name} may not run programs (guest-exec is blocked). Allow it in the guest's qemu-ga configuration.`,
          );
        }
        return runInGuest(agent, { ...programOf(input), timeoutMilliseconds: limitMilliseconds }, signal);
      },
      signal,
    );
    return { value: [renderResult(input.commandId, result)] };
  };
  // Waiting for a script takes no place from those who work.
  operations.register(kind, carryOut, { waitsForOthers: true });

  const invoke = async (request: ArmRequest): Promise<ArmReply> => {
    const input = parseBody(request, inputSchema);
    const { machine } = await findMachine(services, request.resourceId);
    const command = Object.entries(commands).find(([name]) => name.toLowerCase() === input.commandId.toLowerCase());
    if (command === undefined || command[1].osType !== machine.osType) {
      throw computeErrors.CommandNotSupported(
        `The command '${input.commandId}' is not there for the ${machine.osType} machine ${machine.name}. Use ${machine.osType === "Linux" ? "RunShellScript" : "RunPowerShellScript"}.`,
        { target: "commandId" },
      );
    }
    if ((input.script ?? []).join("").trim() === "")
      throw computeErrors.CommandNotSupported("'script' is empty. Give the lines to run with --scripts.", {
        target: "script",
      });
    if (machine.osType === "Windows" && (input.parameters ?? []).length > 0) {
      throw computeErrors.CommandNotSupported(
        "Parameters of PowerShell scripts are not passed on yet. Write their values into the script.",
        { target: "parameters" },
      );
    }
    return beginOperation(services, request, machine, kind, { ...input, commandId: command[0] });
  };

  const documents = `/subscriptions/{subscriptionId}/providers/Microsoft.Compute/locations/{location}/runCommands`;
  return [
    { method: "POST", path: `${machinePath}/runCommand`, handle: invoke },
    { method: "GET", path: documents, handle: async () => ok({ value: Object.keys(commands).map(document) }) },
    {
      method: "GET",
      path: `${documents}/{commandId}`,
      handle: async (request) => {
        const wanted = param(request, "commandId").toLowerCase();
        const name = Object.keys(commands).find((known) => known.toLowerCase() === wanted);
        if (name === undefined)
          throw computeErrors.CommandNotSupported(
            `There is no command '${param(request, "commandId")}'. Known: ${Object.keys(commands).join(", ")}.`,
          );
        return ok(document(name));
      },
    },
  ];
}

/** No file is written into the guest: the shell reads the script from its input. */
function programOf({ commandId, script, parameters }: CommandInput): { path: string; args: string[]; input: string } {
  const text = `${(script ?? []).join("\n")}\n`;
  const values = (parameters ?? []).map(({ value }) => value ?? "");
  if (commandId === "RunPowerShellScript") {
    return { path: "powershell.exe", args: ["-NoProfile", "-NonInteractive", "-Command", "-"], input: text };
  }
  // As Azure does: parameters are arguments, and those with a name are variables too.
  const named = (parameters ?? []).flatMap(({ name, value }) =>
    name !== null && name !== undefined && /^[A-Za-z_]\w*$/.test(name) ? [`${name}=${value ?? ""}`] : [],
  );
  return { path: "/usr/bin/env", args: [...named, "/bin/sh", "-s", "--", ...values], input: text };
}

function renderResult(commandId: string, { exitCode, stdout, stderr }: GuestProgramResult): Record<string, unknown> {
  const failed = exitCode !== 0;
  if (commandId === "RunPowerShellScript") {
    return {
      code: `ComponentStatus/StdOut/${failed ? "failed" : "succeeded"}`,
      level: "Info",
      displayStatus: "Provisioning succeeded",
      message: tail(stdout),
    };
  }
  const outcome = failed ? `Enable failed: the script ended with exit code ${exitCode}` : "Enable succeeded";
  return {
    code: `ProvisioningState/${failed ? "failed" : "succeeded"}`,
    level: failed ? "Error" : "Info",
    displayStatus: `Provisioning ${failed ? "failed" : "succeeded"}`,
    message: `${outcome}: \n[stdout]\n${tail(stdout)}\n[stderr]\n${tail(stderr)}`,
  };
}

function tail(text: string): string {
  return text.slice(-shownCharacters);
}

function document(id: string): Record<string, unknown> {
  const { osType = "Linux", about = "" } = commands[id] ?? {};
  return {
    $schema: "http://schema.management.azure.com/schemas/2016-11-17/runcommands.json",
    id,
    osType,
    label: about,
    description: about,
    script: [],
    parameters: [],
  };
}
