// Random histories of a vault with two writers in two processes (two open vaults over one store),
// compared with the obvious model: a map from points to contents.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { memoryStore } from "../../src/store/backends/memory.ts";
import type { ObjectStore } from "../../src/store/backends/object-store.ts";
import {
  beginSession,
  collect,
  defaultLimits,
  deletePoint,
  listPoints,
  openDisk,
  readPoint,
  rekey,
  undeletePoint,
  verify,
  type BackupSession,
  type PointName,
  type Vault,
} from "../../src/store/index.ts";
import { bufferSource, newTestVault, openTestVault, patterned, testKey } from "../../src/store/testing/vaults.ts";

const isLong = process.env["HOLDFAST_TEST_LONG"] === "1";
const runs = isLong ? 2000 : 60;
const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? 1);
const pages = 12;
const items = ["a", "b"] as const;
const limits = { ...defaultLimits, windowMilliseconds: 0, patienceMilliseconds: 1e12, mergeFrom: 3 };

interface Model {
  readonly points: Map<PointName, Buffer>;
  readonly deleted: Map<PointName, Buffer>;
  /** What the disk of each item holds now. */
  readonly disks: Map<string, Buffer>;
  readonly open: (undefined | { session: BackupSession; content: Buffer })[];
}

interface Real {
  readonly store: ObjectStore;
  readonly vaults: Vault[];
}

type Command = fc.AsyncCommand<Model, Real>;

function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return { check: () => true, run, toString: () => name };
}

const pick = <T>(values: Iterable<T>, choice: number): T | undefined => {
  const all = [...values];
  return all[choice % Math.max(1, all.length)];
};

const writer = fc.nat(1);
const choice = fc.nat(1000);

const commands = [
  fc.tuple(choice, choice, choice).map(([item, page, fill]) =>
    command(`change ${item % 2} page ${page % pages} to ${fill % 4}`, async (model) => {
      model.disks.get(items[item % 2]!)?.fill(fill % 4, (page % pages) * 4096, (page % pages) * 4096 + 4096);
    }),
  ),
  fc.tuple(writer, choice, fc.boolean()).map(([who, item, isIncrement]) =>
    command(`begin ${who} item ${item % 2}${isIncrement ? " incrementally" : ""}`, async (model, real) => {
      const name = items[item % 2]!;
      const content = Buffer.from(model.disks.get(name)!);
      await model.open[who]?.session.abandon();
      model.open[who] = undefined;
      const session = await beginSession(real.vaults[who]!, { item: name, parent: isIncrement ? "latest" : undefined });
      await session.addDisk("os", bufferSource(content));
      model.open[who] = { session, content };
    }),
  ),
  fc.tuple(writer, fc.boolean()).map(([who, commits]) =>
    command(`${commits ? "commit" : "abandon"} ${who}`, async (model) => {
      const open = model.open[who];
      if (open === undefined) return;
      model.open[who] = undefined;
      if (commits) model.points.set((await open.session.commit()).name, open.content);
      else await open.session.abandon();
    }),
  ),
  fc.tuple(writer, choice).map(([who, which]) =>
    command(`delete by ${who} point ${which}`, async (model, real) => {
      const name = pick(model.points.keys(), which);
      if (name === undefined) return;
      await deletePoint(real.vaults[who]!, name);
      model.deleted.set(name, model.points.get(name)!);
      model.points.delete(name);
    }),
  ),
  fc.tuple(writer, choice).map(([who, which]) =>
    command(`undelete by ${who} point ${which}`, async (model, real) => {
      const name = pick(model.deleted.keys(), which);
      if (name === undefined) return;
      await undeletePoint(real.vaults[who]!, name);
      model.points.set(name, model.deleted.get(name)!);
      model.deleted.delete(name);
    }),
  ),
  writer.map((who) =>
    command(`collect by ${who}`, async (model, real) => {
      const { plan } = await collect(real.vaults[who]!, { limits });
      for (const name of plan.purgePoints) model.deleted.delete(name);
    }),
  ),
  writer.map((who) =>
    command(`verify by ${who}`, async (_model, real) => {
      assert.deepEqual((await verify(real.vaults[who]!)).broken, []);
    }),
  ),
  writer.map((who) =>
    command(`new epoch and reopening ${who}`, async (model, real) => {
      if (model.open[who] !== undefined) return;
      await rekey(real.store, testKey, { newEpoch: true });
      await real.vaults[who]![Symbol.asyncDispose]();
      real.vaults[who] = await openTestVault(real.store);
    }),
  ),
  choice.map((which) =>
    command("lose the index", async (_model, real) => {
      const names: string[] = [];
      for await (const { name } of real.store.list("index/")) names.push(name);
      const lost = pick(names, which);
      if (lost !== undefined) await real.store.delete(lost);
    }),
  ),
];

async function checkAll(model: Model, real: Real): Promise<void> {
  const { points, problems } = await listPoints(real.vaults[0]!);
  assert.deepEqual(points.map(({ name }) => name).sort(), [...model.points.keys()].sort());
  assert.deepEqual(problems, []);
  for (const [name, content] of model.points) {
    const restored = Buffer.alloc(content.length);
    const vault = real.vaults[1]!;
    await (await openDisk(vault, await readPoint(vault, name), "os")).read(restored, 0);
    assert.ok(restored.equals(content), `point ${name}`);
  }
}

test(`${runs} random histories of two writers (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 40, size: "max" }), async (history) => {
      const store = memoryStore();
      const real: Real = { store, vaults: [await newTestVault(store), await openTestVault(store)] };
      const model: Model = {
        points: new Map(),
        deleted: new Map(),
        disks: new Map(items.map((item, index) => [item, patterned(pages * 4096, index)])),
        open: [],
      };
      try {
        await fc.asyncModelRun(() => ({ model, real }), history);
        for (const open of model.open)
          if (open !== undefined) model.points.set((await open.session.commit()).name, open.content);
        await checkAll(model, real);
        for (let round = 0; round < 3; round += 1) await collect(real.vaults[0]!, { limits });
        await checkAll(model, real);
      } finally {
        for (const vault of real.vaults) await vault[Symbol.asyncDispose]();
      }
    }),
    { numRuns: runs, seed, endOnFailure: false },
  );
});
