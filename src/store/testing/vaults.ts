// Small vaults and disks for tests: quick keys, one worker, small packs.

import type { ObjectStore } from "../backends/object-store.ts";
import { keyFromBytes, type KeyProvider } from "../keys/kek.ts";
import type { Point } from "../points/points.ts";
import { readDisk } from "../read/read-disk.ts";
import { beginSession, type SessionOptions } from "../session/backup-session.ts";
import type { DirtyRun, DiskSource, SourceExtent } from "../sources/disk-source.ts";
import { createVault, openVault, type Vault, type VaultOptions } from "../vault.ts";

export const testKey: KeyProvider = keyFromBytes(Buffer.alloc(32, 7));

export async function newTestVault(
  store: ObjectStore,
  options: VaultOptions & { packTarget?: number } = {},
): Promise<Vault> {
  await createVault(store, testKey, {
    packTarget: options.packTarget ?? 1 << 16,
    nameHash: "sha256",
    clock: options.clock,
  });
  return openTestVault(store, options);
}

export function openTestVault(store: ObjectStore, options: VaultOptions = {}): Promise<Vault> {
  return openVault(store, testKey, { workers: 1, ...options });
}

export interface BufferSourceOptions {
  readonly dirty?: readonly DirtyRun[];
  readonly extents?: readonly SourceExtent[];
}

export function bufferSource(content: Uint8Array, options: BufferSourceOptions = {}): DiskSource {
  const { extents } = options;
  return {
    size: content.length,
    dirty: options.dirty,
    read: async (into, offset) => into.set(content.subarray(offset, offset + into.byteLength)),
    extents:
      extents === undefined
        ? undefined
        : async function* () {
            yield* extents;
          },
  };
}

export async function backUp(
  vault: Vault,
  options: SessionOptions,
  disks: Readonly<Record<string, DiskSource>>,
): Promise<Point> {
  await using session = await beginSession(vault, options);
  for (const [name, source] of Object.entries(disks)) await session.addDisk(name, source);
  return await session.commit();
}

export async function restore(vault: Vault, point: Point, disk: string): Promise<Buffer> {
  const size = point.disks.find(({ name }) => name === disk)?.size ?? 0;
  const content = Buffer.alloc(size, 0xee);
  await readDisk(vault, point, disk, {
    write: async (bytes, offset) => void content.set(bytes, offset),
    zero: async (offset, length) => void content.fill(0, offset, offset + length),
  });
  return content;
}

/** Content that compresses a little, different for every seed. */
export function patterned(length: number, seed: number): Buffer {
  const content = Buffer.allocUnsafe(length);
  let state = (seed * 2654435761 + 12345) >>> 0;
  for (let at = 0; at + 4 <= length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    content.writeUInt32LE((at & 4096) === 0 ? state : (state >>> 28) * 0x01010101, at);
  }
  for (let at = length & ~3; at < length; at += 1) content[at] = seed & 0xff;
  return content;
}

export async function gathered<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
