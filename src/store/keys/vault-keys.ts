// The unwrapped keys of an open vault, and everything that is derived from them.

import { createHmac, hkdfSync } from "node:crypto";
import { storeErrors } from "../errors.ts";
import { blobKinds, idLength, type BlobKind } from "../format/layout.ts";

/** How blobs are named: chosen once per vault, because names decide what is equal. */
export const nameHashes = ["sha256", "blake2b512"] as const;
export type NameHash = (typeof nameHashes)[number];

export interface VaultKeys {
  readonly vaultId: Buffer;
  readonly nameHash: NameHash;
  /** Per blob kind: the HMAC key of blob ids. */
  readonly idKeys: readonly Buffer[];
  /** Grows while the vault is open, when somebody begins a new epoch. */
  readonly epochs: Map<number, Buffer>;
  currentEpoch: number;
}

export function addEpochs(keys: VaultKeys, epochs: ReadonlyMap<number, Uint8Array>): void {
  for (const [number, key] of epochs) keys.epochs.set(number, Buffer.from(key));
  keys.currentEpoch = Math.max(...keys.epochs.keys());
}

export function vaultKeys(vaultId: Buffer, nameHash: NameHash, idKey: Buffer, epochs: Map<number, Buffer>): VaultKeys {
  const idKeys = Object.values(blobKinds).map((kind) =>
    deriveKey(idKey, vaultId, Buffer.concat([Buffer.from("holdfast 1 id "), Buffer.of(kind)])),
  );
  return { vaultId, nameHash, idKeys, epochs, currentEpoch: Math.max(...epochs.keys()) };
}

export function epochKey(keys: VaultKeys, epoch: number): Buffer {
  const key = keys.epochs.get(epoch);
  if (key === undefined) {
    throw storeErrors.EpochMissing(
      `Key epoch ${epoch} is used by an object; the config knows ${[...keys.epochs.keys()].join(", ")}.`,
    );
  }
  return key;
}

export function packKey(keys: VaultKeys, epoch: number, salt: Uint8Array): Buffer {
  return deriveKey(epochKey(keys, epoch), salt, Buffer.concat([Buffer.from("holdfast 1 pack "), keys.vaultId]));
}

export function blobId(keys: VaultKeys, kind: BlobKind, content: Uint8Array): Buffer {
  const key = keys.idKeys[kind];
  if (key === undefined) throw storeErrors.ObjectDamaged(`There is no blob kind ${kind}.`);
  const hash = createHmac(keys.nameHash, key).update(content).digest();
  return hash.length === idLength ? hash : hash.subarray(0, idLength);
}

export function deriveKey(key: Uint8Array, salt: Uint8Array, info: Uint8Array): Buffer {
  return Buffer.from(hkdfSync("sha256", key, salt, info, 32));
}
