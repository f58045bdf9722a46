// Every decoder meets bytes that nobody wrote: it answers with a value or with a named error, in
// bounded time and memory.

import assert from "node:assert/strict";
import { test } from "node:test";
import { HoldfastError } from "../../src/lib/errors.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { memoryStore } from "../../src/store/backends/memory.ts";
import { ByteReader, ByteWriter } from "../../src/store/format/bytes.ts";
import { decodeIndex, encodeIndex } from "../../src/store/format/index-object.ts";
import { objectKinds } from "../../src/store/format/layout.ts";
import { decodeLeaf, decodeNode, encodeLeaf, encodeNode } from "../../src/store/format/map.ts";
import {
  decodeEntries,
  encodeEntries,
  readEntries,
  openBlob,
  openDirectory,
  makeShape,
} from "../../src/store/format/pack.ts";
import { openPointDocument } from "../../src/store/format/point.ts";
import { headerLength, readHeader, seal, unseal } from "../../src/store/format/sealed.ts";
import { parsePointName } from "../../src/store/format/object-names.ts";
import { decodeConfig } from "../../src/store/keys/config.ts";
import { packKey } from "../../src/store/keys/vault-keys.ts";
import { parseRecoveryKey, printRecoveryKey } from "../../src/store/keys/recovery.ts";
import { PackBuilder } from "../../src/store/pipeline/pack-builder.ts";
import { listPoints, openVault, verify } from "../../src/store/index.ts";
import { backUp, bufferSource, gathered, newTestVault, patterned, testKey } from "../../src/store/testing/vaults.ts";

const isLong = process.env["HOLDFAST_TEST_LONG"] === "1";
const mutations = isLong ? 1_000_000 : 20_000;
const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? 1);
const random = seededRandom(seed);
const below = (limit: number): number => Math.floor(random() * limit);

function mutate(original: Buffer): Buffer {
  let bytes = Buffer.from(original);
  for (let change = below(3); change >= 0; change -= 1) {
    const at = below(bytes.length + 1);
    switch (below(6)) {
      case 0:
        if (at < bytes.length) bytes[at] = below(256);
        break;
      case 1:
        if (at < bytes.length) bytes[at]! ^= 1 << below(8);
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(below(9), below(256)), bytes.subarray(at)]);
        break;
      case 4:
        bytes.fill(0xff, at, Math.min(bytes.length, at + 8));
        break;
      default: {
        const from = below(bytes.length + 1);
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + 40), bytes.subarray(at)]);
      }
    }
  }
  return bytes;
}

function expectNamed(what: string, original: Buffer, bytes: Buffer, decode: (bytes: Buffer) => void): void {
  try {
    decode(bytes);
  } catch (error) {
    if (error instanceof HoldfastError) return;
    throw new Error(`${what} (seed ${seed}) with ${bytes.toString("hex", 0, 200)} of ${original.length} bytes`, {
      cause: error,
    });
  }
}

