// Opening blobs of a range of pack bytes, with the keys of recent packs at hand.

import { createSecretKey, type KeyObject } from "node:crypto";
import { storeErrors } from "../errors.ts";
import { kindOf, openBlob, type OpenBlobOptions } from "../format/pack.ts";
import { blobId, packKey, type VaultKeys } from "../keys/vault-keys.ts";
import type { BlobKind } from "../format/layout.ts";
import type { StoredBlob, StoredRange } from "./messages.ts";

export interface RangeOpener {
  open(range: StoredRange, blob: StoredBlob, options?: OpenBlobOptions): Buffer;
  /** Fails when the content is not what the id names. */
  checkId(blob: StoredBlob, content: Buffer): void;
}

const keptKeys = 256;

export function rangeOpener(keys: VaultKeys): RangeOpener {
  const packKeys = new Map<string, KeyObject>();
  return {
    open: (range, blob, options) => {
      const name = Buffer.from(range.salt).toString("latin1");
      let key = packKeys.get(name);
      if (key === undefined) {
        key = createSecretKey(packKey(keys, range.epoch, range.salt));
        if (packKeys.size >= keptKeys) packKeys.clear();
        packKeys.set(name, key);
      }
      const stored = Buffer.from(range.stored, blob.at, blob.storedLength);
      return openBlob(key, { ...blob, id: asBuffer(blob.id) }, stored, options);
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
