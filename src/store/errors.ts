// Every failure of a vault that has a name. The wire and the offline tool show code, message and
// remedy; failures of the place that holds the objects are in backends/errors.ts.

import { defineErrors } from "../lib/errors.ts";

export const storeErrors = defineErrors({
  FormatFromTheFuture: { status: 501, remedy: "Use a newer Holdfast to read this vault." },
  ObjectDamaged: { status: 500, remedy: "Run `holdfast store verify`; repair it from another copy of the vault." },
  ForeignObject: { status: 500, remedy: "Remove the object: it belongs to another vault." },
  VaultMissing: { status: 404, remedy: "Check the location; `holdfast store init` makes a new vault." },
  VaultExists: { status: 409, remedy: "Open it, or choose an empty place for the new vault." },
  WrongKey: { status: 403, remedy: "Use the key that belongs to this vault." },
  KeyDamaged: { status: 400, remedy: "Check the key for typing mistakes, or use another copy of it." },
  KeySlotMissing: { status: 404, remedy: "`holdfast store info` lists the keys that open this vault." },
  KeySlotExists: { status: 409, remedy: "Remove the old key first, or choose another name." },
  LastKeySlot: { status: 409, remedy: "Add another key before removing this one." },
  EpochMissing: {
    status: 500,
    remedy: "The vault's config is older than its data: the store gave back an old version of it.",
  },
  ConfigChanged: { status: 409, remedy: "Open the vault again and repeat the change." },
  ItemNameInvalid: { status: 400 },
  DiskNameInvalid: { status: 400 },
  DiskSizeInvalid: { status: 400 },
  AttachmentTooLarge: { status: 400 },
  KeptDocumentTooLarge: { status: 400 },
  KeptDocumentChanged: { status: 409, remedy: "Read the document again and repeat the change." },
  PointTooLarge: { status: 400 },
  PointMissing: { status: 404, remedy: "`holdfast store points` lists what is there." },
  PointLocked: { status: 409, remedy: "It can be deleted when its lock has ended." },
  DiskMissing: { status: 404 },
  AttachmentMissing: { status: 404 },
  BlobMissing: {
    status: 500,
    remedy: "Run `holdfast store verify` to see which points need it; repair it from another copy of the vault.",
  },
  SourceFailed: { status: 500, remedy: "Check the disk that is read; the next backup begins again." },
  SourceShort: { status: 500, remedy: "The disk changed its size while it was read; repeat the backup." },
  SessionEnded: { status: 409, remedy: "Begin a new session." },
  SessionEvicted: { status: 409, remedy: "Repeat the backup: what it had stored is found again." },
  AbnormalDeletion: {
    status: 409,
    remedy: "Look at the plan; if it is meant, collect again with allowAbnormal.",
  },
  CollectionBusy: { status: 409, remedy: "Collect again when it has ended." },
  VaultClosed: { status: 409 },
  WorkerFailed: { status: 500 },
  IndexFull: { status: 507 },
});
