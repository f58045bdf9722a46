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
export { collect, executeCollection, type CollectionOutcome, type CollectOptions } from "./collect/collect.ts";
export {
  defaultLimits,
  planCollection,
  type CollectionLimits,
  type CollectionPlan,
} from "./collect/collection-plan.ts";
export {
  addRecoveryKey,
  describeVault,
  exportConfig,
  importConfig,
  rekey,
  type ConfigChange,
  type VaultDescription,
} from "./keys/rekey.ts";
export { diffDisks, type ChangedRange } from "./map/diff.ts";
export { readAttachment } from "./read/attachment.ts";
export { openDisk, type DiskReader, type DiskReaderOptions } from "./read/disk-reader.ts";
export { repair, type RepairOutcome } from "./verify/repair.ts";
export { scrub, type ScrubFinding, type ScrubOptions, type ScrubProgress } from "./verify/scrub.ts";
export { verify, type VerifyOptions, type VerifyOutcome, type VerifyProgress } from "./verify/verify.ts";
export { undeletePoint, listDeletedPoints } from "./points/undelete.ts";
