// What a pack says of itself: its header and its directory, by two or three small reads.

import type { ObjectStore } from "../backends/object-store.ts";
import { storeErrors } from "../errors.ts";
import { packKinds } from "../format/content-name.ts";
import type { IndexedPackEntries } from "../format/index-object.ts";
import { packName } from "../format/object-names.ts";
import { openDirectory } from "../format/pack.ts";
import { headerLength, readHeader } from "../format/sealed.ts";
import { packKey, type VaultKeys } from "../keys/vault-keys.ts";

const tailLength = 8192;

export async function readPackDirectory(
  store: ObjectStore,
  keys: VaultKeys,
  hash: string,
  size: number,
  signal?: AbortSignal,
): Promise<IndexedPackEntries> {
  const name = packName(hash);
  const what = `Pack ${hash.slice(0, 16)}`;
  if (size < headerLength + 4) throw storeErrors.ObjectDamaged(`${what} has only ${size} bytes.`);
  const header = readHeader(
    await store.get(name, { offset: 0, length: headerLength, signal }),
    Object.values(packKinds),
    keys.vaultId,
    what,
  );
  const tailAt = Math.max(headerLength, size - tailLength);
  const tail = await store.get(name, { offset: tailAt, length: size - tailAt, signal });
  const length = tail.readUInt32LE(tail.length - 4);
  const offset = size - 4 - length;
  if (offset < headerLength) throw storeErrors.ObjectDamaged(`${what} announces a directory of ${length} bytes.`);
  const stored =
    offset >= tailAt
      ? tail.subarray(offset - tailAt, tail.length - 4)
      : await store.get(name, { offset, length, signal });
  const entries = openDirectory(packKey(keys, header.epoch, header.salt), header, offset, stored, what);
  return { hash, size, epoch: header.epoch, salt: header.salt, entries };
}
