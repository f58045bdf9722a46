// From blob ids to content: locate, fetch neighbours together, open. What one store cannot give, a
// second one may; what a collection moved meanwhile is looked up again.

import { isErrorCode } from "../../lib/errors.ts";
import { ownMemory } from "../../lib/memory.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { isDamage } from "../damage.ts";
import { storeErrors } from "../errors.ts";
import { packName } from "../format/object-names.ts";
import { packStates, type BlobLocation } from "../index/blob-table.ts";
import type { VaultIndex } from "../index/vault-index.ts";
import type { VaultKeys } from "../keys/vault-keys.ts";
import { rangeOpener, type RangeOpener } from "../pipeline/open-range.ts";
import type { StoredRange } from "../pipeline/messages.ts";

export interface LocatedBlob extends BlobLocation {
  readonly id: Buffer;
}

/** Neighbouring blobs of one pack, fetched with one read. */
export interface FetchGroup {
  readonly pack: number;
  readonly offset: number;
  readonly length: number;
  readonly blobs: readonly LocatedBlob[];
}

export interface BadPack {
  readonly hash: string;
  readonly message: string;
}

const gapAllowed = 64 * 1024;
const groupLimit = 4 * 1024 * 1024;

export class BlobReader {
  readonly #stores: readonly ObjectStore[];
  readonly #index: VaultIndex;
  readonly #opener: RangeOpener;
  readonly #onBadPack: (pack: BadPack) => void;

  /** `stores`: where to look, best first. */
  constructor(
    stores: readonly ObjectStore[],
    index: VaultIndex,
    keys: VaultKeys,
    onBadPack: (pack: BadPack) => void = () => {},
  ) {
    this.#stores = stores;
    this.#index = index;
    this.#opener = rangeOpener(keys);
    this.#onBadPack = onBadPack;
  }

  get copies(): number {
    return this.#stores.length;
  }

  async locate(id: Buffer, signal?: AbortSignal): Promise<LocatedBlob> {
    let location = this.#index.find(id);
    if (location === undefined) {
      await this.#index.refresh(signal);
      location = this.#index.find(id);
    }
    if (location === undefined) throw missing(id);
    return { id, ...location };
  }

  locateNow(id: Buffer): LocatedBlob | undefined {
    const location = this.#index.find(id);
    return location === undefined ? undefined : { id, ...location };
  }

  /** One small blob (a map node), opened by this thread. */
  async read(id: Buffer, signal?: AbortSignal): Promise<Buffer> {
    for (let attempt = 1; ; attempt += 1) {
      const blob = await this.locate(id, signal);
      const group = { pack: blob.pack, offset: blob.offset, length: blob.storedLength, blobs: [blob] };
      let failure: unknown;
      for (let copy = 0; copy < this.#stores.length; copy += 1) {
        try {
          const range = await this.fetch(group, copy, signal);
          const [stored] = range.blobs;
          if (stored !== undefined) return this.#opener.open(range, stored);
        } catch (error) {
          if (!isDamage(error)) throw error;
          failure = error;
          if (!isErrorCode(error, "ObjectMissing")) this.reportBadPack(blob.pack, error);
        }
      }
      if (attempt > 1) throw failure;
      await this.#index.refresh(signal);
    }
  }

  /** The bytes of a group from copy number `copy` of the store, ready to change owner. */
  async fetch(group: FetchGroup, copy = 0, signal?: AbortSignal): Promise<StoredRange> {
    const pack = this.#index.pack(group.pack);
    const store = this.#stores[copy];
    if (pack === undefined || store === undefined) {
      throw storeErrors.BlobMissing(`Pack number ${group.pack} is not known any more.`);
    }
    const bytes = await store.get(packName(pack.hash), { offset: group.offset, length: group.length, signal });
    return {
      stored: ownMemory(bytes).buffer,
      epoch: pack.epoch,
      salt: pack.salt,
      blobs: group.blobs.map((blob) => ({ ...blob, at: blob.offset - group.offset, target: -1 })),
    };
  }

  refresh(signal?: AbortSignal): Promise<void> {
    return this.#index.refresh(signal);
  }

  reportBadPack(pack: number, error: unknown): void {
    const record = this.#index.pack(pack);
    if (record === undefined) return;
    this.#index.dropPack(pack, this.#index.table.packState(pack) !== packStates.absent);
    this.#onBadPack({ hash: record.hash, message: error instanceof Error ? error.message : String(error) });
  }
}

/** Blobs that lie near each other in a pack are fetched together, at most 4 MiB of plain content a group. */
export function groupByPack(blobs: readonly LocatedBlob[], plainLengthOf: (blob: LocatedBlob) => number): FetchGroup[] {
  const sorted = [...blobs].sort((a, b) => a.pack - b.pack || a.offset - b.offset);
  const groups: { pack: number; offset: number; length: number; blobs: LocatedBlob[] }[] = [];
  let plain = 0;
  for (const blob of sorted) {
    const group = groups.at(-1);
    const end = blob.offset + blob.storedLength;
    if (
      group !== undefined &&
      group.pack === blob.pack &&
      blob.offset <= group.offset + group.length + gapAllowed &&
      plain + plainLengthOf(blob) <= groupLimit &&
      end - group.offset <= groupLimit
    ) {
      group.blobs.push(blob);
      group.length = Math.max(group.length, end - group.offset);
      plain += plainLengthOf(blob);
    } else {
      groups.push({ pack: blob.pack, offset: blob.offset, length: blob.storedLength, blobs: [blob] });
      plain = plainLengthOf(blob);
    }
  }
  return groups;
}

export function missing(id: Buffer): Error {
  return storeErrors.BlobMissing(`Blob ${id.toString("hex")} is in no pack that is there.`, {
    facts: { blob: id.toString("hex") },
  });
}
