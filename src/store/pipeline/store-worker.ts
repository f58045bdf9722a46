// A thread of the pool: hashes, deduplicates, compresses, encrypts and builds packs; opens and
// compares blobs. Each worker builds packs of its own, one per session, so threads share nothing
// but the table and the slabs.

import { parentPort, workerData, type Transferable } from "node:worker_threads";
import { HoldfastError } from "../../lib/errors.ts";
import { giveBack, ownMemory } from "../../lib/memory.ts";
import { setThreadPriority, type ThreadPriority } from "../../lib/thread-priority.ts";
import { blobKinds, maxIndexSize, objectKinds } from "../format/layout.ts";
import { plainLength } from "../format/pack.ts";
import { unseal } from "../format/sealed.ts";
import { BlobTable } from "../index/blob-table.ts";
import { outlinePacks, putIndexedPacks } from "../index/indexed-packs.ts";
import { addEpochs, blobId, type VaultKeys } from "../keys/vault-keys.ts";
import { storeErrors } from "../errors.ts";
import { comparePages, type PageComparer } from "./compare-pages.ts";
import {
  blockResults,
  resultLength,
  type FromWorker,
  type OpenResult,
  type OpenTask,
  type Space,
  type StoreResult,
  type StoreTask,
  type Task,
  type ToWorker,
  type WorkerSetup,
} from "./messages.ts";
import { rangeOpener } from "./open-range.ts";
import { appendAllowance, PackBuilder } from "./pack-builder.ts";

const setup = workerData as WorkerSetup;
const port = parentPort;
if (port === null) throw storeErrors.WorkerFailed("The store's worker was started as a program.");

const keys: VaultKeys = {
  vaultId: Buffer.from(setup.vaultId),
  nameHash: setup.nameHash,
  idKeys: setup.idKeys.map((key) => Buffer.from(key)),
  epochs: new Map([...setup.epochs].map(([number, key]) => [number, Buffer.from(key)])),
  currentEpoch: setup.currentEpoch,
};
const slabs = Buffer.from(setup.slabs);
const zeros = Buffer.alloc(1 << 20);
const builders = new Map<number, PackBuilder>();
const waiting = new Map<number, (space: Space) => void>();
const ranges = rangeOpener(keys);
const comparer: PageComparer = comparePages(ranges);
/** An unsealed object lies behind a few bytes of its envelope. */
const besideContent = 64;
let table = new BlobTable(setup.table);
let turn = Promise.resolve();

/** Backups yield to the machines that run here, whose bytes they are; who waits for a restore does not wait longer. */
const priorities: Partial<Record<Task["type"], ThreadPriority>> = {
  store: "background",
  diff: "background",
  open: "normal",
};

port.on("message", (message: ToWorker) => {
  if (message.type === "space") {
    waiting.get(message.session)?.(message);
    return;
  }
  turn = turn.then(() => answer(message.number, message.task));
});

async function answer(number: number, task: Task): Promise<void> {
  try {
    const priority = priorities[task.type];
    if (priority !== undefined) setThreadPriority(priority);
    await perform(number, task);
  } catch (error) {
    const code = error instanceof HoldfastError ? error.code : "WorkerFailed";
    send({ type: "failed", number, code, message: error instanceof Error ? error.message : String(error) });
  }
}

async function perform(number: number, task: Task): Promise<void> {
  switch (task.type) {
    case "store":
      send({ type: "done", number, result: await store(task) });
      return;
    case "diff": {
      const region = slabs.subarray(task.at, task.at + task.length);
      const pages = comparer(region, task);
      for (const { stored } of task.ranges) giveBack(new Uint8Array(stored));
      send({ type: "done", number, result: { pages } });
      return;
    }
    case "open": {
      const result = open(task);
      giveBack(new Uint8Array(task.range.stored));
      const transfer = result.contents.flatMap((content) => (content === undefined ? [] : [content.buffer]));
      send({ type: "done", number, result }, transfer as ArrayBuffer[]);
      return;
    }
    case "finish": {
      const builder = builders.get(task.session);
      if (builder !== undefined) {
        builders.delete(task.session);
        if (task.discard) send({ type: "pack", ...discarded(task.session, builder) }, [builder.memory]);
        else handOver(task.session, builder);
      }
      send({ type: "done", number, result: undefined });
      return;
    }
    case "table":
      table = new BlobTable(task.table);
      send({ type: "done", number, result: undefined });
      return;
    case "openIndex": {
      const { name, sealed } = task;
      const content = ownMemory(unseal(keys, objectKinds.index, "", sealed, maxIndexSize, name), besideContent);
      giveBack(sealed);
      const result = outlinePacks(content, name);
      send({ type: "done", number, result }, [content.buffer, result.outline.buffer]);
      return;
    }
    case "putIndex":
      putIndexedPacks(new BlobTable(task.table), task.packs);
      giveBack(new Uint8Array(task.packs.content.buffer));
      send({ type: "done", number, result: undefined });
      return;
    case "epochs":
      addEpochs(keys, task.epochs);
      send({ type: "done", number, result: undefined });
  }
}

