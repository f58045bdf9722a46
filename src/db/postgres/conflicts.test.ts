import assert from "node:assert/strict";
import { test } from "node:test";
import { isErrorCode } from "../../lib/errors.ts";
import { retryConflicts } from "./conflicts.ts";

const conflict = (code: string) => Object.assign(new Error("could not serialize access"), { code });

test("a collision runs again, anything else is thrown as it is", async () => {
  const outcomes = [conflict("40001"), conflict("40P01"), undefined];
  const result = await retryConflicts(async () => {
    const outcome = outcomes.shift();
    if (outcome !== undefined) throw outcome;
    return "through";
  });
  assert.equal(result, "through");
  const other = conflict("23505");
  await assert.rejects(
    retryConflicts(() => Promise.reject(other)),
    (error) => error === other,
  );
});

test("one that always collides ends with a busy database, the collision as its cause", async () => {
  const last = conflict("40001");
  await assert.rejects(
    retryConflicts(() => Promise.reject(last)),
    (error) => isErrorCode(error, "DatabaseBusy") && (error as Error).cause === last,
  );
});
