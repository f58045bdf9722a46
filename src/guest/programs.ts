// Runs a program in the guest and waits for its end. The agent hands the exit status out once.

import { z } from "zod";
import { monotonicMilliseconds } from "../lib/clock.ts";
import { sleep } from "../lib/time.ts";
import type { AgentChannel } from "./agent.ts";
import { checked } from "./capabilities.ts";
import { agentErrors } from "./errors.ts";

export interface GuestProgram {
  readonly path: string;
  readonly args?: readonly string[];
  readonly input?: string;
  readonly timeoutMilliseconds?: number;
}

export interface GuestProgramResult {
  /** A death by signal N counts as 128 + N. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The agent keeps at most 16 MiB of each. */
  readonly isTruncated: boolean;
}

const startedSchema = z.object({ pid: z.number().int().nonnegative() });
const base64 = z.string().max(8 * 1024 * 1024);
const statusSchema = z.object({
  exited: z.boolean(),
  exitcode: z.number().int().optional(),
  signal: z.number().int().optional(),
  "out-data": base64.optional(),
  "err-data": base64.optional(),
  "out-truncated": z.boolean().optional(),
  "err-truncated": z.boolean().optional(),
});

const defaultTimeout = 30_000;
const slowestPoll = 250;
/** The exit status is handed out once: an answer that nobody waits for any more would lose it. */
const mostPatience = 60_000;
const leastPatience = 10_000;

export async function runInGuest(
  agent: AgentChannel,
  program: GuestProgram,
  signal?: AbortSignal,
): Promise<GuestProgramResult> {
  const pid = await startInGuest(agent, program, true, signal);
  const limit = program.timeoutMilliseconds ?? defaultTimeout;
  const end = monotonicMilliseconds() + limit;
  const options = { signal, timeoutMilliseconds: patienceFor(limit) };
  for (let pause = 10; ; pause = Math.min(pause * 1.5, slowestPoll)) {
    const answer = await agent.command("guest-exec-status", { pid }, options);
    const status = checked(statusSchema, answer, "guest-exec-status");
    if (status.exited) {
      return {
        exitCode: status.exitcode ?? 128 + (status.signal ?? 0),
        stdout: decode(status["out-data"]),
        stderr: decode(status["err-data"]),
        isTruncated: status["out-truncated"] === true || status["err-truncated"] === true,
      };
    }
    if (monotonicMilliseconds() > end) {
      throw agentErrors.GuestProgramTimedOut(
        `${program.path} (process ${pid} in the guest) did not end in ${limit} ms.`,
      );
    }
    await sleep(pause, signal);
  }
}

/** Who gives a program minutes does not give it up because a starved guest takes half a minute to say how it is. */
function patienceFor(limit: number): number {
  return Math.min(Math.max(limit, leastPatience), mostPatience);
}

/** Starts a program and returns its process id; nobody waits for it. */
export async function startInGuest(
  agent: AgentChannel,
  { path, args = [], input, timeoutMilliseconds = 0 }: GuestProgram,
  captureOutput: boolean,
  signal?: AbortSignal,
): Promise<number> {
  const answer = await agent.command(
    "guest-exec",
    {
      path,
      arg: args,
      "capture-output": captureOutput,
      ...(input === undefined ? {} : { "input-data": Buffer.from(input).toString("base64") }),
    },
    { signal, timeoutMilliseconds: patienceFor(timeoutMilliseconds) },
  );
  return checked(startedSchema, answer, "guest-exec").pid;
}

function decode(text: string | undefined): string {
  return Buffer.from(text ?? "", "base64").toString("utf8");
}
