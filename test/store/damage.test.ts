// What is changed, lost, swapped, replayed or foreign is noticed and named; everything else stays
// readable; the next backup or a second copy heals.

import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/lib/random.ts";
import { HoldfastError } from "../../src/lib/errors.ts";
import { memoryStore } from "../../src/store/backends/memory.ts";
import type { ObjectStore } from "../../src/store/backends/object-store.ts";
import {
  addRecoveryKey,
  beginSession,
  collect,
  createVault,
  defaultLimits,
  describeVault,
  exportConfig,
  importConfig,
  keyFromBytes,
  keyFromPassphrase,
  keyFromService,
  listPoints,
  openVault,
  parseRecoveryKey,
  readDisk,
  rekey,
  repair,
  scrub,
  verify,
  deletePoint,
  type DiskSource,
} from "../../src/store/index.ts";
import {
  backUp,
  bufferSource,
  gathered,
  newTestVault,
  openTestVault,
  patterned,
  restore,
  testKey,
} from "../../src/store/testing/vaults.ts";

const MiB = 1024 * 1024;
const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? 1);

async function copyOf(store: ObjectStore): Promise<ObjectStore> {
  const copy = memoryStore();
  for (const { name } of await gathered(store.list(""))) await copy.put(name, await store.get(name));
  return copy;
}

test("64 flipped bits are each found by scrub and by verify, and healed by a second copy or by the next backup", async () => {
  const store = memoryStore();
  const content = patterned(2 * MiB + 5000, 1);
  {
    await using vault = await newTestVault(store);
    await backUp(vault, { item: "a" }, { os: bufferSource(content) });
  }
  const whole = await copyOf(store);
  const packs = (await gathered(store.list("packs/"))).map(({ name }) => name);
  const random = seededRandom(seed);
  for (let flip = 0; flip < 64; flip += 1) {
    const name = packs[flip % packs.length]!;
    const good = await store.get(name);
    const bad = Buffer.from(good);
    const bit = Math.floor(random() * bad.length * 8);
    bad[bit >> 3]! ^= 1 << (bit & 7);
    await store.put(name, bad);
    const findings = await scrub(store);
    assert.deepEqual(
      findings.map(({ object, problem }) => [object, problem]),
      [[name, "changed"]],
      `bit ${bit} of ${name}`,
    );
    await using vault = await openTestVault(store);
    const found = await verify(vault);
    assert.deepEqual(
      found.badPacks.map((hash) => name.endsWith(hash)),
      [true],
      `bit ${bit} of ${name}`,
    );
    if (flip % 8 === 0) await healByBackup(await copyOf(store), content);
    const { stillBad } = await repair(vault, whole);
    assert.deepEqual(stillBad, []);
    assert.deepEqual(await scrub(store), []);
    assert.deepEqual((await verify(vault)).broken, []);
  }
});

async function healByBackup(store: ObjectStore, content: Buffer): Promise<void> {
  await using vault = await openTestVault(store);
  const point = await backUp(vault, { item: "a", parent: "latest" }, { os: bufferSource(content) });
  assert.ok((await restore(vault, point, "os")).equals(content));
  const { broken, pointsChecked } = await verify(vault);
  assert.deepEqual([broken, pointsChecked], [[], 2], "the next backup heals the older point too");
}

