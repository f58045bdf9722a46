// Builds one pack: blobs are compressed, encrypted and hashed where they land. A pack is built once
// and forward, which is what makes its offsets good nonces.

import { createCipheriv, createHash, createSecretKey, type Hash, type KeyObject } from "node:crypto";
import { giveBack } from "../../lib/memory.ts";
import { finishName, packKinds } from "../format/content-name.ts";
import { maxBlobSize, tagLength, type BlobKind } from "../format/layout.ts";
import { blobContext, entryLength, makeShape, packNonce, sealDirectory, type PackEntry } from "../format/pack.ts";
import { compressFrames, framesBound } from "../format/frames.ts";
import { newHeader, type ObjectHeader } from "../format/sealed.ts";
import { packKey, type NameHash, type VaultKeys } from "../keys/vault-keys.ts";
import { looksIncompressible } from "./incompressible.ts";

export interface FinishedPack {
  readonly hash: string;
  readonly size: number;
  readonly epoch: number;
  readonly salt: Buffer;
  readonly entries: readonly PackEntry[];
}

const frames = Buffer.alloc(framesBound(maxBlobSize));

export class PackBuilder {
  readonly packNumber: number;
  readonly #header: ObjectHeader;
  readonly #key: KeyObject;
  readonly #hash: Hash;
  readonly #entries: PackEntry[] = [];
  #bytes: Buffer;
  #length: number;

  /** `space`: the memory that the pack is built in; it grows when it is too small. `named`: by which hash. */
  constructor(keys: VaultKeys, packNumber: number, space: ArrayBuffer, named: NameHash) {
    this.packNumber = packNumber;
    this.#hash = createHash(named);
    this.#header = newHeader(keys, packKinds[named]);
    this.#key = createSecretKey(packKey(keys, this.#header.epoch, this.#header.salt));
    this.#bytes = Buffer.from(space);
    this.#bytes.set(this.#header.bytes, 0);
    this.#length = this.#header.bytes.length;
    this.#hash.update(this.#header.bytes);
  }

  /** What the pack would take if it were finished now. */
  get size(): number {
    return this.#length + this.#entries.length * entryLength + 64;
  }

  get memory(): ArrayBuffer {
    return this.#bytes.buffer as ArrayBuffer;
  }

  append(id: Buffer, kind: BlobKind, content: Uint8Array): PackEntry {
    const packed = looksIncompressible(content) ? undefined : compressFrames(content, frames);
    const smaller = packed !== undefined && packed.length < content.length - (content.length >> 6);
    const shape = makeShape(kind, content.length, smaller);
    const offset = this.#length;
    const cipher = createCipheriv("aes-256-gcm", this.#key, packNonce(offset));
    cipher.setAAD(blobContext(shape, id));
    const sealed = cipher.update(smaller ? packed : content);
    this.#add(sealed);
    giveBack(sealed);
    this.#add(cipher.final());
    this.#add(cipher.getAuthTag());
    const entry = { id, offset, storedLength: this.#length - offset, shape };
    this.#hash.update(this.#bytes.subarray(offset, this.#length));
    this.#entries.push(entry);
    return entry;
  }

  /** Afterwards `memory` holds the pack's `size` bytes. */
  finish(): FinishedPack {
    const directory = sealDirectory(this.#key, this.#header, this.#length, this.#entries);
    this.#add(directory);
    this.#hash.update(directory);
    return {
      hash: finishName(this.#hash),
      size: this.#length,
      epoch: this.#header.epoch,
      salt: this.#header.salt,
      entries: this.#entries,
    };
  }

  #add(bytes: Buffer): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const larger = Buffer.from(new ArrayBuffer(Math.max(this.#bytes.length * 2, this.#length + bytes.length)));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }
}

/** The most that a blob of a megabyte adds to a pack, directory included. */
export const appendAllowance = (1 << 20) + tagLength + entryLength;
