// From finished packs to durable, indexed ones. The number of pack buffers is fixed: when the store
// is slower than the workers, they wait for a buffer, then the slabs fill, then the reader waits.

import { faultPoint } from "../../lib/faults.ts";
import type { IndexedPackEntries } from "../format/index-object.ts";
import { packName } from "../format/object-names.ts";
import type { FinishedPack } from "../pipeline/pack-builder.ts";
import { openSemaphore } from "../pipeline/semaphore.ts";
import type { PackReceiver } from "../pipeline/worker-pool.ts";
import type { Vault } from "../vault.ts";
import { putIndex } from "./put-index.ts";
import { putOnce } from "./put-once.ts";

const packsPerIndex = 64;
const directoryAllowance = 64 * 1024;

export interface PackUploads extends PackReceiver {
  readonly session: number;
  /** A pack that was built outside the pool. */
  add(packNumber: number, pack: FinishedPack, memory: ArrayBuffer): void;
  /** Waits until everything handed over is durable and indexed; fails when an upload failed. */
  drain(): Promise<void>;
  throwFailure(): void;
  /** Nobody gets memory any more. */
  stop(): void;
}

export function packUploads(
  vault: Vault,
  lockedUntil: number | undefined,
  onFailure: (error: unknown) => void,
  signal?: AbortSignal,
): PackUploads {
  const pool = vault.pool();
  const free: ArrayBuffer[] = [];
  const buffers = openSemaphore(pool.size + 1);
  const stopping = new AbortController();
  const lock = { lockedUntil, signal };
  const running = new Set<Promise<void>>();
  let unindexed: IndexedPackEntries[] = [];
  let failure: { readonly error: unknown } | undefined;

  const uploads: PackUploads = {
    session: pool.openSession({ space: () => uploads.space(), finished: (...pack) => uploads.finished(...pack) }),
    space: async () => {
      try {
        await buffers.take(stopping.signal);
      } catch {
        return { memory: undefined, packNumber: 0 };
      }
      const memory = free.pop() ?? new ArrayBuffer(vault.config.packTarget + directoryAllowance);
      return { memory, packNumber: vault.index.startPack(uploads.session) };
    },
    finished: (packNumber, pack, memory) => {
      track(packNumber, pack, memory, () => {
        free.push(memory);
        buffers.give();
      });
    },
    add: (packNumber, pack, memory) => track(packNumber, pack, memory, () => {}),
    drain: async () => {
      while (running.size > 0) await Promise.all(running);
      uploads.throwFailure();
      await writeIndex();
    },
    throwFailure: () => {
      if (failure !== undefined) throw failure.error;
    },
    stop: () => stopping.abort(),
  };
  return uploads;

  function track(packNumber: number, pack: FinishedPack, memory: ArrayBuffer, done: () => void): void {
    const task: Promise<void> = upload(packNumber, pack, memory)
      .catch((error: unknown) => {
        vault.index.dropPack(packNumber);
        failure ??= { error };
        stopping.abort(error);
        onFailure(error);
      })
      .finally(() => {
        running.delete(task);
        done();
      });
    running.add(task);
  }

  async function upload(packNumber: number, pack: FinishedPack, memory: ArrayBuffer): Promise<void> {
    if (pack.size === 0) {
      vault.index.dropPack(packNumber); // discarded
      return;
    }
    await putOnce(vault.store, packName(pack.hash), new Uint8Array(memory, 0, pack.size), pack.hash, lock);
    faultPoint("store.after-pack");
    vault.index.addPack(packNumber, pack);
    unindexed.push(pack);
    if (unindexed.length >= packsPerIndex) await writeIndex();
  }

  async function writeIndex(): Promise<void> {
    if (unindexed.length === 0) return;
    const packs = unindexed;
    unindexed = [];
    vault.index.noteIndex(await putIndex(vault, [], packs, lock));
    faultPoint("store.after-index");
  }
}