test("a lost pack breaks the points that need it only, and a backup by bitmap notices and heals", async () => {
  const store = memoryStore();
  const content = patterned(3 * MiB, 2);
  await using vault = await newTestVault(store);
  await backUp(vault, { item: "b" }, { os: bufferSource(patterned(MiB, 3)) });
  const before = new Set((await gathered(store.list("packs/"))).map(({ name }) => name));
  const point = await backUp(vault, { item: "a" }, { os: bufferSource(content) });
  const lost = (await gathered(store.list("packs/"))).filter(
    ({ name, size }) => !before.has(name) && size > 300_000,
  )[0]!;
  await store.delete(lost.name);
  await using reopened = await openTestVault(store);
  const { broken, pointsChecked } = await verify(reopened);
  assert.equal(pointsChecked, 2);
  assert.deepEqual(
    broken.map(({ name }) => name),
    [point.name],
  );
  const damage: number[] = [];
  await readDisk(
    reopened,
    point,
    "os",
    { write: async () => {} },
    { onDamage: ({ length }) => void damage.push(length) },
  );
  assert.deepEqual(damage, [MiB], "the other regions are readable");
  await using session = await beginSession(reopened, { item: "a", parent: "latest" });
  const added = await session.addDisk("os", bufferSource(content, { dirty: [] }));
  assert.match(added.parentProblem ?? "", /compared/);
  const healed = await session.commit();
  assert.ok((await restore(reopened, healed, "os")).equals(content));
  assert.ok((await restore(reopened, point, "os")).equals(content));
  assert.deepEqual((await verify(reopened)).broken, []);
});

test("with a second copy, reads go on while a pack is bad here", async () => {
  const store = memoryStore();
  const content = patterned(2 * MiB, 4);
  {
    await using vault = await newTestVault(store);
    await backUp(vault, { item: "a" }, { os: bufferSource(content) });
  }
  const fallback = await copyOf(store);
  for (const { name, size } of await gathered(store.list("packs/"))) await store.put(name, Buffer.alloc(size, 1));
  await using vault = await openTestVault(store, { fallback });
  const [point] = (await listPoints(vault)).points;
  assert.ok((await restore(vault, point!, "os")).equals(content));
  assert.ok(vault.badPacks.size > 0);
});

test("objects that are swapped or brought back under another name do not open", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const one = await backUp(vault, { item: "a" }, { os: bufferSource(patterned(5000, 5)) });
  const two = await backUp(vault, { item: "b" }, { os: bufferSource(patterned(5000, 6)) });
  await store.put(`points/${one.name}`, await store.get(`points/${two.name}`));
  const { points, problems } = await listPoints(vault);
  assert.deepEqual(
    points.map(({ name }) => name),
    [two.name],
  );
  assert.deepEqual(
    problems.map(({ name }) => name),
    [one.name],
  );
});

test("a point that is hidden in the middle of a history is missed", async () => {
  const store = memoryStore();
  let time = 1000;
  await using vault = await newTestVault(store, { clock: { now: () => (time += 1000) } });
  const names = [];
  for (let round = 0; round < 3; round += 1) {
    names.push((await backUp(vault, { item: "a" }, { os: bufferSource(patterned(4096, round)) })).name);
  }
  await store.delete(`points/${names[1]}`);
  assert.deepEqual(
    (await listPoints(vault)).gaps.map(({ name }) => name),
    [names[2]],
  );
});

test("foreign objects, wrong keys and versions from the future have names", async () => {
  const store = memoryStore();
  const other = memoryStore();
  await using vault = await newTestVault(store);
  const point = await backUp(vault, { item: "a" }, { os: bufferSource(patterned(5000, 7)) });
  await using foreign = await newTestVault(other);
  const theirs = await backUp(foreign, { item: "a" }, { os: bufferSource(patterned(5000, 7)) });
  for (const { name } of await gathered(other.list("packs/"))) await store.put(name, await other.get(name));
  await store.put(`points/${theirs.name}`, await other.get(`points/${theirs.name}`));
  await store.put("packs/zz/notes.txt", Buffer.from("hello"));
  await using reopened = await openTestVault(store);
  const { points, problems } = await listPoints(reopened);
  assert.deepEqual(
    points.map(({ name }) => name),
    [point.name],
  );
  assert.match(problems[0]?.message ?? "", /belongs to vault/);
  assert.ok((await restore(reopened, point, "os")).equals(patterned(5000, 7)));
  assert.deepEqual(
    (await scrub(store)).map(({ object, problem }) => [object, problem]),
    [["packs/zz/notes.txt", "foreign"]],
  );

  await assert.rejects(openVault(store, keyFromBytes(Buffer.alloc(32, 9))), { code: "WrongKey" });
  await assert.rejects(openVault(store, keyFromPassphrase("not a passphrase")), { code: "WrongKey" });
  await assert.rejects(openVault(memoryStore(), testKey), { code: "VaultMissing" });
  await assert.rejects(createVault(store, testKey), { code: "VaultExists" });

  const future = await store.get(`points/${point.name}`);
  future[0] = 2;
  await store.put(`points/${point.name}`, future);
  assert.match((await listPoints(reopened)).problems[0]?.message ?? "", /format version 2; this Holdfast reads 1/);
  const config = await store.get("config/00000001");
  config[0] = 2;
  await store.put("config/00000002", config);
  await assert.rejects(openVault(store, testKey), { code: "FormatFromTheFuture" });
});

