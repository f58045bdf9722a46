// The envelope of small objects: index, points, records. One random salt, so one key, per object.

import { createCipheriv, createDecipheriv } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { randomBytes } from "../../lib/random.ts";
import { storeErrors } from "../errors.ts";
import { deriveKey, epochKey, type VaultKeys } from "../keys/vault-keys.ts";
import { checkVersion } from "./bytes.ts";
import { formatVersion, objectKinds, tagLength, type ObjectKind } from "./layout.ts";

export const headerLength = 54;
const zeroNonce = Buffer.alloc(12);
const prologueLength = 5;

export interface ObjectHeader {
  readonly epoch: number;
  readonly salt: Buffer;
  readonly bytes: Buffer;
}

/** The first 54 bytes of packs and sealed objects. */
export function newHeader(keys: VaultKeys, kind: ObjectKind): ObjectHeader {
  const salt = randomBytes(32);
  const bytes = Buffer.alloc(headerLength);
  bytes[0] = formatVersion;
  bytes[1] = kind;
  keys.vaultId.copy(bytes, 2);
  bytes.writeUInt32LE(keys.currentEpoch, 18);
  salt.copy(bytes, 22);
  return { epoch: keys.currentEpoch, salt, bytes };
}

/** `kind`: the only one that is right, or all that are. */
export function readHeader(
  bytes: Uint8Array,
  kind: ObjectKind | readonly ObjectKind[],
  vaultId: Buffer,
  what: string,
): ObjectHeader {
  if (bytes.length === 0) throw storeErrors.ObjectDamaged(`${what} is empty.`);
  checkVersion(bytes[0], what);
  if (bytes.length < headerLength) throw storeErrors.ObjectDamaged(`${what} ends inside its header.`);
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, headerLength);
  const kinds: readonly (number | undefined)[] = [kind].flat();
  if (!kinds.includes(header[1])) {
    throw storeErrors.ObjectDamaged(`${what} is of kind ${header[1]}, not ${kinds.join(" or ")}.`);
  }
  if (!header.subarray(2, 18).equals(vaultId)) {
    throw storeErrors.ForeignObject(
      `${what} belongs to vault ${header.toString("hex", 2, 18)}, not to ${vaultId.toString("hex")}.`,
    );
  }
  return { epoch: header.readUInt32LE(18), salt: Buffer.from(header.subarray(22, 54)), bytes: header };
}

/** `boundName`: what the seal binds the object to; empty where the name is the hash of the bytes. */
export function seal(keys: VaultKeys, kind: ObjectKind, boundName: string, content: Uint8Array): Buffer {
  const header = newHeader(keys, kind);
  const packed = kind === objectKinds.index ? undefined : zstdCompressSync(content);
  const smaller = packed !== undefined && packed.length < content.length;
  const prologue = Buffer.alloc(prologueLength);
  prologue[0] = smaller ? 1 : 0;
  prologue.writeUInt32LE(content.length, 1);
  const cipher = createCipheriv("aes-256-gcm", sealKey(keys, header, kind), zeroNonce);
  cipher.setAAD(Buffer.concat([header.bytes, Buffer.from(boundName, "utf8")]));
  const body = [cipher.update(prologue), cipher.update(smaller ? packed : content), cipher.final()];
  return Buffer.concat([header.bytes, ...body, cipher.getAuthTag()]);
}

export function unseal(
  keys: VaultKeys,
  kind: ObjectKind,
  boundName: string,
  sealed: Uint8Array,
  maxLength: number,
  what = boundName,
): Buffer {
  const header = readHeader(sealed, kind, keys.vaultId, what);
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (bytes.length < headerLength + prologueLength + tagLength) {
    throw storeErrors.ObjectDamaged(`${what} ends too early.`);
  }
  const decipher = createDecipheriv("aes-256-gcm", sealKey(keys, header, kind), zeroNonce);
  decipher.setAAD(Buffer.concat([header.bytes, Buffer.from(boundName, "utf8")]));
  decipher.setAuthTag(bytes.subarray(bytes.length - tagLength));
  let plain: Buffer;
  try {
    plain = decipher.update(bytes.subarray(headerLength, bytes.length - tagLength));
    decipher.final();
  } catch (cause) {
    throw storeErrors.ObjectDamaged(`${what} was changed, or is offered under a name that is not its own.`, { cause });
  }
  const length = plain.readUInt32LE(1);
  const encoded = plain.subarray(prologueLength);
  if (length > maxLength) throw storeErrors.ObjectDamaged(`${what} announces ${length} bytes, more than ${maxLength}.`);
  const content = plain[0] === 0 ? encoded : decompress(encoded, length, what);
  if (content.length !== length) throw storeErrors.ObjectDamaged(`${what} has another length than it says.`);
  return content;
}

function decompress(encoded: Buffer, length: number, what: string): Buffer {
  try {
    return zstdDecompressSync(encoded, { maxOutputLength: Math.max(1, length) });
  } catch (cause) {
    throw storeErrors.ObjectDamaged(`${what} cannot be decompressed.`, { cause });
  }
}

function sealKey(keys: VaultKeys, header: ObjectHeader, kind: ObjectKind): Buffer {
  const info = Buffer.concat([Buffer.from("holdfast 1 seal "), Buffer.of(kind), keys.vaultId]);
  return deriveKey(epochKey(keys, header.epoch), header.salt, info);
}
