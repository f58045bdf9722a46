import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { chooseJobs, type OpenJob } from "./choose-jobs.ts";

const job = (id: string, vaultKey: string, more: Partial<OpenJob> = {}): OpenJob => ({
  id,
  vaultKey,
  hostId: "host",
  startedAt: 0,
  isRunning: false,
  ...more,
});
const limits = { server: 4, vault: 3, host: 4 };

test("a vault with many jobs does not keep another one waiting", () => {
  const many = Array.from({ length: 50 }, (_, number) => job(`a${number}`, "a", { startedAt: number }));
  const chosen = chooseJobs([...many, job("b", "b", { startedAt: 1000 })], limits, 2);
  assert.deepEqual(
    chosen.map(({ id }) => id),
    ["a0", "b"],
  );
});

test("a host that is full holds back its own jobs and no others", () => {
  const running = Array.from({ length: 4 }, (_, number) => job(`r${number}`, `v${number}`, { isRunning: true }));
  const chosen = chooseJobs([...running, job("x", "v"), job("y", "v", { hostId: "other" })], limits, 4);
  assert.deepEqual(
    chosen.map(({ id }) => id),
    ["y"],
  );
});

test("no limit is ever passed, and nothing waits that could run", () => {
  const open = fc.record({
    id: fc.uuid(),
    vaultKey: fc.constantFrom("a", "b", "c"),
    hostId: fc.constantFrom("h1", "h2", undefined),
    startedAt: fc.nat(10),
    isRunning: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.uniqueArray(open, { selector: ({ id }) => id, maxLength: 30 }), fc.nat(6), (jobs, free) => {
      const small = { server: 6, vault: 2, host: 3 };
      const chosen = new Set(chooseJobs(jobs, small, free));
      assert.ok(chosen.size <= free);
      const runs = jobs.filter((one) => one.isRunning || chosen.has(one));
      const count = (test: (one: OpenJob) => boolean) => runs.filter(test).length;
      const wasOver = (test: (one: OpenJob) => boolean, most: number) =>
        jobs.filter((one) => one.isRunning && test(one)).length > most;
      for (const one of chosen) {
        assert.ok(count(({ vaultKey }) => vaultKey === one.vaultKey) <= 2);
        if (one.hostId !== undefined) assert.ok(count(({ hostId }) => hostId === one.hostId) <= 3);
      }
      for (const one of jobs) {
        if (one.isRunning || chosen.has(one) || chosen.size === free) continue;
        const vaultIsFull = count(({ vaultKey }) => vaultKey === one.vaultKey) >= 2;
        const hostIsFull = one.hostId !== undefined && count(({ hostId }) => hostId === one.hostId) >= 3;
        assert.ok(vaultIsFull || hostIsFull || wasOver(() => true, 6));
      }
    }),
  );
});
