import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { scratchFolder } from "../nbd/testing/tools.ts";
import { serveImages } from "./storage-daemon.ts";

test(
  "a daemon that is called off at any moment of its start is gone, and so are its files",
  { timeout: 60_000 },
  async () => {
    using scratch = scratchFolder();
    writeFileSync(scratch.path("disk.raw"), Buffer.alloc(65_536));
    const served = scratch.path("served");
    // Its start takes some tens of milliseconds: it does not listen to signals in all of them.
    for (let milliseconds = 0; milliseconds <= 40; milliseconds += 4) {
      const stop = new AbortController();
      const starting = serveImages(
        [{ path: scratch.path("disk.raw"), format: "raw", isWritable: true }],
        served,
        stop.signal,
      );
      starting.catch(() => {}); // looked at below
      await sleep(milliseconds);
      stop.abort(new Error("called off"));
      const server = await starting.catch((error: unknown) => error);
      if (server instanceof Error) assert.equal(server.message, "called off");
      else await (server as Awaited<typeof starting>).close();
      assert.deepEqual(readdirSync(served), []);
    }
  },
);
