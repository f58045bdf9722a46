// What the main thread and its workers say to each other. Disk bytes never travel in messages: they
// lie in the shared slabs, or in buffers that change their owner (`transfer`).

import type { BlobKind } from "../format/layout.ts";
import type { PackEntry } from "../format/pack.ts";
import type { NameHash } from "../keys/vault-keys.ts";
import type { SharedTable } from "../index/blob-table.ts";
import type { IndexedPacks, OpenedIndex } from "../index/indexed-packs.ts";
import type { FinishedPack } from "./pack-builder.ts";

export interface WorkerSetup {
  readonly vaultId: Uint8Array;
  readonly nameHash: NameHash;
  readonly idKeys: readonly Uint8Array[];
  readonly epochs: ReadonlyMap<number, Uint8Array>;
  readonly currentEpoch: number;
  readonly slabs: SharedArrayBuffer;
  readonly table: SharedTable;
  readonly packTarget: number;
  readonly packHash: NameHash;
}

/** What became of a block; a result is one such byte and the block's id. */
export const blockResults = { zero: 0, same: 1, known: 2, stored: 3, changed: 4 } as const;
export const resultLength = 33;

export interface StoreTask {
  readonly type: "store";
  readonly session: number;
  readonly kind: BlobKind;
  /** Blocks in the slabs, or one block in `content`. */
  readonly blocks: readonly { readonly at: number; readonly length: number }[];
  readonly content?: ArrayBuffer;
  /** Per block a flag (0 none, 1 compare, 2 compare and tell "changed" instead of storing) and a hash. */
  readonly expected?: Uint8Array;
}

export interface StoreResult {
  readonly results: Uint8Array;
  readonly bytesNew: number;
  readonly bytesStored: number;
}

/** Bytes of one pack and the blobs in them. */
export interface StoredRange {
  readonly stored: ArrayBuffer;
  readonly epoch: number;
  readonly salt: Uint8Array;
  readonly blobs: readonly StoredBlob[];
}

export interface StoredBlob extends Omit<PackEntry, "id"> {
  readonly id: Uint8Array;
  /** Where its bytes begin in `stored`. */
  readonly at: number;
  /** Where in the slabs its content goes, for `open`. */
  readonly target: number;
}

/** Compares a region with what it was. Page results: 0 unchanged, 1 changed, 2 changed to zero. */
export interface DiffTask {
  readonly type: "diff";
  readonly at: number;
  readonly length: number;
  /** One byte a page: 1 where the slab holds the page. Absent: everywhere. */
  readonly mask?: Uint8Array;
  readonly ranges: readonly StoredRange[];
  /** Units of the old region: what is not listed was zero. `blob` counts through all ranges. */
  readonly layout: readonly { start: number; length: number; blob: number; offset: number }[];
}

export interface DiffResult {
  /** Undefined when the old content cannot be opened. */
  readonly pages: Uint8Array | undefined;
}

/** Opens blobs into the slabs, or (target -1) gives their content back. */
export interface OpenTask {
  readonly type: "open";
  readonly range: StoredRange;
  /** Check each blob's content against its id as well. */
  readonly checkIds: boolean;
}

export interface OpenResult {
  /** Per blob: its content where target is -1; undefined for those in the slabs. */
  readonly contents: readonly (Uint8Array | undefined)[];
  /** Blobs that did not open, with the reason. */
  readonly failures: readonly { readonly blob: number; readonly message: string }[];
}

export interface FinishTask {
  readonly type: "finish";
  readonly session: number;
  /** Forget the pack instead of handing it over. */
  readonly discard: boolean;
}

export interface TableTask {
  readonly type: "table";
  readonly table: SharedTable;
}

/** Packs that are begun from now on use the newest. */
export interface EpochsTask {
  readonly type: "epochs";
  readonly epochs: ReadonlyMap<number, Uint8Array>;
}

/** Opens an index object and outlines it. */
export interface OpenIndexTask {
  readonly type: "openIndex";
  readonly name: string;
  readonly sealed: Uint8Array<ArrayBuffer>;
}

/** Puts what an index object says into a table. */
export interface PutIndexTask {
  readonly type: "putIndex";
  readonly table: SharedTable;
  readonly packs: IndexedPacks;
}

export type Task = StoreTask | DiffTask | OpenTask | FinishTask | TableTask | EpochsTask | OpenIndexTask | PutIndexTask;

export interface TaskResults {
  store: StoreResult;
  diff: DiffResult;
  open: OpenResult;
  finish: undefined;
  table: undefined;
  epochs: undefined;
  openIndex: OpenedIndex;
  putIndex: undefined;
}

export interface Space {
  readonly type: "space";
  readonly session: number;
  readonly memory: ArrayBuffer | undefined;
  readonly packNumber: number;
}

export type ToWorker = { readonly type: "task"; readonly number: number; readonly task: Task } | Space;

export type FromWorker =
  | { readonly type: "done"; readonly number: number; readonly result: TaskResults[keyof TaskResults] }
  | { readonly type: "failed"; readonly number: number; readonly code: string; readonly message: string }
  | { readonly type: "needSpace"; readonly session: number }
  | {
      readonly type: "pack";
      readonly session: number;
      readonly packNumber: number;
      readonly memory: ArrayBuffer;
      readonly pack: FinishedPack;
    };
