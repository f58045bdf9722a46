// The verbs of the handler in the guest, and their answers.

import type { AgentChannel } from "../agent.ts";
import { agentErrors } from "../errors.ts";
import { runInGuest, type GuestProgramResult } from "../programs.ts";

export type FileLook =
  | { readonly state: "absent" | "link" | "special" | "loose" }
  | {
      readonly state: "file";
      readonly owner: number;
      readonly mode: number;
      readonly size: number;
      readonly content: string;
    };

export interface ScriptEnd {
  /** "timeout" when it was killed at its time-out. */
  readonly exit: number | "timeout";
  readonly seconds: number;
  readonly tries: number;
}

export interface ScriptResults {
  readonly pre: ScriptEnd | undefined;
  readonly post: ScriptEnd | undefined;
  /** The post-script ran before it was asked for: the snapshot took too long. */
  readonly isLate: boolean;
  /** The end of what the script in question printed. */
  readonly output: string;
}

/** Files that the handler reads out are cut at this size. */
export const largestFile = 65_536;
const verbMilliseconds = 30_000;
/** Starts a unit of systemd's, which a busy guest is slow at. */
const enableMilliseconds = 120_000;
/** Of `put`. */
const notWritable = 13;

export interface Handler {
  look(path: string, reads: boolean, signal?: AbortSignal): Promise<FileLook>;
  /** Returns the sequence number of the settings. */
  put(settings: string, plan: string, signal?: AbortSignal): Promise<number>;
  /** Exit code of `enable`. */
  enable(sequence: number, signal?: AbortSignal): Promise<number>;
  /** Undefined when the pre-script's end cannot be learnt. */
  waitForPre(task: string, seconds: number, signal?: AbortSignal): Promise<ScriptResults | undefined>;
  finish(task: string, seconds: number): Promise<ScriptResults | undefined>;
  report(sequence: number, status: string, signal?: AbortSignal): Promise<void>;
}

export function handlerOf(agent: AgentChannel, home: string): Handler {
  const call = (
    args: readonly string[],
    options: { input?: string; seconds?: number; signal?: AbortSignal } = {},
  ): Promise<GuestProgramResult> =>
    runInGuest(
      agent,
      {
        path: "/bin/sh",
        args: [`${home}/handler`, ...args],
        input: options.input ?? "",
        timeoutMilliseconds: (options.seconds ?? 0) * 1000 + verbMilliseconds,
      },
      options.signal,
    );
  const mustSucceed = async (pending: Promise<GuestProgramResult>, verb: string): Promise<GuestProgramResult> => {
    const result = await pending;
    if (result.exitCode === 0) return result;
    throw agentErrors.AgentCommandFailed(
      `The extension's handler failed ${verb} in the guest (exit code ${result.exitCode}): ${result.stderr.slice(-500).trim()}`,
    );
  };
  return {
    look: async (path, reads, signal) => {
      const args = reads ? ["look", path, "read"] : ["look", path];
      return parseLook((await mustSucceed(call(args, { signal }), "look")).stdout);
    },
    put: async (settings, plan, signal) => {
      const put = call(["put"], { input: `${settings}\n${plan}`, signal });
      const { exitCode, stderr } = await put;
      if (exitCode === notWritable) {
        throw agentErrors.ExtensionNotWritable(
          `The extension cannot write its settings below ${home} in the guest: ${stderr.slice(-500).trim()}`,
        );
      }
      const { stdout } = await mustSucceed(put, "put");
      if (/^\d{1,9}\n$/.test(stdout)) return Number(stdout);
      throw agentErrors.AgentMisbehaved("The extension's handler named no sequence number.");
    },
    enable: async (sequence, signal) => {
      const program = {
        path: "/bin/sh",
        args: ["-c", enableScript, home, String(sequence)],
        timeoutMilliseconds: enableMilliseconds,
      };
      return (await runInGuest(agent, program, signal)).exitCode;
    },
    waitForPre: async (task, seconds, signal) =>
      parseResults(await call(["wait", task, String(seconds)], { seconds, signal })),
    finish: async (task, seconds) => parseResults(await call(["finish", task, String(seconds)], { seconds })),
    report: async (sequence, status, signal) => {
      await mustSucceed(call(["report", String(sequence)], { input: status, signal }), "report");
    },
  };
}

const enableScript = `export ConfigSequenceNumber="$1"; exec "$0/handler" enable`;

function parseLook(text: string): FileLook {
  const end = text.indexOf("\n");
  const [state, owner, mode, size] = text.slice(0, end).split(" ");
  if (state === "absent" || state === "link" || state === "special" || state === "loose") return { state };
  if (state === "file" && /^\d+ [0-7]{1,5} \d+$/.test([owner, mode, size].join(" "))) {
    const content = text.slice(end + 1);
    return { state, owner: Number(owner), mode: parseInt(mode ?? "", 8), size: Number(size), content };
  }
  throw agentErrors.AgentMisbehaved("The extension's handler described a file in words of its own.");
}

function parseResults({ exitCode, stdout }: GuestProgramResult): ScriptResults | undefined {
  if (exitCode !== 0) return undefined;
  const [head = "", ...output] = stdout.split("\n\n");
  const endOf = (part: string): ScriptEnd | undefined => {
    const found = new RegExp(`^${part} (\\d{1,3}|timeout) (\\d{1,9}) (\\d{1,3})$`, "m").exec(head);
    if (found === null) return undefined;
    const [, exit, seconds, tries] = found;
    return { exit: exit === "timeout" ? "timeout" : Number(exit), seconds: Number(seconds), tries: Number(tries) };
  };
  return {
    pre: endOf("pre"),
    post: endOf("post"),
    isLate: /^late/m.test(head),
    output: output.join("\n\n").slice(-4096),
  };
}