test("keys: recovery key, passphrase, key service, rotation and removal; an edited config is refused", async () => {
  const store = memoryStore();
  const content = patterned(5000, 8);
  {
    await using vault = await newTestVault(store);
    await backUp(vault, { item: "a" }, { os: bufferSource(content) });
  }
  const exported = await exportConfig(store);
  const printed = await addRecoveryKey(store, testKey);
  const recovery = keyFromBytes(parseRecoveryKey(printed.toLowerCase().replaceAll("-", " ")), "recovery");
  const passphrase = keyFromPassphrase("correct horse battery", { N: 1024, r: 8, p: 1 });
  const service = keyFromService({
    keyId: "https://keys.example/k/1",
    wrap: async (key) => Buffer.from(key).reverse(),
    unwrap: async (wrapped) => Buffer.from(wrapped).reverse(),
  });
  await rekey(store, recovery, { newEpoch: true, slots: { words: passphrase, cloud: service, main: undefined } });
  await assert.rejects(openVault(store, testKey), { code: "WrongKey" });
  await assert.rejects(rekey(store, recovery, { slots: { nobody: undefined } }), { code: "KeySlotMissing" });
  await assert.rejects(rekey(store, recovery, { slots: { words: undefined, cloud: undefined, recovery: undefined } }), {
    code: "LastKeySlot",
  });
  for (const key of [recovery, passphrase, service]) {
    await using vault = await openVault(store, key, { workers: 1 });
    const [point] = (await listPoints(vault)).points;
    assert.ok((await restore(vault, point!, "os")).equals(content));
    await backUp(vault, { item: key.kind }, { os: bufferSource(patterned(5000, 9)) });
  }
  assert.deepEqual((await describeVault(store)).epochs, [1, 2]);
  await assert.rejects(openVault(store, keyFromPassphrase("wrong horse battery")), { code: "WrongKey" });
  assert.throws(() => parseRecoveryKey(printed.replace(/^./, (letter) => (letter === "A" ? "B" : "A"))), {
    code: "KeyDamaged",
  });

  const { name } = (await gathered(store.list("config/")))[0]!;
  const edited = (await store.get(name)).toString("latin1").replace('"packTarget":65536', '"packTarget":65537');
  await store.put(name, Buffer.from(edited, "latin1"));
  await assert.rejects(openVault(store, recovery), { code: "ObjectDamaged" });
  await store.delete(name);
  await importConfig(store, exported, testKey);
  await using old = await openVault(store, testKey, { workers: 1 });
  assert.equal((await listPoints(old)).problems.length, 3, "points of the newer epoch say that the config is too old");
});

