// The snapshot with what goes around it: applications are brought to rest before, and let go as soon as
// the snapshot stands, or as soon as it is clear that there will be none.

import type { ReachedConsistency, SnapshotRequest, SnapshotSession } from "../../hosts/host.ts";
import { HoldfastError } from "../../lib/errors.ts";
import type { CapturedConsistency } from "./captured-point.ts";
import type { Aftermath, ConsistencyAgent, ConsistencySubject, Preparation } from "./consistency.ts";
import type { Remark } from "./remarks.ts";

export interface TakenSnapshot {
  readonly session: SnapshotSession;
  readonly consistency: CapturedConsistency;
  readonly remarks: readonly Remark[];
}

export async function takeSnapshot(
  subject: ConsistencySubject,
  request: SnapshotRequest,
  agent: ConsistencyAgent,
  signal?: AbortSignal,
): Promise<TakenSnapshot> {
  const { host, machine } = subject;
  if (request.consistency !== "application" || machine.powerState !== "running") {
    const session = await host.snapshot(machine.id, request, signal);
    return { session, consistency: withoutApplications(session.consistency), remarks: [] };
  }
  const preparation = await agent.prepare(subject, signal);
  let session: SnapshotSession;
  try {
    const consistency = preparation.freezes ? "application" : "crash";
    session = await host.snapshot(machine.id, { ...request, consistency }, signal);
  } catch (error) {
    await letGo(subject, agent, preparation, { taken: false, error });
    throw error;
  }
  const aftermath = await letGo(subject, agent, preparation, { taken: true, consistency: session.consistency });
  const isApplication =
    preparation.isAtRest &&
    aftermath.stayedAtRest &&
    (session.consistency.level === "fileSystem" || !preparation.freezes);
  return {
    session,
    consistency: isApplication ? asApplication(session.consistency) : withoutApplications(session.consistency),
    remarks: [...preparation.remarks, ...aftermath.remarks],
  };
}

/** A failure after the snapshot does not undo it: it lowers what may be claimed. */
async function letGo(
  subject: ConsistencySubject,
  agent: ConsistencyAgent,
  preparation: Preparation,
  outcome: Parameters<ConsistencyAgent["finish"]>[2],
): Promise<Aftermath> {
  try {
    return await agent.finish(subject, preparation, outcome);
  } catch (error) {
    const message = error instanceof HoldfastError ? error.sentence : "The guest's part after the snapshot failed.";
    return { stayedAtRest: false, remarks: [{ code: "AfterSnapshotFailed", severity: "warning", message }] };
  }
}

function asApplication(reached: ReachedConsistency): CapturedConsistency {
  return reached.level === "crash" ? { level: "application" } : { ...reached, level: "application" };
}

function withoutApplications(reached: ReachedConsistency): CapturedConsistency {
  return { ...reached };
}
