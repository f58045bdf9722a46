// The timer inside the guest that thaws it even if the host, the service and the agent die.

import { disk } from "../lib/files.ts";
import { newGuid } from "../lib/random.ts";
import type { AgentChannel } from "./agent.ts";
import { agentErrors } from "./errors.ts";
import { runInGuest } from "./programs.ts";

export interface FreezeWatchdog {
  /** Tells it that the guest is thawed; true when it had fired before that. */
  dismiss(signal?: AbortSignal): Promise<boolean>;
}

/** A busy guest takes its time to start a unit of systemd's. It is not frozen yet, or not any more. */
const programMilliseconds = 20_000;
const scriptUrl = new URL("../../guest-files/freeze-watchdog.sh", import.meta.url);

export async function startFreezeWatchdog(
  agent: AgentChannel,
  milliseconds: number,
  signal?: AbortSignal,
): Promise<FreezeWatchdog> {
  const script = (await disk.read(scriptUrl.pathname)).toString("utf8");
  const mark = `freeze-${newGuid()}`;
  const seconds = String(Math.max(1, Math.ceil(milliseconds / 1000)));
  const shell = { path: "/bin/sh", timeoutMilliseconds: programMilliseconds };
  const started = await runInGuest(agent, { ...shell, args: ["-c", script, "holdfast", mark, seconds] }, signal);
  if (started.exitCode !== 0) {
    throw agentErrors.AgentCommandFailed(
      `The freeze watchdog did not start in the guest: ${started.stderr.slice(0, 500)}.`,
    );
  }
  const check = `rm -f "/run/holdfast/$1"; [ -e "/run/holdfast/$1.fired" ] && rm -f "/run/holdfast/$1.fired"`;
  return {
    dismiss: async (signal) => {
      const { exitCode } = await runInGuest(agent, { ...shell, args: ["-c", check, "holdfast", mark] }, signal);
      return exitCode === 0;
    },
  };
}
