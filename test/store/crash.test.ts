// After a power cut at any moment, every point that was acknowledged and not deleted restores
// byte-identical, and the vault goes on working.

import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/lib/random.ts";
import { openFsStore } from "../../src/store/backends/fs.ts";
import type { ObjectStore } from "../../src/store/backends/object-store.ts";
import {
  beginSession,
  collect,
  createVault,
  defaultLimits,
  deletePoint,
  keyFromBytes,
  listPoints,
  openDisk,
  openVault,
  readPoint,
  rekey,
  type KeyProvider,
  type Point,
  type Vault,
} from "../../src/store/index.ts";
import { backUp, bufferSource, patterned } from "../../src/store/testing/vaults.ts";
import { recordingDisk } from "./recording-disk.ts";

const isLong = process.env["HOLDFAST_TEST_LONG"] === "1";
const wantedStates = isLong ? 6000 : 500;
const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? 1);
const size = 48 * 1024;
const limits = { ...defaultLimits, windowMilliseconds: 0, patienceMilliseconds: 1e12, mergeFrom: 4 };

const firstKey = keyFromBytes(Buffer.alloc(32, 1));
const secondKey = keyFromBytes(Buffer.alloc(32, 2));

interface Acknowledged {
  readonly point: Point;
  readonly content: Buffer;
  /** Steps after which it must be there, and after which it need not be any more. */
  readonly from: number;
  until: number;
}

interface Recorded {
  readonly disk: ReturnType<typeof recordingDisk>;
  readonly points: readonly Acknowledged[];
  /** From this step on there is a vault. */
  readonly created: number;
}

/** Adds, increments, two writers, deletion, collections with repacking, rekeying: once, recorded. */
async function recordLife(): Promise<Recorded> {
  const disk = recordingDisk();
  const store = await openFsStore("/vault", { files: disk.files, create: true });
  await createVault(store, firstKey, { packTarget: 1 << 16, nameHash: "sha256" });
  const created = disk.steps;
  const points: Acknowledged[] = [];
  const add = async (vault: Vault, item: string, content: Buffer): Promise<Acknowledged> => {
    const point = await backUp(vault, { item, parent: "latest" }, { os: bufferSource(content) });
    const acknowledged = { point, content, from: disk.steps, until: Infinity };
    points.push(acknowledged);
    return acknowledged;
  };
  const remove = async (vault: Vault, acknowledged: Acknowledged): Promise<void> => {
    acknowledged.until = disk.steps;
    await deletePoint(vault, acknowledged.point.name);
  };

  const content = patterned(size, 1);
  {
    await using vault = await openVault(store, firstKey, { workers: 1 });
    await add(vault, "a", Buffer.from(content));
    content.fill(7, 4096, 8192);
    const second = await add(vault, "a", Buffer.from(content));
    await using session = await beginSession(vault, { item: "b" });
    await session.addDisk("os", bufferSource(patterned(size, 2)));
    await add(vault, "c", patterned(size, 3));
    const other = await session.commit();
    points.push({ point: other, content: patterned(size, 2), from: disk.steps, until: Infinity });
    await remove(vault, second);
    await collect(vault, { limits });
    await collect(vault, { limits });
  }
  await rekey(store, firstKey, { newEpoch: true, slots: { second: secondKey } });
  await rekey(store, secondKey, { slots: { main: undefined } });
  await using vault = await openVault(store, secondKey, { workers: 1 });
  content.fill(9, 0, 4096);
  await add(vault, "a", Buffer.from(content));
  const last = points.find(({ point }) => point.item === "c");
  if (last !== undefined) await remove(vault, last);
  for (let round = 0; round < 3; round += 1) {
    content.fill(20 + round, 12288, 16384);
    await add(vault, "a", Buffer.from(content));
    await collect(vault, { limits });
  }
  return { disk, points, created };
}

async function openWithAnyKey(store: ObjectStore): Promise<Vault> {
  const attempts: unknown[] = [];
  for (const key of [firstKey, secondKey] satisfies KeyProvider[]) {
    try {
      return await openVault(store, key, { workers: 1 });
    } catch (error) {
      attempts.push(error);
    }
  }
  throw new AggregateError(attempts, "No key opens the vault");
}

async function checkState(
  { disk, points, created }: Recorded,
  steps: number,
  keep: () => "whole" | "torn" | "lost",
): Promise<void> {
  const after = disk.afterPowerCut(steps, keep);
  if (steps < created) return;
  const store = await openFsStore("/vault", { files: after.files, trustFileSystem: true });
  await using vault = await openWithAnyKey(store);
  for (const { point, content, from, until } of points) {
    if (from > steps || until < steps) continue;
    const found = await readPoint(vault, point.name);
    const restored = Buffer.alloc(size);
    await (await openDisk(vault, found, "os")).read(restored, 0);
    assert.ok(restored.equals(content), `point ${point.name}`);
  }
  // Whatever is listed restores, acknowledged or not.
  for (const point of (await listPoints(vault)).points) {
    await (await openDisk(vault, point, "os")).read(Buffer.alloc(size), 0);
  }
}

test(`${wantedStates} states after power cuts (seed ${seed}): every acknowledged point restores`, async (context) => {
  const recorded = await recordLife();
  const random = seededRandom(seed);
  const fates: readonly (() => "whole" | "torn" | "lost")[] = [
    () => "lost",
    () => "whole",
    () => (random() < 0.5 ? "lost" : random() < 0.5 ? "torn" : "whole"),
  ];
  const range = recorded.disk.steps - recorded.created;
  let states = 0;
  for (; states < wantedStates; states += 1) {
    const steps = recorded.created + Math.floor((states * (range + 1)) / wantedStates);
    const fate = fates[states % fates.length] ?? fates[0]!;
    try {
      await checkState(recorded, steps, fate);
    } catch (error) {
      throw new Error(`after ${steps} of ${recorded.disk.steps} steps, state ${states}, seed ${seed}`, {
        cause: error,
      });
    }
  }
  context.diagnostic(`${states} states of ${recorded.disk.steps} steps`);
});

test("after a power cut during a collection, the next backup and collection succeed", async () => {
  const recorded = await recordLife();
  const random = seededRandom(seed + 1);
  for (let round = 0; round < (isLong ? 60 : 6); round += 1) {
    const steps = recorded.created + Math.floor(random() * (recorded.disk.steps - recorded.created));
    const after = recorded.disk.afterPowerCut(steps, () => (random() < 0.5 ? "lost" : "whole"));
    const store = await openFsStore("/vault", { files: after.files, trustFileSystem: true });
    await using vault = await openWithAnyKey(store);
    const content = patterned(size, 100 + round);
    const point = await backUp(vault, { item: "a", parent: "latest" }, { os: bufferSource(content) });
    for (let again = 0; again < 3; again += 1)
      await collect(vault, { limits: { ...limits, patienceMilliseconds: -1 } });
    const restored = Buffer.alloc(size);
    await (await openDisk(vault, await readPoint(vault, point.name), "os")).read(restored, 0);
    assert.ok(restored.equals(content), `round ${round}, ${steps} steps`);
    for (const { point: old, content: expected, from, until } of recorded.points) {
      if (from > steps || until < steps) continue;
      await (await openDisk(vault, await readPoint(vault, old.name), "os")).read(restored, 0);
      assert.ok(restored.equals(expected), `point ${old.name} after ${steps} steps`);
    }
  }
});
