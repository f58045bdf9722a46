// Opening blobs of a range of pack bytes, with the keys of recent packs at hand.

import { storeErrors } from "../errors.ts";
import { kindOf, openBlob } from "../format/pack.ts";
import { blobId, packKey, type VaultKeys } from "../keys/vault-keys.ts";
import type { BlobKind } from "../format/layout.ts";
import type { StoredBlob, StoredRange } from "./messages.ts";

export interface RangeOpener {
  /** With `from` and `to` only that part of the content is certain to be there. */
  open(range: StoredRange, blob: StoredBlob, from?: number, to?: number): Buffer;
  /** Fails when the content is not what the id names. */
  checkId(blob: StoredBlob, content: Buffer): void;
}

const keptKeys = 256;

export function rangeOpener(keys: VaultKeys): RangeOpener {
  const packKeys = new Map<string, Buffer>();
  return {
    open: (range, blob, from, to) => {
      const name = Buffer.from(range.salt).toString("latin1");
      let key = packKeys.get(name);
      if (key === undefined) {
        key = packKey(keys, range.epoch, range.salt);
        if (packKeys.size >= keptKeys) packKeys.clear();
        packKeys.set(name, key);
      }
      const stored = Buffer.from(range.stored, blob.at, blob.storedLength);
      return openBlob(key, { ...blob, id: asBuffer(blob.id) }, stored, from, to);
    },
    checkId: (blob, content) => {
      const found = blobId(keys, kindOf(blob.shape) as BlobKind, content);
      if (!found.equals(blob.id)) {
        throw storeErrors.ObjectDamaged(
          `Blob ${asBuffer(blob.id).toString("hex", 0, 8)} holds another content than its id names.`,
        );
      }
    },
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
