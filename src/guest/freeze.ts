// Runs something while the guest's file systems stand still, and says truthfully whether they did.
//
// Always true when `whileFrozen` returns or throws: a thaw was asked for after the last freeze and
// repeated until the agent answered it or the in-guest watchdog's time was over. "Frozen" is claimed
// only when the thaw released as many file systems as the freeze had stopped, in time.

import { z } from "zod";
import { monotonicMilliseconds } from "../lib/clock.ts";
import { HoldfastError } from "../lib/errors.ts";
import { sleep } from "../lib/time.ts";
import type { AgentChannel } from "./agent.ts";
import { checked, readCapabilities } from "./capabilities.ts";
import { startFreezeWatchdog, type FreezeWatchdog } from "./freeze-watchdog.ts";

export interface FreezeLimits {
  /** Longest freeze that we allow ourselves; then the guest is thawed, whatever runs. */
  readonly budgetMilliseconds: number;
  /** When the watchdog in the guest thaws by itself. */
  readonly hardLimitMilliseconds: number;
}

export const defaultFreezeLimits: FreezeLimits = { budgetMilliseconds: 2_000, hardLimitMilliseconds: 10_000 };

export type FreezeOutcome =
  | { readonly held: true; readonly fileSystems: number; readonly milliseconds: number; readonly hasWatchdog: boolean }
  | { readonly held: false; readonly reason: FreezeFailure; readonly explanation: string };

export type FreezeFailure =
  | "FreezeUnavailable"
  | "FreezeFailed"
  | "FreezeUnanswered"
  | "FreezeTooSlow"
  | "NothingToFreeze"
  | "ThawFailed"
  | "ThawIncomplete";

const countSchema = z.number().int().nonnegative();
const statusSchema = z.enum(["thawed", "frozen"]);
/** Freezing flushes everything that the guest holds back, which takes its time. */
const freezeCallMilliseconds = 10_000;

export async function whileFrozen<T>(
  agent: AgentChannel,
  limits: FreezeLimits,
  act: () => Promise<T>,
  signal?: AbortSignal,
): Promise<{ readonly value: T; readonly outcome: FreezeOutcome }> {
  const readiness = await prepare(agent, limits, signal);
  if ("reason" in readiness) return { value: await act(), outcome: notHeld(readiness.reason, readiness.cause) };
  const { watchdog } = readiness;

  const frozen = await freeze(agent, signal);
  const frozenAt = monotonicMilliseconds();
  if (typeof frozen !== "number" || frozen === 0) {
    // The call may have frozen a part, or may still freeze: thaw in any case.
    await thawUntilAnswered(agent, limits.hardLimitMilliseconds);
    await watchdog?.dismiss().catch(() => {});
    const outcome =
      typeof frozen === "number" ? notHeld("NothingToFreeze", undefined) : notHeld(failureOf(frozen), frozen);
    return { value: await act(), outcome };
  }

  let thawing: Promise<number | undefined> | undefined;
  const thaw = (): Promise<number | undefined> => {
    thawing ??= thawUntilAnswered(agent, limits.hardLimitMilliseconds);
    return thawing;
  };
  let wasLate = false;
  const budget = setTimeout(() => {
    wasLate = true;
    void thaw();
  }, limits.budgetMilliseconds);
  const dismiss = async (): Promise<boolean> => (await watchdog?.dismiss().catch(() => false)) === true;
  let value: T;
  try {
    value = await act();
  } catch (error) {
    clearTimeout(budget);
    await thaw();
    await dismiss();
    throw error;
  }
  clearTimeout(budget);
  const thawed = await thaw();
  const milliseconds = Math.round(monotonicMilliseconds() - frozenAt);
  const hasFired = await dismiss();
  return {
    value,
    outcome: judge({ frozen, thawed, wasLate, hasFired, milliseconds, limits, hasWatchdog: watchdog !== undefined }),
  };
}

/** For the start of the service and for restored machines: a guest that was left frozen is thawed. */
export async function thawIfFrozen(agent: AgentChannel, signal?: AbortSignal): Promise<boolean> {
  const status = checked(
    statusSchema,
    await agent.command("guest-fsfreeze-status", undefined, { signal }),
    "guest-fsfreeze-status",
  );
  if (status === "thawed") return false;
  await agent.command("guest-fsfreeze-thaw", undefined, { signal });
  return true;
}

