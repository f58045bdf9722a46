// A power cut at any step of a copy to another tier: what is listed there restores byte-identical,
// what was acknowledged is there, and the next copy goes on to the end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { recordingDisk } from "../../../test/store/recording-disk.ts";
import { seededRandom } from "../../lib/random.ts";
import { createVault, keyFromBytes, listPoints, openDisk, openVault, rekey } from "../index.ts";
import { backUp, bufferSource, patterned } from "../testing/vaults.ts";
import { copyObjects, planCopy } from "./copy-objects.ts";
import { openFsStore } from "./fs.ts";
import { memoryStore } from "./memory.ts";
import type { ObjectStore } from "./object-store.ts";

const isLong = process.env["HOLDFAST_TEST_LONG"] === "1";
const wantedStates = isLong ? 2000 : 150;
const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? 1);
const size = 48 * 1024;
const firstKey = keyFromBytes(Buffer.alloc(32, 1));
const secondKey = keyFromBytes(Buffer.alloc(32, 2));

/** What each point holds, by its name. */
const contents = new Map<string, Buffer>();

async function copy(from: ObjectStore, to: ObjectStore): Promise<void> {
  await copyObjects(from, to, await planCopy(from, to));
}

async function checkCopy(store: ObjectStore, mustHave: readonly string[]): Promise<void> {
  const vault = await openVault(store, secondKey, { workers: 1 }).catch(() =>
    openVault(store, firstKey, { workers: 1 }),
  );
  await using open = vault;
  const { points, problems } = await listPoints(open);
  assert.deepEqual(problems, []);
  for (const point of points) {
    const restored = Buffer.alloc(size);
    await (await openDisk(open, point, "os")).read(restored, 0);
    assert.ok(contents.get(point.name)?.equals(restored), point.name);
  }
  const listed = new Set<string>(points.map(({ name }) => name));
  for (const name of mustHave) assert.ok(listed.has(name), `${name} was acknowledged`);
}

test(`${wantedStates} power cuts during copies (seed ${seed}): what is listed restores, and the next copy ends it`, async () => {
  const source = memoryStore();
  const target = recordingDisk();
  await createVault(source, firstKey, { packTarget: 1 << 16, nameHash: "sha256" });
  const add = async (key: typeof firstKey, item: string, pattern: number): Promise<string> => {
    await using vault = await openVault(source, key, { workers: 1 });
    const content = patterned(size, pattern);
    const point = await backUp(vault, { item, parent: "latest" }, { os: bufferSource(content) });
    contents.set(point.name, content);
    return point.name;
  };
  const to = await openFsStore("/copy", { files: target.files, create: true });
  const first = [await add(firstKey, "a", 1), await add(firstKey, "b", 2)];
  const begun = target.steps;
  await copy(source, to);
  const firstDone = target.steps;
  const second = [await add(firstKey, "a", 3)];
  await rekey(source, firstKey, { newEpoch: true, slots: { main: secondKey } });
  second.push(await add(secondKey, "c", 4));
  await copy(source, to);
  const secondDone = target.steps;

  const random = seededRandom(seed);
  const fates: readonly (() => "whole" | "torn" | "lost")[] = [
    () => "lost",
    () => "whole",
    () => (random() < 0.5 ? "lost" : random() < 0.5 ? "torn" : "whole"),
  ];
  for (let state = 0; state < wantedStates; state += 1) {
    const steps = begun + Math.floor((state * (secondDone - begun + 1)) / wantedStates);
    const { files } = target.afterPowerCut(steps, fates[state % fates.length]!);
    const where = `after ${steps} of ${secondDone} steps, state ${state}, seed ${seed}`;
    try {
      const store = await openFsStore("/copy", { files, trustFileSystem: true, create: true });
      const acknowledged = steps >= secondDone ? [...first, ...second] : steps >= firstDone ? first : [];
      const hasConfig = (await store.list("config/")[Symbol.asyncIterator]().next()).done !== true;
      if (hasConfig) await checkCopy(store, acknowledged);
      else assert.equal(acknowledged.length, 0);
      await copy(source, store);
      await checkCopy(store, [...first, ...second]);
    } catch (cause) {
      throw new Error(where, { cause });
    }
  }
});
