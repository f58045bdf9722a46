// What brings a guest's applications to rest around the snapshot: scripts on Linux, VSS on Windows.
// The host freezes file systems by itself; this is what comes before and after that.

import type { Host, Machine, ReachedConsistency } from "../../hosts/host.ts";
import type { Remark } from "./remarks.ts";

export interface ConsistencyAgent {
  /** Before the snapshot. Throws when there must be no snapshot now. */
  prepare(subject: ConsistencySubject, signal?: AbortSignal): Promise<Preparation>;
  /**
   * After the snapshot, whatever came of it; once for each preparation, also when the backup is being
   * cancelled, so it bounds its own time.
   */
  finish(subject: ConsistencySubject, preparation: Preparation, outcome: SnapshotOutcome): Promise<Aftermath>;
}

export interface ConsistencySubject {
  readonly host: Host;
  readonly machine: Machine;
}

export interface Preparation {
  /** Applications have brought what they hold to their disks, and wait. */
  readonly isAtRest: boolean;
  /** Whether the file systems are to be frozen as well. */
  readonly freezes: boolean;
  readonly remarks: readonly Remark[];
}

export type SnapshotOutcome =
  | { readonly taken: true; readonly consistency: ReachedConsistency }
  | { readonly taken: false; readonly error: unknown };

export interface Aftermath {
  /** They waited until the snapshot stood. */
  readonly stayedAtRest: boolean;
  readonly remarks: readonly Remark[];
}