async function store(task: StoreTask): Promise<StoreResult> {
  const content = task.content === undefined ? undefined : Buffer.from(task.content);
  const results = Buffer.alloc(task.blocks.length * resultLength);
  let bytesNew = 0;
  let bytesStored = 0;
  for (let index = 0; index < task.blocks.length; index += 1) {
    const { at, length } = task.blocks[index] ?? { at: 0, length: 0 };
    const block = content === undefined ? slabs.subarray(at, at + length) : content.subarray(at, at + length);
    const position = index * resultLength;
    if (task.kind === blobKinds.data && isZero(block)) continue;
    const id = blobId(keys, task.kind, block);
    results.set(id, position + 1);
    const flag = task.expected?.[position] ?? 0;
    if (flag > 0 && id.equals(task.expected?.subarray(position + 1, position + resultLength) ?? id)) {
      results[position] = blockResults.same;
    } else if (table.isUsable(id, task.session)) {
      results[position] = blockResults.known;
    } else if (flag === 2) {
      results[position] = blockResults.changed;
    } else {
      const stored = await append(task.session, id, task.kind, block);
      results[position] = blockResults.stored;
      bytesNew += length;
      bytesStored += stored;
    }
  }
  return { results, bytesNew, bytesStored };
}

async function append(session: number, id: Buffer, kind: StoreTask["kind"], block: Buffer): Promise<number> {
  const builder = builders.get(session) ?? (await startPack(session));
  const entry = builder.append(id, kind, block);
  table.put(id, builder.packNumber, entry.offset, entry.storedLength, entry.shape);
  if (builder.size + appendAllowance > setup.packTarget) {
    builders.delete(session);
    handOver(session, builder);
  }
  return entry.storedLength;
}

/** Waits until the main thread has memory for another pack: that is what slows the reader down. */
async function startPack(session: number): Promise<PackBuilder> {
  const space = await new Promise<Space>((resolve) => {
    waiting.set(session, resolve);
    send({ type: "needSpace", session });
  });
  waiting.delete(session);
  if (space.memory === undefined) throw storeErrors.SessionEnded("The session ended while a pack was being built.");
  const builder = new PackBuilder(keys, space.packNumber, space.memory, setup.packHash);
  builders.set(session, builder);
  return builder;
}

function handOver(session: number, builder: PackBuilder): void {
  const pack = builder.finish();
  send({ type: "pack", session, packNumber: builder.packNumber, memory: builder.memory, pack }, [builder.memory]);
}

function discarded(session: number, builder: PackBuilder): Omit<Extract<FromWorker, { type: "pack" }>, "type"> {
  const pack = { hash: "", size: 0, epoch: 0, salt: Buffer.alloc(0), entries: [] };
  return { session, packNumber: builder.packNumber, memory: builder.memory, pack };
}

function open(task: OpenTask): OpenResult {
  const contents: (Uint8Array | undefined)[] = [];
  const failures: { blob: number; message: string }[] = [];
  task.range.blobs.forEach((blob, index) => {
    let content: Buffer | undefined;
    const inSlab = blob.target >= 0;
    try {
      const into = inSlab ? slabs.subarray(blob.target, blob.target + plainLength(blob.shape)) : undefined;
      content = ranges.open(task.range, blob, { into });
      if (task.checkIds) ranges.checkId(blob, content);
    } catch (error) {
      failures.push({ blob: index, message: error instanceof Error ? error.message : String(error) });
    }
    contents.push(inSlab || content === undefined ? undefined : ownMemory(content));
  });
  return { contents, failures };
}

function isZero(block: Buffer): boolean {
  return block.length <= zeros.length
    ? block.equals(block.length === zeros.length ? zeros : zeros.subarray(0, block.length))
    : false;
}

function send(message: FromWorker, transfer: readonly Transferable[] = []): void {
  port?.postMessage(message, transfer);
}
