import assert from "node:assert/strict";
import { test } from "node:test";
import type { GuestWrites } from "../../hosts/host.ts";
import { sleep, waitFor } from "../../lib/time.ts";
import { governReads } from "./govern-reads.ts";

const times = { first: 5, turns: { full: 20, slowed: 10 }, restStep: 2, longestRest: 10, longestLook: 1_000 };

/** Counts as QEMU does: each look finds forty more writes, which take longer while something is read. */
function guest(millisecondsEach: (isRead: boolean) => number) {
  let isRead = false;
  let counted: GuestWrites = { operations: 0, nanoseconds: 0 };
  return {
    isLive: true,
    guestWrites: async (): Promise<GuestWrites> => {
      const nanoseconds = counted.nanoseconds + 40 * millisecondsEach(isRead) * 1e6;
      counted = { operations: counted.operations + 40, nanoseconds };
      return counted;
    },
    read: async (): Promise<void> => {
      isRead = true;
      await sleep(1);
      isRead = false;
    },
  };
}

async function readFor(milliseconds: number, session: ReturnType<typeof guest>): Promise<number> {
  await using governed = governReads(session, undefined, times);
  const end = performance.now() + milliseconds;
  while (performance.now() < end) await governed.gate.run(session.read);
  return governed.lowestShare();
}

test("a guest whose writes take longer while it is read is read more slowly; another one is not", async () => {
  const hurt = guest((isRead) => (isRead ? 5 : 1));
  await waitFor("a slower pace", async () => (await readFor(200, hurt)) < 1 || undefined, 120_000);
  assert.equal(
    await readFor(
      200,
      guest(() => 1),
    ),
    1,
  );
});

test("reading a guest that writes begins slowly, and comes to full speed where that hurts nobody", async () => {
  const session = guest(() => 1);
  await using governed = governReads(session, undefined, times);
  const count = async (milliseconds: number): Promise<number> => {
    const end = performance.now() + milliseconds;
    let reads = 0;
    for (; performance.now() < end; reads += 4)
      await Promise.all(
        Array(4)
          .fill(0)
          .map(() => governed.gate.run(session.read)),
      );
    return reads;
  };
  const atFirst = await count(40);
  await waitFor("full speed", async () => (await count(40)) > 2 * atFirst || undefined, 120_000);
  assert.equal(governed.lowestShare(), 1);
});

test("where the host cannot tell, or fails to, reads go on at full speed", async () => {
  for (const session of [
    { isLive: false },
    { isLive: true, guestWrites: () => Promise.reject(new Error("the monitor is gone")) },
  ]) {
    await using governed = governReads(session, undefined, times);
    let done = 0;
    for (let count = 0; count < 3; count += 1) await governed.gate.run(async () => void (done += 1));
    assert.deepEqual([done, governed.lowestShare()], [3, 1]);
    assert.equal(governed.requestsInFlight !== undefined, session.isLive);
  }
});

test("a host that stops answering during a rest does not keep the reads", async () => {
  let looks = 0;
  const session = guest(() => 1);
  const silent = {
    isLive: true,
    guestWrites: () => (++looks < 6 ? session.guestWrites() : new Promise<never>(() => {})),
  };
  await using governed = governReads(silent, undefined, { ...times, longestLook: 20 });
  await waitFor("the silence", () => looks >= 6 || undefined, 120_000, 1);
  await governed.gate.run(session.read);
});

test("a backup that ends while it rests leaves nobody waiting", async () => {
  const session = guest(() => 1);
  const ended = new AbortController();
  await using governed = governReads(session, ended.signal, { ...times, longestRest: 60_000, restStep: 60_000 });
  await sleep(times.turns.full * 2); // it rests now, or soon
  ended.abort(new Error("cancelled"));
  await governed.gate.run(session.read);
});
