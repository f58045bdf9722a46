import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { indexName, packName } from "../format/object-names.ts";
import { copyObjects, planCopy } from "./copy-objects.ts";
import { withMetrics } from "./decorators/metrics.ts";
import { objectErrors } from "./errors.ts";
import { memoryStore } from "./memory.ts";
import type { ObjectStore } from "./object-store.ts";
import { faultyStore } from "./testing/faulty-store.ts";
import { code, collect } from "./testing/object-store-contract.ts";

const hashOf = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
const pointName = (number: number): string => `points/vm/00000000000000${number}-0123456789abcdef`;

async function someVault(): Promise<ObjectStore> {
  const store = memoryStore({ location: "memory:source" });
  await store.put("config/00000001", Buffer.from("config of a vault, so far"));
  for (let number = 1; number <= 8; number += 1) {
    const pack = Buffer.concat([Buffer.from("\u0001P"), randomBytes(1000 + number)]);
    await store.put(packName(hashOf(pack)), pack);
    const index = Buffer.concat([Buffer.from("\u0001I"), randomBytes(100)]);
    await store.put(indexName(hashOf(index)), index);
    await store.put(pointName(number), randomBytes(50));
  }
  await store.put("sessions/0123456789abcdef.open", Buffer.from("a writer at work"));
  return store;
}

const namesIn = async (store: ObjectStore): Promise<string[]> =>
  (await collect(store.list(""))).map(({ name }) => name);

describe("copying a vault to another tier", () => {
  it("copies config, packs, index and points, in that order, and nothing else", async () => {
    const from = await someVault();
    const order: string[] = [];
    const to = memoryStore();
    const recording: ObjectStore = {
      ...to,
      put: (name, content, options) => {
        order.push(name.slice(0, name.indexOf("/")));
        return to.put(name, content, options);
      },
    };
    const plan = await planCopy(from, recording);
    assert.deepEqual([plan.objects, plan.present], [25, 0]);
    const seen: number[] = [];
    const result = await copyObjects(from, recording, plan, {
      readBack: true,
      onProgress: ({ bytes, totalBytes }) => seen.push(bytes / totalBytes),
    });
    assert.equal(result.bytes, plan.bytes);
    assert.equal(seen.at(-1), 1);
    assert.deepEqual([...new Set(order)], ["config", "packs", "index", "points"]);
    assert.deepEqual(
      await namesIn(to),
      (await namesIn(from)).filter((name) => !name.startsWith("sessions/")),
    );
  });

  it("goes on where it broke, and never lists a point whose packs have not arrived", async () => {
    const from = await someVault();
    const to = memoryStore();
    for (let attempt = 1; ; attempt += 1) {
      const fail = () => objectErrors.StoreUnreachable("gone");
      const flaky = faultyStore(
        to,
        [{ operation: "put", probability: 0.2, fault: { kind: "fail", when: "before", error: fail } }],
        attempt,
      );
      const sent: string[] = [];
      const counting = withMetrics(flaky, ({ operation, outcome }) => {
        if (operation === "put" && outcome === "ok") sent.push(outcome);
      });
      const plan = await planCopy(from, counting);
      const before = (await namesIn(to)).length;
      const isDone = await copyObjects(from, counting, plan).then(
        () => true,
        () => false,
      );
      assert.equal((await namesIn(to)).length, before + sent.length);
      const names = await namesIn(to);
      if (names.some((name) => name.startsWith("points/"))) {
        assert.equal(names.filter((name) => name.startsWith("packs/")).length, 8);
      }
      if (isDone) {
        assert.ok(attempt > 1, "a seed that fails at least once");
        break;
      }
    }
    assert.equal((await planCopy(from, to)).objects, 0);
  });

  it("finds a pack that is bad in the source, or that the target falsified", async () => {
    const from = await someVault();
    const bad = (await namesIn(from)).find((name) => name.startsWith("packs/"))!;
    const corrupting = faultyStore(from, [{ operation: "get", name: /^packs/, fault: { kind: "corrupt" } }], 1);
    const plan = await planCopy(from, memoryStore());
    await assert.rejects(copyObjects(corrupting, memoryStore(), plan), code("ObjectCorrupted"));
    const to = memoryStore();
    const lying: ObjectStore = {
      ...to,
      put: (name, content) => to.put(name, name === bad ? Buffer.from("not that") : content),
    };
    await assert.rejects(copyObjects(from, lying, plan, { readBack: true }), code("ObjectCorrupted"));
    assert.deepEqual(
      (await namesIn(to)).filter((name) => name.startsWith("points/")),
      [],
    );
  });

  it("passes over what the source deleted meanwhile", async () => {
    const from = await someVault();
    const plan = await planCopy(from, memoryStore());
    await from.delete(pointName(3));
    const result = await copyObjects(from, memoryStore(), plan);
    assert.deepEqual(result.vanished, [pointName(3)]);
  });

  it("copies no point whose pack was written again elsewhere meanwhile", async () => {
    const from = await someVault();
    const plan = await planCopy(from, memoryStore());
    const [pack] = plan.missing.packs;
    assert.ok(pack !== undefined);
    await from.delete(pack.name);
    const to = memoryStore();
    await assert.rejects(copyObjects(from, to, plan), code("StoreFailed"));
    assert.deepEqual(
      (await namesIn(to)).filter((name) => name.startsWith("points/")),
      [],
    );
  });

  it("does not mix two vaults", async () => {
    const from = await someVault();
    const other = memoryStore();
    await other.put("config/00000001", Buffer.from("CONFIG OF A VAULT"));
    await assert.rejects(planCopy(from, other), code("ObjectExists"));
    const newer = memoryStore();
    await newer.put("config/00000002", Buffer.from("config of a vault"));
    await assert.rejects(planCopy(from, newer), code("ObjectExists"));
    await assert.rejects(planCopy(memoryStore(), other), code("StoreMissing"));
  });

  it("brings a change of keys to the copy, and takes the old ones away there", async () => {
    const from = await someVault();
    const to = memoryStore();
    await copyObjects(from, to, await planCopy(from, to));
    await from.put("config/00000002", Buffer.from("config of a vault, with another key"));
    await from.delete("config/00000001");
    await copyObjects(from, to, await planCopy(from, to));
    assert.deepEqual(
      (await namesIn(to)).filter((name) => name.startsWith("config/")),
      ["config/00000002"],
    );
    const foreign = memoryStore();
    await foreign.put("config/00000001", Buffer.from("config of another vault"));
    await assert.rejects(planCopy(from, foreign), code("ObjectExists"));
  });

  it("does not say that it is done when the keys changed between plan and copy", async () => {
    const from = await someVault();
    const to = memoryStore();
    const plan = await planCopy(from, to);
    await from.put("config/00000002", Buffer.from("config of a vault, with another key"));
    await from.delete("config/00000001");
    await assert.rejects(copyObjects(from, to, plan), code("StoreFailed"));
    await copyObjects(from, to, await planCopy(from, to));
    assert.equal((await planCopy(from, to)).objects, 0);
  });

  it("waits for a collection in the target to end", async () => {
    const to = memoryStore();
    await to.put("collect/00000001.doomed", Buffer.from("x"));
    await assert.rejects(planCopy(await someVault(), to), code("StoreRefused"));
  });
});
