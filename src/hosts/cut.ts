// The moment of a snapshot: with the guest's file systems still where that is wanted and can be, and
// with the truth about whether they were.

import type { AgentChannel } from "../guest/agent.ts";
import {
  defaultFreezeLimits,
  thawIfFrozen,
  whileFrozen,
  type FreezeLimits,
  type FreezeOutcome,
} from "../guest/freeze.ts";
import { monotonicMilliseconds } from "../lib/clock.ts";
import { HoldfastError } from "../lib/errors.ts";
import { faultPoint } from "../lib/faults.ts";
import type { ReachedConsistency, WantedConsistency } from "./host.ts";

export interface CutPlace {
  /** Opened only when the guest's file systems are wanted still. */
  readonly withAgent: (<T>(use: (agent: AgentChannel) => Promise<T>) => Promise<T>) | undefined;
  readonly isRunning: boolean;
  readonly freezeLimits?: FreezeLimits;
}

export interface Cut {
  readonly consistency: ReachedConsistency;
  /** That `act` took. */
  readonly milliseconds: number;
}

/** Does `act` once: it brings all disks to one instant. */
export async function cut(
  { withAgent, isRunning, freezeLimits = defaultFreezeLimits }: CutPlace,
  wanted: WantedConsistency,
  act: () => Promise<void>,
  signal?: AbortSignal,
): Promise<Cut> {
  let milliseconds: number | undefined;
  const timed = async (): Promise<void> => {
    const start = monotonicMilliseconds();
    await act();
    milliseconds = monotonicMilliseconds() - start;
    faultPoint("snapshot.frozen");
  };
  const done = (consistency: ReachedConsistency): Cut => ({ consistency, milliseconds: milliseconds ?? 0 });
  const without = async (reason: string, explanation: string): Promise<Cut> => {
    await timed();
    return done({ level: "crash", reason, explanation });
  };
  if (wanted === "crash") return without("CrashConsistencyWanted", "crash consistency was asked for");
  if (!isRunning) return without("MachineNotRunning", "the machine is paused or stopped, so its agent cannot answer");
  if (withAgent === undefined) return without("AgentAbsent", "the machine has no guest agent socket");
  let outcome: FreezeOutcome | undefined;
  try {
    outcome = await withAgent(async (agent) => (await whileFrozen(agent, freezeLimits, timed, signal)).outcome);
  } catch (error) {
    const isAgents = error instanceof HoldfastError && error.code.startsWith("Agent");
    if (error instanceof HoldfastError) await thawAnew(withAgent);
    if (milliseconds !== undefined || !isAgents) throw error;
    return without(error.code, error.sentence);
  }
  if (!outcome.held && unanswered.has(outcome.reason)) await thawAnew(withAgent);
  return outcome.held
    ? done({
        level: "fileSystem",
        frozenMilliseconds: outcome.milliseconds,
        fileSystems: outcome.fileSystems,
        hasWatchdog: outcome.hasWatchdog,
      })
    : done({ level: "crash", reason: outcome.reason, explanation: outcome.explanation });
}

const unanswered: ReadonlySet<string> = new Set(["FreezeUnanswered", "ThawFailed"]);

/**
 * By another connection, for the one before may be what failed: a guest whose channel breaks after the
 * freeze was asked for must not wait for the watchdog, which it may not have. What fails here is tried
 * again by the next clean-up.
 */
async function thawAnew(withAgent: NonNullable<CutPlace["withAgent"]>): Promise<void> {
  try {
    await withAgent((agent) => thawIfFrozen(agent));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
  }
}
