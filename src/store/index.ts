// The store: a vault's bytes. It knows disks, points and keys, and nothing of machines or of Azure.
// What is written where, in which order and why: docs/vault-format.md. Use of this library: §16 there.

export type { ObjectInfo, ObjectStore } from "./backends/object-store.ts";
export { storeErrors } from "./errors.ts";
export { parsePointName, type PointName } from "./format/object-names.ts";
export type { DiskStatistics, Metadata, PointAttachment, PointDisk, PointDocument } from "./format/point.ts";
export { keyFromBytes, keyFromPassphrase, keyFromService, type KeyProvider, type KeyService } from "./keys/kek.ts";
export { parseRecoveryKey, printRecoveryKey } from "./keys/recovery.ts";
export {
  deletePoint,
  diskOf,
  listPoints,
  newestPoint,
  readPoint,
  type Point,
  type PointListing,
  type PointProblem,
} from "./points/points.ts";
export { readDisk, type DiskSink, type ReadDiskOptions, type RestoreProgress } from "./read/read-disk.ts";
export {
  beginSession,
  type AddDiskOptions,
  type AddedDisk,
  type BackupSession,
  type SessionOptions,
} from "./session/backup-session.ts";
export type { DiskProgress } from "./session/disk-writer.ts";
export { openRawFile, type RawFileOptions, type RawFileSource } from "./sources/raw-file.ts";
export type { DirtyRun, DiskSource, SourceExtent } from "./sources/disk-source.ts";
export { createVault, openVault, type CreateVaultOptions, type Vault, type VaultOptions } from "./vault.ts";
