// Brings a guest's applications to rest around a snapshot, by the scripts that the guest names.
//
// Always true: once `prepareApplications` has started a pre-script, its post-script runs: when
// `finishApplications` asks for it, and when nobody does, by the supervisor in the guest.

import { monotonicMilliseconds } from "../../lib/clock.ts";
import type { AgentChannel } from "../agent.ts";
import { agentErrors } from "../errors.ts";
import { extensionErrors, type ScriptFailure } from "./codes.ts";
import { handlerOf, type ScriptEnd } from "./handler.ts";
import { ensureExtension, type InstalledExtension } from "./install.ts";
import { readScripts } from "./read-scripts.ts";
import type { ScriptConfig } from "./script-config.ts";

export interface SnapshotTask {
  /** Letters, digits, `-` and `_`. */
  readonly taskId: string;
  /** 100 ns since the year 1. */
  readonly startTicks: bigint;
}

export interface PreparedApplications {
  readonly extension: InstalledExtension;
  readonly sequence: number;
  readonly task: SnapshotTask;
  /** Absent: the guest names no scripts, or they were left out. */
  readonly scripts: ScriptConfig | undefined;
  /** The pre-script was begun, so the post-script must run. */
  readonly hasBegun: boolean;
  /** Applications wait at rest. */
  readonly isAtRest: boolean;
  /** Whether file systems are to be frozen as well. */
  readonly freezes: boolean;
  readonly preScript: ScriptEnd | undefined;
  readonly failure: ScriptFailure | undefined;
}

export interface FinishedApplications {
  /** They waited until the snapshot was over. */
  readonly stayedAtRest: boolean;
  readonly postScript: ScriptEnd | undefined;
  readonly failure: ScriptFailure | undefined;
}

/** How long applications wait for the snapshot before they are let go without it. */
export const longestHoldSeconds = 120;
const latestStartMilliseconds = 140 * 60_000;
const alreadyProcessed = 3;

/** Throws an error of Azure's code when there must be no snapshot without the scripts. */
export async function prepareApplications(
  agent: AgentChannel,
  task: SnapshotTask,
  signal?: AbortSignal,
): Promise<PreparedApplications> {
  const begunAt = monotonicMilliseconds();
  const extension = await ensureExtension(agent, signal);
  const handler = handlerOf(agent, extension.home);
  const wanted = await readScripts(handler, signal);
  const scripts = wanted.kind === "scripts" ? wanted.config : undefined;
  const sequence = await handler.put(settingsOf(task), scripts === undefined ? "" : planOf(scripts), signal);
  const exitCode = await handler.enable(sequence, signal);
  const base = { extension, sequence, task, scripts, preScript: undefined, freezes: true };
  if (exitCode !== 0) {
    throw agentErrors.AgentCommandFailed(
      exitCode === alreadyProcessed
        ? `The guest has seen the task ${task.taskId} before.`
        : `The extension in the guest refused the task ${task.taskId} (exit code ${exitCode}).`,
    );
  }
  if (wanted.kind === "none") return { ...base, hasBegun: false, isAtRest: false, failure: undefined };
  if (wanted.kind === "failure") {
    return goOnWithout(wanted.config, wanted.failure, { ...base, hasBegun: false });
  }
  const { config } = wanted;
  const begun = { ...base, hasBegun: true, freezes: config.freezes };
  try {
    const results = await handler.waitForPre(task.taskId, wholeSeconds(config, "pre"), signal);
    const pre = results?.pre;
    const failure =
      preFailure(config, pre, results?.output ?? "") ??
      (monotonicMilliseconds() - begunAt > latestStartMilliseconds
        ? ({
            code: "FailedGuestAgentInvokedCommandTooLate",
            message: "The pre-script took so long that the snapshot would be later than 140 minutes.",
          } as const)
        : undefined);
    if (failure === undefined) return { ...begun, isAtRest: true, preScript: pre, failure };
    return goOnWithout(config, failure, { ...begun, preScript: pre });
  } catch (error) {
    // Whoever gives up here lets the applications go; where that fails too, their supervisor does it.
    const seconds = signal?.aborted === true ? 0 : wholeSeconds(config, "post");
    await handler.finish(task.taskId, seconds).catch(() => {});
    throw error;
  }
}