test(`${mutations} mutated inputs of every decoder end in a value or a named error (seed ${seed})`, async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const point = await backUp(vault, { item: "a" }, { os: bufferSource(patterned(100_000, 1)) });
  const { keys } = vault;
  const id = (fill: number): Buffer => Buffer.alloc(32, fill);
  const leaf = encodeLeaf({
    extents: [
      { start: 0, length: 256, id: id(1), offset: 0 },
      { start: 256, length: 3, id: id(2), offset: 5 },
      { start: 300, length: 1, id: id(1), offset: 9 },
    ],
    regionHashes: new Map([[1, id(3)]]),
  });
  const node = encodeNode({
    level: 1,
    children: new Map([
      [0, id(1)],
      [7, id(2)],
    ]),
  });
  const builder = new PackBuilder(keys, 1, new ArrayBuffer(65_536), keys.nameHash);
  const entry = builder.append(id(4), 0, patterned(9000, 2));
  const pack = builder.finish();
  const packBytes = Buffer.from(builder.memory, 0, pack.size);
  const index = encodeIndex(["aa".repeat(32)], [pack]);
  const entries = new ByteWriter();
  encodeEntries(entries, pack.entries);
  const key = packKey(keys, pack.epoch, pack.salt);
  const sealed = seal(keys, objectKinds.collection, "x", Buffer.from('{"v":1}'));
  const printed = Buffer.from(printRecoveryKey(id(5)));
  const pointBytes = await store.get(`points/${point.name}`);
  const config = await store.get("config/00000001");
  const stored = packBytes.subarray(entry.offset, entry.offset + entry.storedLength);

  const decoders: readonly (readonly [string, Buffer, (bytes: Buffer) => void])[] = [
    ["leaf", leaf, (bytes) => void decodeLeaf(bytes, "leaf")],
    ["node", node, (bytes) => void decodeNode(bytes, 1, "node")],
    ["index", index, (bytes) => decodeIndex(bytes, "index", { replaces: () => {}, pack: () => {} })],
    [
      "entries",
      Buffer.from(entries.finish()),
      (bytes) => void decodeEntries(readEntries(new ByteReader(bytes, "entries"), 1 << 20)),
    ],
    [
      "header",
      packBytes.subarray(0, headerLength),
      (bytes) => void readHeader(bytes, objectKinds.pack, keys.vaultId, "pack"),
    ],
    [
      "directory",
      packBytes.subarray(entry.offset + entry.storedLength, pack.size - 4),
      (bytes) =>
        void openDirectory(
          key,
          readHeader(packBytes, objectKinds.pack, keys.vaultId, "pack"),
          entry.offset + entry.storedLength,
          bytes,
          "pack",
        ),
    ],
    ["blob", stored, (bytes) => void openBlob(key, entry, bytes)],
    [
      "blob shape",
      stored,
      (bytes) => void openBlob(key, { ...entry, shape: makeShape(0, below(1 << 20), below(2) === 1) }, bytes),
    ],
    ["sealed", sealed, (bytes) => void unseal(keys, objectKinds.collection, "x", bytes, 1 << 20)],
    ["point", pointBytes, (bytes) => void openPointDocument(keys, point.name, bytes)],
    ["config", config, (bytes) => void decodeConfig(bytes, "config")],
    ["recovery key", printed, (bytes) => void parseRecoveryKey(bytes.toString("latin1"))],
    ["point name", Buffer.from(point.name), (bytes) => void parsePointName(bytes.toString("latin1"))],
  ];
  for (const [what, original, decode] of decoders) {
    if (what !== "blob shape") decode(original);
    for (let round = 0; round < mutations / decoders.length; round += 1)
      expectNamed(what, original, mutate(original), decode);
  }
});

test("what is sealed correctly and says nonsense is refused by name as well", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const name = parsePointName("a/000000000000001-0123456789abcdef");
  for (const content of ["", "null", "[]", '{"v":2}', '{"v":1,"disks":7}', "{", '{"v":1,"item":"a","id":"x"}']) {
    const sealed = seal(vault.keys, objectKinds.point, name, Buffer.from(content));
    assert.throws(() => openPointDocument(vault.keys, name, sealed), { code: "ObjectDamaged" }, content);
  }
});

test("a vault with any one object mutated opens, lists and verifies, or fails by name", async () => {
  const original = memoryStore();
  {
    await using vault = await newTestVault(original);
    await backUp(vault, { item: "a" }, { os: bufferSource(patterned(300_000, 1)) });
    await backUp(vault, { item: "a", parent: "latest" }, { os: bufferSource(patterned(300_000, 2)) });
  }
  const objects = await gathered(original.list(""));
  for (let round = 0; round < (isLong ? 600 : 40); round += 1) {
    const store = memoryStore();
    const chosen = below(objects.length);
    for (const [position, { name }] of objects.entries()) {
      const bytes = await original.get(name);
      if (position !== chosen) await store.put(name, bytes);
      else if (below(5) > 0) await store.put(name, mutate(bytes));
    }
    try {
      await using vault = await openVault(store, testKey, { workers: 1 });
      await listPoints(vault);
      await verify(vault);
    } catch (error) {
      if (!(error instanceof HoldfastError))
        throw new Error(`${objects[chosen]?.name}, seed ${seed}`, { cause: error });
    }
  }
});
