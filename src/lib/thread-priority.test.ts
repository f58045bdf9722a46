import assert from "node:assert/strict";
import { once } from "node:events";
import { getPriority } from "node:os";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

test("a thread goes into the background alone, and comes back", async () => {
  const module = new URL("thread-priority.ts", import.meta.url).href;
  const code = `
    import { getPriority } from "node:os";
    import { parentPort } from "node:worker_threads";
    import { setThreadPriority } from ${JSON.stringify(module)};
    const told = ["background", "normal"].map((priority) => (setThreadPriority(priority), getPriority(0)));
    parentPort.postMessage(told);`;
  const before = getPriority(process.pid);
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  assert.deepEqual(await once(worker, "message"), [[Math.min(19, before + 10), before]]);
  assert.equal(getPriority(process.pid), before);
});
