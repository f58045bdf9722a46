import assert from "node:assert/strict";
import { test } from "node:test";
import { lookWhenWoken } from "./look-again.ts";

/** A look that ends when told, and counts. */
function gate() {
  let open = (): void => {};
  const seen = { looks: 0, together: 0 };
  const look = async (): Promise<void> => {
    seen.looks += 1;
    seen.together += 1;
    assert.equal(seen.together, 1, "one look at a time");
    await new Promise<void>((resolve) => (open = resolve));
    seen.together -= 1;
  };
  return { seen, look, end: () => open() };
}

test("whoever is woken during a look, however often, looks once more", async () => {
  const { seen, look, end } = gate();
  const watcher = lookWhenWoken(look, (error) => assert.fail(String(error)), new AbortController().signal);
  for (let times = 0; times < 5; times += 1) watcher.wake();
  assert.equal(seen.looks, 1);
  end();
  await watcher.settled();
  assert.equal(seen.looks, 2);
  end();
  await watcher.settled();
  await watcher.settled();
  assert.equal(seen.looks, 2);
});

test("a look that fails is told of and ends nothing; after the end there is none", async () => {
  const ending = new AbortController();
  const problems: unknown[] = [];
  let looks = 0;
  const watcher = lookWhenWoken(
    async () => {
      looks += 1;
      throw new Error("no");
    },
    (error) => problems.push(error),
    ending.signal,
  );
  watcher.wake();
  await watcher.settled();
  watcher.wake();
  await watcher.settled();
  assert.deepEqual([looks, problems.length], [2, 2]);
  ending.abort();
  watcher.wake();
  assert.equal(looks, 2);
});
