// The store: a vault's bytes. It knows disks, points and keys, and nothing of machines or of Azure.
// What is written where, in which order and why: docs/vault-format.md. Use of this library: §16 there.

export type { ObjectStore } from "./backends/object-store.ts";
export { collect, executeCollection } from "./collect/collect.ts";
export { defaultLimits, planCollection } from "./collect/collection-plan.ts";
export { storeErrors } from "./errors.ts";
export { parsePointName, type PointName } from "./format/object-names.ts";
export { keepDocument, keptDocument } from "./keep/kept-document.ts";
export { keyFromBytes, keyFromPassphrase, keyFromService, type KeyProvider } from "./keys/kek.ts";
export { parseRecoveryKey } from "./keys/recovery.ts";
export { addRecoveryKey, describeVault, exportConfig, importConfig, rekey, type ConfigChange } from "./keys/rekey.ts";
export { diffDisks, type ChangedRange } from "./map/diff.ts";
export { deletePoint, diskOf, listPoints, newestPoint, readPoint, type Point } from "./points/points.ts";
export { listDeletedPoints, undeletePoint } from "./points/undelete.ts";
export { readAttachment } from "./read/attachment.ts";
export { openDisk, type DiskReader } from "./read/disk-reader.ts";
export { exportPointDisk } from "./read/nbd-export.ts";
export { readDisk } from "./read/read-disk.ts";
export { beginSession, type AddedDisk, type BackupSession } from "./session/backup-session.ts";
export { copyPoint, type CopiedPoint } from "./session/copy-point.ts";
export type { DirtyRun, DiskSource } from "./sources/disk-source.ts";
export { createVault, openVault, type Vault } from "./vault.ts";
export { repair } from "./verify/repair.ts";
export { scrub, type ScrubFinding } from "./verify/scrub.ts";
export { verify } from "./verify/verify.ts";
