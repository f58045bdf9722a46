// kill -9 at any moment on a real directory: every point whose writer said "added" restores.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { ended, start } from "../../src/lib/processes.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { openFsStore } from "../../src/store/backends/fs.ts";
import { createVault, listPoints, openVault, readPoint, scrub, verify, type PointName } from "../../src/store/index.ts";
import { patterned, restore, testKey } from "../../src/store/testing/vaults.ts";

const rounds = process.env["HOLDFAST_TEST_LONG"] === "1" ? 300 : 10;
const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? 1);
const faultPoints = [
  "after-open",
  "after-pack",
  "after-index",
  "before-end",
  "after-end",
  "after-point",
  "after-condemn",
  "after-doom",
  "after-delete",
];

test(`${rounds} rounds of kill -9 (seed ${seed}): every acknowledged point restores`, async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-kill-"));
  const random = seededRandom(seed);
  const expected = new Map<PointName, number>();
  let next = 0;
  try {
    await createVault(await openFsStore(folder, { create: true, trustFileSystem: true }), testKey, {
      packTarget: 1 << 17,
      nameHash: "sha256",
    });
    for (let round = 0; round < rounds; round += 1) {
      next = await runUntilKilled(folder, next, random, round, expected);
      if (round % 5 === 4 || round === rounds - 1) await checkAll(folder, expected);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** Even rounds die at a fault point, odd ones at a moment that nobody chose. */
async function runUntilKilled(
  folder: string,
  first: number,
  random: () => number,
  round: number,
  expected: Map<PointName, number>,
): Promise<number> {
  const fault = faultPoints[(round >> 1) % faultPoints.length] ?? "";
  const env = round % 2 === 0 ? { HOLDFAST_FAULTS: `store.${fault}=kill@${1 + Math.floor(random() * 6)}` } : {};
  const child = start(process.execPath, [join(import.meta.dirname, "kill-writer.ts"), folder, String(first)], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const death = ended(child, "the writer");
  let last = first;
  let lines = 0;
  const killAfter = 1 + Math.floor(random() * 12);
  for await (const line of createInterface({ input: child.stdout! })) {
    const [what, name, number] = line.split(" ");
    if (what === "added") {
      expected.set(name as PointName, Number(number));
      last = Number(number) + 1;
    } else if (what === "deleting") expected.delete(name as PointName);
    lines += 1;
    if (lines === killAfter || (round % 2 === 0 && lines > 40)) {
      // Somewhere within the next step, not just after a line.
      setTimeout(() => child.kill("SIGKILL"), random() * 40);
    }
  }
  assert.equal(await death, 137);
  return last + 1;
}

async function checkAll(folder: string, expected: ReadonlyMap<PointName, number>): Promise<void> {
  const store = await openFsStore(folder, { trustFileSystem: true });
  await using vault = await openVault(store, testKey, { workers: 2 });
  for (const [name, round] of expected) {
    const content = patterned(1_200_000, round % 5);
    content.writeUInt32LE(round, 4096);
    assert.ok((await restore(vault, await readPoint(vault, name), "os")).equals(content), name);
  }
  assert.deepEqual(await scrub(store), []);
  const { broken, pointsChecked } = await verify(vault);
  assert.deepEqual(broken, []);
  assert.equal(pointsChecked, (await listPoints(vault)).points.length);
}
