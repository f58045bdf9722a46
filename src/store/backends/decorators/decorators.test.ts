import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { objectErrors } from "../errors.ts";
import { memoryStore } from "../memory.ts";
import type { ObjectStore } from "../object-store.ts";
import { faultyStore, type FaultRule } from "../testing/faulty-store.ts";
import { code, collect, objectStoreContract } from "../testing/object-store-contract.ts";
import { withMetrics, type StoreRequest } from "./metrics.ts";
import { withoutWriting } from "./read-only.ts";
import { withRetry } from "./retry.ts";
import { withThrottle } from "./throttle.ts";

const supports = { objectLock: true, atomicCreate: true, contentCheck: true };
const unreachable = (): Error => objectErrors.StoreUnreachable("The line is down.");
const lost = (operation: "put" | "delete", times = 1): FaultRule => ({
  operation,
  times,
  fault: { kind: "fail", when: "after", error: unreachable },
});
const quick = { firstDelayMilliseconds: 1, maxDelayMilliseconds: 2, attempts: 40 };

const decorators: Record<string, (store: ObjectStore) => ObjectStore> = {
  "retry over a store that fails a third of all requests": (store) =>
    withRetry(
      faultyStore(
        store,
        [
          { probability: 0.2, fault: { kind: "fail", when: "before", error: unreachable } },
          { probability: 0.2, fault: { kind: "fail", when: "after", error: unreachable } },
        ],
        42,
      ),
      quick,
    ),
  throttle: (store) => withThrottle(store, { bytesPerSecond: 1e9, requestsPerSecond: 1e5 }),
  metrics: (store) => withMetrics(store, () => {}),
  "fault injection without rules": (store) => faultyStore(store, [], 1),
};

for (const [name, decorate] of Object.entries(decorators)) {
  objectStoreContract(
    name,
    async () => {
      const store = memoryStore();
      return { store: decorate(store), again: decorate(store), close: async () => {} };
    },
    { supports },
  );
}

describe("retry", () => {
  it("does not take its own object for somebody else's when the answer was lost", async () => {
    const store = withRetry(faultyStore(memoryStore(), [lost("put")], 1), quick);
    await store.put("a", Buffer.from("mine"), { onlyIfAbsent: true });
    assert.equal((await store.get("a")).toString(), "mine");
  });

  it("begins a listing again that gets no answer, and ends the request that hangs", async () => {
    const memory = memoryStore();
    for (const name of ["a", "b", "c"]) await memory.put(name, Buffer.from(name));
    const ended: unknown[] = [];
    let hangs = true;
    const hanging: ObjectStore = {
      ...memory,
      list: async function* (prefix, signal) {
        for await (const info of memory.list(prefix, signal)) {
          if (info.name === "b" && hangs) {
            hangs = false;
            await new Promise((_, reject) => {
              signal?.addEventListener("abort", () => {
                ended.push(info.name);
                reject(signal.reason);
              });
            });
          }
          yield info;
        }
      },
    };
    const store = withRetry(hanging, { ...quick, attemptMilliseconds: 20 });
    assert.deepEqual(
      (await collect(store.list(""))).map(({ name }) => name),
      ["a", "b", "c"],
    );
    assert.deepEqual(ended, ["b"]);
  });

  it("still reports somebody else's object after a lost answer", async () => {
    const memory = memoryStore();
    await memory.put("a", Buffer.from("theirs"));
    const rule: FaultRule = { times: 1, fault: { kind: "fail", when: "before", error: unreachable } };
    const store = withRetry(faultyStore(memory, [rule], 1), quick);
    await assert.rejects(store.put("a", Buffer.from("mine"), { onlyIfAbsent: true }), code("ObjectExists"));
  });

  it("reports an object that was there before the first attempt, even when it is equal", async () => {
    const memory = memoryStore();
    await memory.put("a", Buffer.from("same"));
    const store = withRetry(memory, quick);
    await assert.rejects(store.put("a", Buffer.from("same"), { onlyIfAbsent: true }), code("ObjectExists"));
  });

  it("goes on with a listing where it broke", async () => {
    const memory = memoryStore();
    for (let index = 0; index < 50; index += 1) await memory.put(`o/${index + 100}`, Buffer.from("x"));
    const rule: FaultRule = {
      operation: "list",
      probability: 0.3,
      fault: { kind: "fail", when: "before", error: unreachable },
    };
    // A break ends the listing: as with a service, the generator cannot be continued.
    const infos = await collect(withRetry(faultyStore(memory, [{ ...rule, times: 5 }], 7), quick).list("o/"));
    assert.deepEqual(
      infos.map((info) => info.name),
      Array.from({ length: 50 }, (_, index) => `o/${index + 100}`),
    );
  });

  it("does not repeat what will not pass", async () => {
    const requests: StoreRequest[] = [];
    const store = withRetry(
      withMetrics(memoryStore(), (request) => requests.push(request)),
      quick,
    );
    await assert.rejects(store.get("a"), code("ObjectMissing"));
    assert.equal(requests.length, 1);
  });

  it("gives up after the last attempt with the store's own error", async () => {
    const rule: FaultRule = { fault: { kind: "fail", when: "before", error: unreachable } };
    const store = withRetry(faultyStore(memoryStore(), [rule], 1), { ...quick, attempts: 3 });
    await assert.rejects(store.get("a"), code("StoreUnreachable"));
  });

  it("gives up a request that hangs and sends it again", async () => {
    const memory = memoryStore();
    await memory.put("a", Buffer.from("x"));
    const rule: FaultRule = { operation: "get", times: 1, fault: { kind: "slow", milliseconds: 60_000 } };
    const store = withRetry(faultyStore(memory, [rule], 1), { ...quick, attemptMilliseconds: 20 });
    assert.equal((await store.get("a", { length: 1 })).toString(), "x");
  });

  it("stops at once when it is told to", async () => {
    const rule: FaultRule = { fault: { kind: "slow", milliseconds: 60_000 } };
    const store = withRetry(faultyStore(memoryStore(), [rule], 1));
    const stop = new AbortController();
    const reading = store.get("a", { signal: stop.signal });
    stop.abort(new Error("stopped"));
    await assert.rejects(reading, /stopped/);
  });
});

