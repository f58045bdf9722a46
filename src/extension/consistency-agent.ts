// What a capture asks of the guest around its snapshot, answered by the VMSnapshot extension.
//
// Always true: a guest without an agent, or one that does not let the extension in, is backed up all
// the same, at the level that is reached without it; only a script whose failure the guest's own
// configuration calls fatal ends the backup.

import type { Host, Machine, ReachedConsistency } from "../hosts/host.ts";
import {
  finishApplications,
  prepareApplications,
  reportToGuest,
  ticksOf,
  type PreparedApplications,
} from "../guest/vmsnapshot/applications.ts";
import { extensionCodes, extensionErrors, type ScriptFailure } from "../guest/vmsnapshot/codes.ts";
import { systemClock, type Clock } from "../lib/clock.ts";
import { HoldfastError } from "../lib/errors.ts";
import { newGuid } from "../lib/random.ts";
import { describeTask, statusFile, type TaskReport } from "./status.ts";

export interface Subject {
  readonly host: Host;
  readonly machine: Machine;
}

export interface Remark {
  readonly code: string;
  readonly severity: "note" | "warning";
  readonly message: string;
}

export interface Preparation {
  readonly isAtRest: boolean;
  readonly freezes: boolean;
  readonly remarks: readonly Remark[];
  readonly guest?: { readonly applications: PreparedApplications; readonly startedAt: number };
}

export type Outcome =
  | { readonly taken: true; readonly consistency: ReachedConsistency }
  | { readonly taken: false; readonly error: unknown };

export interface VmSnapshot {
  prepare(subject: Subject, signal?: AbortSignal): Promise<Preparation>;
  finish(
    subject: Subject,
    preparation: Preparation,
    outcome: Outcome,
  ): Promise<{ stayedAtRest: boolean; remarks: readonly Remark[] }>;
}

export interface VmSnapshotParts {
  readonly clock?: Clock;
  /** Hears of every task's end, to show it where Azure shows the status of extensions. */
  readonly report?: (subject: Subject, report: TaskReport) => Promise<void>;
}

/** The guest lets the extension in, but there is something wrong with it. */
const needsMending = new Set(["ExtensionNotInstalled", "ExtensionNotWritable", "GuestProgramTimedOut"]);
const withoutExtension: Preparation = { isAtRest: false, freezes: true, remarks: [] };

export function vmSnapshot({ clock = systemClock, report }: VmSnapshotParts = {}): VmSnapshot {
  return {
    prepare: async ({ host, machine }, signal) => {
      if (!machine.hasAgent) return withoutExtension;
      const startedAt = clock.now();
      try {
        const task = { taskId: newGuid(), startTicks: ticksOf(startedAt) };
        const use = (agent: Parameters<Parameters<Host["withAgent"]>[1]>[0]): Promise<PreparedApplications> =>
          prepareApplications(agent, task, signal);
        const applications = await host.withAgent(machine.id, use, signal);
        return {
          isAtRest: applications.isAtRest,
          freezes: applications.freezes,
          remarks: [...remarkOfChange(applications), ...remarkOf(applications.failure)],
          guest: { applications, startedAt },
        };
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof HoldfastError) || Object.hasOwn(extensionErrors, error.code)) throw error;
        // The snapshot finds out by itself what the agent still can do.
        const severity = needsMending.has(error.code) ? "warning" : "note";
        return { ...withoutExtension, remarks: [{ code: error.code, severity, message: error.sentence }] };
      }
    },
    finish: async (subject, preparation, outcome) => {
      const { guest } = preparation;
      if (guest === undefined) return { stayedAtRest: false, remarks: [] };
      const { host, machine } = subject;
      const { applications, startedAt } = guest;
      return await host.withAgent(machine.id, async (agent) => {
        const finished = await finishApplications(agent, applications);
        const task = describeTask({ applications, finished, outcome, startedAt, endedAt: clock.now() });
        const remarks = remarkOf(finished.failure);
        try {
          await reportToGuest(agent, applications, JSON.stringify(statusFile(task)));
          await report?.(subject, task);
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
          remarks.push({ code: "ExtensionStatusNotWritten", severity: "note", message: error.sentence });
        }
        return { stayedAtRest: finished.stayedAtRest, remarks };
      });
    },
  };
}

function remarkOf(failure: ScriptFailure | undefined): Remark[] {
  if (failure === undefined) return [];
  const { remedy } = extensionCodes[failure.code];
  return [{ code: failure.code, severity: "warning", message: `${failure.message} ${remedy}` }];
}

function remarkOfChange({ extension }: PreparedApplications): Remark[] {
  if (!extension.wasChanged) return [];
  return remarkOf({
    code: "FailedPrepostCheckSumMismatch",
    message: `Files of the extension in ${extension.home} had been changed in the guest.`,
  });
}
