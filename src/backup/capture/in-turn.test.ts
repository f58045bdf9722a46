import assert from "node:assert/strict";
import { test } from "node:test";
import { hostErrors } from "../../hosts/errors.ts";
import { inTurn } from "./in-turn.ts";

const delays = { attempts: 3, firstDelayMilliseconds: 1, maxDelayMilliseconds: 1 };
const { signal } = new AbortController();

/** A machine whose snapshot is refused so many times before it is taken. */
function machine(refusals: readonly Error[]) {
  const left = [...refusals];
  return async (): Promise<string> => {
    const refusal = left.shift();
    if (refusal !== undefined) throw refusal;
    return "taken";
  };
}

test("who comes second waits until the first has ended", async () => {
  const busy = hostErrors.SnapshotInProgress("Another one.");
  assert.equal(await inTurn(machine([busy, busy]), signal, delays), "taken");
});

test("patience ends, with the reason", async () => {
  const busy = hostErrors.SnapshotInProgress("Another one.");
  await assert.rejects(inTurn(machine([busy, busy, busy]), signal, delays), { code: "SnapshotInProgress" });
});

test("another refusal is told at once", async () => {
  const lost = hostErrors.OperationUnsupported("It cannot be done.");
  await assert.rejects(inTurn(machine([lost]), signal, delays), { code: "OperationUnsupported" });
});

test("nobody waits once the operation has ended", async () => {
  const ended = new AbortController();
  const taken = inTurn(machine([hostErrors.SnapshotInProgress("Another one.")]), ended.signal, {
    ...delays,
    firstDelayMilliseconds: 3_600_000,
    maxDelayMilliseconds: 3_600_000,
  });
  ended.abort(new Error("the service is ending"));
  await assert.rejects(taken);
});