export async function finishApplications(
  agent: AgentChannel,
  prepared: PreparedApplications,
): Promise<FinishedApplications> {
  const { extension, task, scripts, hasBegun, isAtRest } = prepared;
  if (!hasBegun || scripts === undefined) return { stayedAtRest: false, postScript: undefined, failure: undefined };
  const handler = handlerOf(agent, extension.home);
  const results = await handler.finish(task.taskId, wholeSeconds(scripts, "post"));
  const post = results?.post;
  const failure =
    results?.isLate === true
      ? ({
          code: "FailedPrepostPluginhostPostTimeout",
          message: `The snapshot took longer than the ${longestHoldSeconds} s that applications wait for it.`,
        } as const)
      : postFailure(scripts, post, results?.output ?? "");
  return { stayedAtRest: isAtRest && failure === undefined, postScript: post, failure };
}

/** Keeps what came of a task where the guest's administrators look for it. */
export function reportToGuest(
  agent: AgentChannel,
  { extension, sequence }: PreparedApplications,
  status: string,
  signal?: AbortSignal,
): Promise<void> {
  return handlerOf(agent, extension.home).report(sequence, status, signal);
}

/** Without a freeze only the scripts would have given consistency: then their failure is the backup's. */
function goOnWithout(
  config: ScriptConfig | undefined,
  failure: ScriptFailure,
  prepared: Omit<PreparedApplications, "isAtRest" | "failure">,
): PreparedApplications {
  if (config !== undefined && (!config.continueBackupOnFailure || !config.freezes)) {
    throw extensionErrors[failure.code](failure.message);
  }
  return { ...prepared, isAtRest: false, freezes: true, failure };
}

function preFailure(config: ScriptConfig, end: ScriptEnd | undefined, output: string): ScriptFailure | undefined {
  if (end === undefined)
    return { code: "FailedPrepostPluginhostPreTimeout", message: "The pre-script's end could not be learnt." };
  if (end.exit === 0) return undefined;
  if (end.exit === "timeout") return { code: "FailedPrepostPreScriptTimeout", message: late(config.pre.path, config) };
  return { code: "FailedPrepostPreScriptFailed", message: failed(config.pre.path, end, output) };
}

function postFailure(config: ScriptConfig, end: ScriptEnd | undefined, output: string): ScriptFailure | undefined {
  if (end === undefined)
    return { code: "FailedPrepostPluginhostPostTimeout", message: "The post-script's end could not be learnt." };
  if (end.exit === 0) return undefined;
  if (end.exit === "timeout")
    return { code: "FailedPrepostPostScriptTimeout", message: late(config.post.path, config) };
  return { code: "FailedPrepostPostScriptFailed", message: failed(config.post.path, end, output) };
}

function late(path: string, { timeoutSeconds }: ScriptConfig): string {
  return `The script ${path} did not end in ${timeoutSeconds} s and was killed.`;
}

function failed(path: string, { exit, tries }: ScriptEnd, output: string): string {
  const said = printable(output);
  return `The script ${path} ended with ${exit}${tries > 1 ? ` in ${tries} tries` : ""}${said === "" ? "" : `: ${said}`}.`;
}

/** The last that a script said, fit for a message. */
function printable(output: string): string {
  return output
    .trim()
    .slice(-300)
    .replace(/\p{Cc}+/gu, " ")
    .replace(/\.$/, "");
}

function wholeSeconds(config: ScriptConfig, part: "pre" | "post"): number {
  // A script that does not heed its end is given a second to die; a busy guest takes its time to start anything.
  return (config.timeoutSeconds + 2) * (config[part].retries + 1) + 30;
}

function settingsOf({ taskId, startTicks }: SnapshotTask): string {
  return JSON.stringify({
    runtimeSettings: [
      {
        handlerSettings: {
          publicSettings: {
            commandToExecute: "snapshot",
            taskId,
            locale: "en-us",
            commandStartTimeUTCTicks: String(startTicks),
            vmType: "microsoft.compute/virtualmachines",
          },
        },
      },
    ],
  });
}

function planOf({ pre, post, timeoutSeconds }: ScriptConfig): string {
  const lines = [`hold ${longestHoldSeconds}`];
  for (const [part, script] of Object.entries({ pre, post })) {
    lines.push(
      `${part} ${script.path}`,
      `${part}-timeout ${timeoutSeconds}`,
      `${part}-tries ${script.retries + 1}`,
      ...script.args.map((arg) => `${part}-arg ${arg}`),
    );
  }
  return `${lines.join("\n")}\n`;
}

/** Ticks of .NET. */
export function ticksOf(milliseconds: number): bigint {
  return BigInt(Math.trunc(milliseconds)) * 10_000n + 621_355_968_000_000_000n;
}