test("a disk that fails, ends early or is cancelled leaves no point and no session", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const stopping = new AbortController();
  const sources: [DiskSource, RegExp][] = [
    [
      {
        size: 9 * MiB,
        read: async (_, offset) => {
          if (offset > 0) throw new Error("EIO");
        },
      },
      /SourceFailed/,
    ],
    [
      {
        size: 9 * MiB,
        read: async () => {
          stopping.abort(new Error("cancelled"));
        },
      },
      /cancelled|aborted/i,
    ],
    [
      {
        size: 3 * MiB,
        read: async () => {},
        extents: async function* () {
          yield { offset: 0, length: MiB, kind: "data" };
        },
      },
      /SourceFailed/,
    ],
  ];
  for (const [source, expected] of sources) {
    await assert.rejects(
      async () => {
        await using session = await beginSession(vault, {
          item: "a",
          signal: expected.source.startsWith("canc") ? stopping.signal : undefined,
        });
        await session.addDisk("os", source);
      },
      (error) => error instanceof Error && expected.test(`${error.name} ${error.message}`),
    );
  }
  assert.deepEqual((await listPoints(vault)).points, []);
  assert.deepEqual(await gathered(store.list("sessions/")), []);
  const point = await backUp(vault, { item: "a" }, { os: bufferSource(patterned(MiB, 1)) });
  assert.ok((await restore(vault, point, "os")).equals(patterned(MiB, 1)));
});

test("a store that is full at any write: a named error, older points whole, and the next try succeeds", async () => {
  const inner = memoryStore();
  let writesLeft = Infinity;
  const store: ObjectStore = {
    ...inner,
    put: async (name, content, options) => {
      if (writesLeft <= 0) throw new HoldfastError("StoreFull", { status: 507 }, "No space left.");
      writesLeft -= 1;
      return inner.put(name, content, options);
    },
  };
  const first = patterned(2 * MiB, 1);
  const second = patterned(2 * MiB, 2);
  await using vault = await newTestVault(store);
  const point = await backUp(vault, { item: "a" }, { os: bufferSource(first) });
  let failures = 0;
  for (let room = 0; ; room += 1) {
    writesLeft = room;
    try {
      const made = await backUp(vault, { item: "b", parent: "latest" }, { os: bufferSource(second) });
      writesLeft = Infinity;
      assert.ok((await restore(vault, made, "os")).equals(second));
      break;
    } catch (error) {
      assert.ok(error instanceof HoldfastError && error.code === "StoreFull", String(error));
      failures += 1;
    }
  }
  assert.ok(failures >= 3, `${failures} failures`);
  assert.ok((await restore(vault, point, "os")).equals(first));
  await collect(vault, { limits: { ...defaultLimits, windowMilliseconds: 0, patienceMilliseconds: -1 } });
  assert.deepEqual((await verify(vault)).broken, []);
});

test("a locked point is not deleted, whichever way our clock jumps", async () => {
  let now = Date.parse("2030-01-01");
  const store = memoryStore({ clock: { now: () => 1_900_000_000_000 } });
  await using vault = await newTestVault(store, { clock: { now: () => now } });
  const point = await backUp(
    vault,
    { item: "a", lockedUntil: 1_950_000_000_000 },
    { os: bufferSource(patterned(5000, 1)) },
  );
  for (const jump of [Date.parse("2030-06-01"), Date.parse("2099-01-01"), Date.parse("1999-01-01")]) {
    now = jump;
    await assert.rejects(deletePoint(vault, point.name), { code: "PointLocked" });
  }
});

test("an abnormal deletion stops itself", async () => {
  const store = memoryStore();
  const limits = { ...defaultLimits, windowMilliseconds: 0, patienceMilliseconds: -1, abnormalFromBytes: 1000 };
  await using vault = await newTestVault(store);
  const point = await backUp(vault, { item: "a" }, { os: bufferSource(patterned(MiB, 1)) });
  await deletePoint(vault, point.name);
  await collect(vault, { limits });
  await assert.rejects(collect(vault, { limits }), { code: "AbnormalDeletion" });
  const { deletedBytes } = await collect(vault, { limits, allowAbnormal: true });
  assert.ok(deletedBytes > 0);
});
