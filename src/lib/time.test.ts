import assert from "node:assert/strict";
import { test } from "node:test";
import { retry, waitFor, withDeadline } from "./time.ts";

const quick = { attempts: 3, firstDelayMilliseconds: 1, maxDelayMilliseconds: 2 };

test("a transient failure is tried again, a final one is thrown as it is", async () => {
  let calls = 0;
  const answer = await retry(
    quick,
    async () => {
      calls += 1;
      if (calls < 3) throw new Error("not yet");
      return calls;
    },
    () => 0.5,
  );
  assert.equal(answer, 3);
  const final = new Error("final");
  await assert.rejects(
    retry(
      { ...quick, isTransient: () => false },
      () => Promise.reject(final),
      () => 0.5,
    ),
    (error) => error === final,
  );
});

test("waiting for what never comes says what was waited for", async () => {
  await assert.rejects(
    waitFor("the moon", () => undefined, 5, 1),
    /the moon: nothing in 5 ms/,
  );
});

test("work that hears no signal is left behind at its deadline", async () => {
  const late = new Error("late");
  await assert.rejects(
    withDeadline(
      5,
      () => new Promise(() => {}),
      () => late,
    ),
    late,
  );
  assert.equal(
    await withDeadline(
      5_000,
      async () => "done",
      () => late,
    ),
    "done",
  );
  const stopped = new AbortController();
  const waiting = withDeadline(
    5_000,
    () => new Promise(() => {}),
    () => late,
    stopped.signal,
  );
  stopped.abort(new Error("stopped"));
  await assert.rejects(waiting, /stopped/);
});
