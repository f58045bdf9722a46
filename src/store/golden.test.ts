import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { memoryStore } from "./backends/memory.ts";
import { keyFromBytes, keyFromPassphrase, listPoints, openVault, readAttachment, scrub, verify } from "./index.ts";
import { restore, testKey } from "./testing/vaults.ts";

const golden = join(import.meta.dirname, "golden");
const contents = [
  "95a590dce5c4307bfbde160e58a0b187ee52fc1fc88693bdf14ad822676f691b",
  "8e5448f0a9aa9b3c839d60624c4b0264126d009768533367e78e3684f13bb206",
];

for (const name of await readdir(golden)) {
  test(`the golden vault ${name} opens with each of its keys and restores`, async () => {
    const store = memoryStore();
    const folder = join(golden, name);
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      await store.put(path.slice(folder.length + 1), await readFile(path));
    }
    assert.deepEqual(await scrub(store), []);
    for (const key of [
      testKey,
      keyFromBytes(Buffer.alloc(32, 9), "recovery"),
      keyFromPassphrase("golden passphrase"),
    ]) {
      await using vault = await openVault(store, key, { workers: 1 });
      const { points, problems } = await listPoints(vault, "Golden VM ä");
      assert.deepEqual(problems, []);
      const hashes = await Promise.all(
        points.map(async (point) =>
          createHash("sha256")
            .update(await restore(vault, point, "os"))
            .digest("hex"),
        ),
      );
      assert.deepEqual(hashes, contents);
      assert.deepEqual(points[0]?.metadata, { consistency: "crash" });
      assert.equal((await readAttachment(vault, points[0]!, "machine.json")).toString(), '{"cpus":2}');
      assert.ok((await restore(vault, points[0]!, "empty")).equals(Buffer.alloc(140_000_000)));
      assert.deepEqual((await verify(vault, { quarantine: false })).broken, []);
    }
  });
}