describe("throttle", () => {
  it("lets so many bytes and requests a second pass", async () => {
    let now = 0;
    const timer = {
      now: () => now,
      sleep: async (milliseconds: number) => {
        now += milliseconds;
      },
    };
    const store = withThrottle(memoryStore(), { bytesPerSecond: 1000, timer });
    for (let index = 0; index < 10; index += 1) await store.put(`o${index}`, Buffer.alloc(500));
    assert.equal(now, 5000 - 100);
    await store.get("o1");
    await store.get("o1", { offset: 0, length: 250 });
    assert.equal(now, 5750 - 100);
    const requests = withThrottle(memoryStore(), { requestsPerSecond: 2, timer });
    const start = now;
    for (let index = 0; index < 8; index += 1) await requests.head("a");
    assert.equal(now - start, 4000 - 100);
  });
});

describe("metrics", () => {
  it("tells what was asked, how much came and how it ended", async () => {
    const seen: string[] = [];
    const store = withMetrics(memoryStore(), ({ operation, bytes, outcome }) =>
      seen.push(`${operation} ${bytes} ${outcome}`),
    );
    await store.put("a", [Buffer.from("12"), Buffer.from("345")]);
    await store.get("a", { offset: 1 });
    await assert.rejects(store.put("a", Buffer.from("x"), { onlyIfAbsent: true }));
    await store.delete("a");
    assert.deepEqual(seen, ["put 5 ok", "get 4 ok", "put 0 ObjectExists", "delete 0 ok"]);
  });
});

describe("read-only", () => {
  it("reads everything and changes nothing", async () => {
    const memory = memoryStore();
    await memory.put("a", Buffer.from("x"));
    const store = withoutWriting(memory);
    assert.equal((await store.get("a")).toString(), "x");
    assert.equal((await collect(store.list(""))).length, 1);
    await assert.rejects(store.put("b", Buffer.from("x")), code("StoreReadOnly"));
    await assert.rejects(store.delete("a"), code("StoreReadOnly"));
    assert.equal((await memory.head("a"))?.size, 1);
  });
});

describe("fault injection", () => {
  it("does the same again for the same seed", async () => {
    const outcomes = async (seed: number): Promise<string> => {
      const rule: FaultRule = { probability: 0.5, fault: { kind: "fail", when: "before", error: unreachable } };
      const store = faultyStore(memoryStore(), [rule], seed);
      let text = "";
      for (let index = 0; index < 40; index += 1)
        text += await store.head("a").then(
          () => "+",
          () => "-",
        );
      return text;
    };
    assert.equal(await outcomes(5), await outcomes(5));
    assert.notEqual(await outcomes(5), await outcomes(6));
  });

  it("flips one bit, and stores half", async () => {
    const memory = memoryStore();
    const content = Buffer.alloc(1000, 7);
    await faultyStore(memory, [{ fault: { kind: "corrupt" } }], 1).put("bit", content);
    const stored = await memory.get("bit");
    assert.equal(stored.filter((byte, index) => byte !== content[index]).length, 1);
    await faultyStore(memory, [{ fault: { kind: "partial" } }], 1).put("half", content);
    assert.equal((await memory.head("half"))?.size, 500);
  });
});
