// Map nodes and other small blobs of a session go into packs of their own, built by this thread:
// reading maps then touches few packs.

import type { BlobKind } from "../format/layout.ts";
import { blobId } from "../keys/vault-keys.ts";
import { appendAllowance, PackBuilder } from "../pipeline/pack-builder.ts";
import type { Vault } from "../vault.ts";
import type { PackUploads } from "./pack-uploads.ts";

export interface NodeWriter {
  store(kind: BlobKind, content: Uint8Array): Promise<Buffer>;
  readonly bytesStored: number;
  /** Hands over what is not full. */
  finish(): void;
}

const firstSpace = 256 * 1024;

export function nodeWriter(vault: Vault, uploads: PackUploads): NodeWriter {
  let builder: PackBuilder | undefined;
  let bytesStored = 0;

  function finish(): void {
    if (builder === undefined) return;
    const full = builder;
    builder = undefined;
    const pack = full.finish();
    uploads.add(full.packNumber, pack, full.memory);
  }

  return {
    store: async (kind, content) => {
      uploads.throwFailure();
      const id = blobId(vault.keys, kind, content);
      if (vault.index.table.isUsable(id, uploads.session)) return id;
      await vault.index.ensureRoom(1024);
      builder ??= new PackBuilder(
        vault.keys,
        vault.index.startPack(uploads.session),
        new ArrayBuffer(firstSpace),
        vault.packHash,
      );
      const entry = builder.append(id, kind, content);
      bytesStored += entry.storedLength;
      vault.index.table.put(id, builder.packNumber, entry.offset, entry.storedLength, entry.shape);
      if (builder.size + appendAllowance > vault.config.packTarget) finish();
      return id;
    },
    get bytesStored() {
      return bytesStored;
    },
    finish,
  };
}
