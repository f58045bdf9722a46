import assert from "node:assert/strict";
import { test } from "node:test";
import { hostErrors } from "../../hosts/errors.ts";
import type { Host, Machine, ReachedConsistency, SnapshotRequest, SnapshotSession } from "../../hosts/host.ts";
import type { ConsistencyAgent, Preparation } from "./consistency.ts";
import { takeSnapshot } from "./take-snapshot.ts";

const machine = { id: "m", name: "web", powerState: "running", disks: [] } as unknown as Machine;
const request = { consistency: "application", chain: "c", point: "p" } as const;
const frozen = { level: "fileSystem", frozenMilliseconds: 120, fileSystems: 3, hasWatchdog: true } as const;
const crash = { level: "crash", reason: "FreezeFailed", explanation: "the freeze failed" } as const;

/** A host that reaches what it is told to, and an agent that answers as told; both write down what they did. */
function scene(reached: ReachedConsistency | Error, preparation: Partial<Preparation> = {}, stayedAtRest = true) {
  const done: string[] = [];
  const host = {
    snapshot: async (_id: string, { consistency }: SnapshotRequest) => {
      done.push(`snapshot ${consistency}`);
      if (reached instanceof Error) throw reached;
      return { consistency: reached } as SnapshotSession;
    },
  } as unknown as Host;
  const agent: ConsistencyAgent = {
    prepare: async () => {
      done.push("prepare");
      return { isAtRest: true, freezes: true, remarks: [], ...preparation };
    },
    finish: async (_subject, _preparation, outcome) => {
      done.push(`finish ${outcome.taken ? "taken" : "not taken"}`);
      return { stayedAtRest, remarks: [] };
    },
  };
  return { done, agent, take: () => takeSnapshot({ host, machine }, request, agent) };
}

test("applications at rest before and after a held freeze make a point application consistent", async () => {
  const { done, take } = scene(frozen);
  const { consistency } = await take();
  assert.deepEqual(consistency, { ...frozen, level: "application" });
  assert.deepEqual(done, ["prepare", "snapshot application", "finish taken"]);
});

test("the claim is lowered by a freeze that failed, by scripts that failed before, and by those that failed after", async () => {
  assert.deepEqual((await scene(crash).take()).consistency, crash);
  assert.deepEqual((await scene(frozen, { isAtRest: false }).take()).consistency, frozen);
  assert.deepEqual((await scene(frozen, {}, false).take()).consistency, frozen);
});

test("scripts that ask for no freeze get none, and carry the claim alone", async () => {
  const { done, take } = scene(crash, { freezes: false });
  assert.equal((await take()).consistency.level, "application");
  assert.deepEqual(done, ["prepare", "snapshot crash", "finish taken"]);
});

test("applications are let go when there is no snapshot, and the snapshot's failure is what is told", async () => {
  const { done, take } = scene(hostErrors.SnapshotInProgress("Another one."));
  await assert.rejects(take(), { code: "SnapshotInProgress" });
  assert.deepEqual(done, ["prepare", "snapshot application", "finish not taken"]);
});

test("a refusal to prepare means no snapshot; a failure to let go leaves the snapshot with a warning", async () => {
  const refusing = scene(frozen);
  refusing.agent.prepare = async () => Promise.reject(hostErrors.OperationUnsupported("The pre script failed."));
  await assert.rejects(refusing.take(), { code: "OperationUnsupported" });
  assert.deepEqual(refusing.done, []);

  const failing = scene(frozen);
  failing.agent.finish = async () => Promise.reject(hostErrors.OperationUnsupported("The post script failed."));
  const { consistency, remarks } = await failing.take();
  assert.equal(consistency.level, "fileSystem");
  assert.deepEqual(remarks, [{ code: "AfterSnapshotFailed", severity: "warning", message: "The post script failed." }]);
});
