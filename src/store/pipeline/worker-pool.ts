// The threads that do the work on bytes, and the memory that they share. The main thread only moves
// descriptions of work; disk bytes lie in slabs (4 MiB each), pack bytes in buffers that change owner.

import { Worker } from "node:worker_threads";
import { availableParallelism } from "node:os";
import { HoldfastError } from "../../lib/errors.ts";
import { storeErrors } from "../errors.ts";
import { ownPackState, ownPackStates, type BlobTable } from "../index/blob-table.ts";
import type { NameHash, VaultKeys } from "../keys/vault-keys.ts";
import type { FromWorker, Task, TaskResults, ToWorker, WorkerSetup } from "./messages.ts";
import type { FinishedPack } from "./pack-builder.ts";
import { openSemaphore, type Semaphore } from "./semaphore.ts";

export const slabSize = 4 * 1024 * 1024;
const wasmPage = 64 * 1024;

/** Of the whole of it only the memory is needed; the types of Node do not have it. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => {
    readonly buffer: SharedArrayBuffer;
  };
};

/** What a session does for the workers that build its packs. */
export interface PackReceiver {
  /** Memory and a number for another pack; undefined memory when the session has ended. */
  space(): Promise<{ memory: ArrayBuffer | undefined; packNumber: number }>;
  finished(packNumber: number, pack: FinishedPack, memory: ArrayBuffer): void;
}

export interface Slab {
  /** Where it begins in the shared memory. */
  readonly at: number;
  readonly bytes: Buffer;
  release(): void;
}

interface Pending {
  resolve(result: TaskResults[keyof TaskResults]): void;
  reject(error: unknown): void;
}

interface Member {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
}

export interface WorkerPoolOptions {
  readonly workers?: number;
  readonly slabs?: number;
  readonly packTarget: number;
  /** What packs are named by. */
  readonly packHash: NameHash;
}

export class WorkerPool implements AsyncDisposable {
  readonly size: number;
  readonly #members: Member[] = [];
  readonly #receivers = new Map<number, PackReceiver>();
  readonly #memory: SharedArrayBuffer;
  readonly #freeSlabs: number[];
  readonly #slabs: Semaphore;
  #nextTask = 0;
  #nextSession = 0;
  #failure: Error | undefined;

  constructor(keys: VaultKeys, table: BlobTable, options: WorkerPoolOptions) {
    this.size = options.workers ?? Math.max(1, Math.min(8, availableParallelism()));
    const slabCount = options.slabs ?? this.size * 3 + 2;
    // Memory that begins at a page, as writing past the page cache needs it: only WebAssembly's does.
    const pages = (slabCount * slabSize) / wasmPage;
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
    this.#freeSlabs = Array.from({ length: slabCount }, (_, index) => index);
    this.#slabs = openSemaphore(slabCount);
    const setup: WorkerSetup = {
      vaultId: keys.vaultId,
      nameHash: keys.nameHash,
      idKeys: keys.idKeys,
      epochs: keys.epochs,
      currentEpoch: keys.currentEpoch,
      slabs: this.#memory,
      table: table.shared,
      packTarget: options.packTarget,
      packHash: options.packHash,
    };
    for (let index = 0; index < this.size; index += 1) this.#members.push(this.#start(setup));
  }

  /** Waits until one of the slabs is free. */
  async slab(signal?: AbortSignal): Promise<Slab> {
    await this.#slabs.take(signal);
    const index = this.#freeSlabs.pop() ?? 0;
    let released = false;
    return {
      at: index * slabSize,
      bytes: Buffer.from(this.#memory, index * slabSize, slabSize),
      release: () => {
        if (released) return;
        released = true;
        this.#freeSlabs.push(index);
        this.#slabs.give();
      },
    };
  }

  /** No two that are open share the state of their packs: neither may rely on what the other has not made durable. */
  openSession(receiver: PackReceiver): number {
    if (this.#receivers.size >= ownPackStates)
      throw storeErrors.WorkerFailed(`${ownPackStates} sessions are open in one vault; no more can be told apart.`);
    const taken = new Set(Array.from(this.#receivers.keys(), ownPackState));
    do this.#nextSession += 1;
    while (taken.has(ownPackState(this.#nextSession)));
    this.#receivers.set(this.#nextSession, receiver);
    return this.#nextSession;
  }

  closeSession(session: number): void {
    this.#receivers.delete(session);
  }

  /** Runs the task on the member with the least to do; whoever calls bounds how much is under way. */
  run<T extends Task>(task: T, transfer: readonly ArrayBuffer[] = []): Promise<TaskResults[T["type"]]> {
    const member = this.#members.reduce((best, other) => (other.pending.size < best.pending.size ? other : best));
    return this.#post(member, task, transfer);
  }

  /** Runs the task on every member. */
  async runEverywhere(task: Task): Promise<void> {
    await Promise.all(this.#members.map((member) => this.#post(member, task, [])));
  }

  /**
   * Members take it before whatever comes next. Waits for those only that have something to do now, which
   * may still go by what was true before: not for threads that are just starting.
   */
  async tellEverybody(task: Task): Promise<void> {
    await Promise.all(
      this.#members.map((member) => {
        const isIdle = member.pending.size === 0;
        const told = this.#post(member, task, []);
        if (!isIdle) return told;
        told.catch(() => {}); // the next task fails as well
        return undefined;
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(storeErrors.VaultClosed("The vault was closed."));
    await Promise.all(this.#members.map(({ worker }) => worker.terminate()));
  }

  #start(setup: WorkerSetup): Member {
    const worker = new Worker(new URL("./store-worker.ts", import.meta.url), {
      workerData: setup,
      // Compression leaves its buffers to the garbage collector, which counts only the heap: a small
      // heap makes it come often enough.
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 40 },
    });
    const member: Member = { worker, pending: new Map() };
    worker.on("message", (message: FromWorker) => this.#receive(member, message));
    worker.on("error", (cause) => this.#fail(storeErrors.WorkerFailed("A worker thread died.", { cause })));
    worker.unref();
    return member;
  }

  #post<T extends Task>(member: Member, task: T, transfer: readonly ArrayBuffer[]): Promise<TaskResults[T["type"]]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#nextTask += 1;
    const number = this.#nextTask;
    return new Promise((resolve, reject) => {
      member.pending.set(number, { resolve: resolve as Pending["resolve"], reject });
      // An idle pool does not keep the process alive; one with work does.
      member.worker.ref();
      member.worker.postMessage({ type: "task", number, task } satisfies ToWorker, [...transfer]);
    });
  }

  #receive(member: Member, message: FromWorker): void {
    if (message.type === "needSpace") {
      void this.#giveSpace(member, message.session);
      return;
    }
    if (message.type === "pack") {
      this.#receivers.get(message.session)?.finished(message.packNumber, message.pack, message.memory);
      return;
    }
    const pending = member.pending.get(message.number);
    member.pending.delete(message.number);
    if (member.pending.size === 0) member.worker.unref();
    if (message.type === "done") pending?.resolve(message.result);
    else pending?.reject(new HoldfastError(message.code, { status: 500 }, message.message));
  }

  async #giveSpace(member: Member, session: number): Promise<void> {
    const space = await (this.#receivers.get(session)?.space() ?? { memory: undefined, packNumber: 0 });
    const message: ToWorker = { type: "space", session, ...space };
    member.worker.postMessage(message, space.memory === undefined ? [] : [space.memory]);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const member of this.#members) {
      for (const pending of member.pending.values()) pending.reject(error);
      member.pending.clear();
    }
  }
}