async function prepare(
  agent: AgentChannel,
  limits: FreezeLimits,
  signal: AbortSignal | undefined,
): Promise<{ watchdog: FreezeWatchdog | undefined } | { reason: FreezeFailure; cause: unknown }> {
  try {
    // A frozen agent calls nearly everything switched off: thaw before asking what it can do.
    await thawIfFrozen(agent, signal).catch(unlessAborted(signal));
    const { commands } = await readCapabilities(agent, signal);
    const missing = ["guest-fsfreeze-freeze", "guest-fsfreeze-thaw", "guest-fsfreeze-status"].find(
      (name) => !commands.has(name),
    );
    if (missing !== undefined) return { reason: "FreezeUnavailable", cause: `${missing} is switched off in the guest` };
    // Without exec there is no watchdog in the guest; then only we guard it.
    const canRun = commands.has("guest-exec") && commands.has("guest-exec-status");
    const watchdog = canRun
      ? await startFreezeWatchdog(agent, limits.hardLimitMilliseconds, signal).catch(unlessAborted(signal))
      : undefined;
    return { watchdog };
  } catch (cause) {
    signal?.throwIfAborted();
    return { reason: "FreezeUnavailable", cause };
  }
}

function unlessAborted(signal: AbortSignal | undefined): () => undefined {
  return () => {
    signal?.throwIfAborted();
    return undefined;
  };
}

async function freeze(agent: AgentChannel, signal: AbortSignal | undefined): Promise<number | HoldfastError> {
  try {
    const answer = await agent.command("guest-fsfreeze-freeze", undefined, {
      timeoutMilliseconds: freezeCallMilliseconds,
      signal,
    });
    return checked(countSchema, answer, "guest-fsfreeze-freeze");
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    await thawUntilAnswered(agent, freezeCallMilliseconds);
    throw error;
  }
}

/** The agent says that it failed, or nobody knows what became of it. */
function failureOf({ code }: HoldfastError): FreezeFailure {
  return code === "AgentCommandFailed" || code === "AgentCommandUnavailable" ? "FreezeFailed" : "FreezeUnanswered";
}

/** How many file systems were thawed; undefined when the agent did not say so in time. */
async function thawUntilAnswered(agent: AgentChannel, limitMilliseconds: number): Promise<number | undefined> {
  const end = monotonicMilliseconds() + limitMilliseconds;
  for (;;) {
    try {
      return checked(countSchema, await agent.command("guest-fsfreeze-thaw"), "guest-fsfreeze-thaw");
    } catch (error) {
      const isFinal = error instanceof HoldfastError && error.code === "AgentUnreachable";
      if (isFinal || monotonicMilliseconds() > end) return undefined;
      await sleep(100);
    }
  }
}

interface Course {
  readonly frozen: number;
  readonly thawed: number | undefined;
  readonly wasLate: boolean;
  readonly hasFired: boolean;
  readonly milliseconds: number;
  readonly limits: FreezeLimits;
  readonly hasWatchdog: boolean;
}

function judge({ frozen, thawed, wasLate, hasFired, milliseconds, limits, hasWatchdog }: Course): FreezeOutcome {
  if (wasLate) {
    return notHeld(
      "FreezeTooSlow",
      `the snapshot took longer than the ${limits.budgetMilliseconds} ms that the guest may stand still`,
    );
  }
  if (thawed === undefined) return notHeld("ThawFailed", "the agent did not confirm the thaw");
  if (hasFired) return notHeld("ThawIncomplete", "the watchdog in the guest had thawed it before");
  if (thawed < frozen)
    return notHeld("ThawIncomplete", `${frozen} file systems were frozen, but only ${thawed} still were at the end`);
  return { held: true, fileSystems: frozen, milliseconds, hasWatchdog };
}

function notHeld(reason: FreezeFailure, cause: unknown): FreezeOutcome {
  const text =
    cause instanceof HoldfastError
      ? cause.sentence
      : cause instanceof Error
        ? cause.message
        : String(cause ?? "the guest has no file system that can be frozen");
  return { held: false, reason, explanation: text };
}
