// A blob or a snapshot of one: what is known of it besides its bytes.

import type { BlobRow } from "../../db/schema/blobs.ts";
import { scopeOf } from "../../db/transaction.ts";
import { newEtag } from "../conditions.ts";
import type { ContentFiles } from "../content/content-files.ts";
import { blobErrors } from "../errors.ts";
import { noLease, type Lease } from "../lease.ts";
import type { BlobAddress } from "../names.ts";
import type { Reader, Writer } from "./account.ts";
import type { Metadata } from "./container.ts";
import { releaseContents } from "./content.ts";

export type BlobKind = "BlockBlob" | "PageBlob";

export interface BlobSettings {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly contentDisposition?: string;
  readonly cacheControl?: string;
  /** Base64. */
  readonly contentMd5?: string;
  readonly tier?: string;
  readonly sequenceNumber?: number;
  readonly copy?: CopyRecord;
}

export interface CopyRecord {
  readonly id: string;
  readonly source: string;
  readonly status: "success" | "failed" | "aborted";
  readonly completedAt: number;
  readonly bytes: number;
}

export interface Blob extends BlobAddress {
  readonly kind: BlobKind;
  readonly contentId: string;
  readonly size: number;
  readonly etag: string;
  readonly settings: BlobSettings;
  readonly metadata: Metadata;
  readonly lease: Lease;
  readonly createdAt: number;
  readonly changedAt: number;
}

/** In the column: sorts behind the time of every snapshot. */
export const noSnapshot = "~";

export async function findBlob(reader: Reader, address: BlobAddress): Promise<Blob | undefined> {
  const row = await reader
    .selectFrom("blobs")
    .selectAll()
    .where("account", "=", address.account)
    .where("container", "=", address.container)
    .where("name", "=", address.name)
    .where("snapshot", "=", address.snapshot ?? noSnapshot)
    .executeTakeFirst();
  return row === undefined ? undefined : blobFromRow(row);
}

export async function getBlob(reader: Reader, address: BlobAddress): Promise<Blob> {
  const blob = await findBlob(reader, address);
  if (blob === undefined) throw blobErrors.BlobNotFound(`The specified blob '${address.name}' does not exist.`);
  return blob;
}

export interface BlobDraft {
  readonly kind: BlobKind;
  readonly contentId: string;
  readonly size: number;
  readonly settings: BlobSettings;
  readonly metadata: Metadata;
}

/** Creates or replaces; a lease on what is replaced stays, and so do its snapshots. */
export async function putBlob(trx: Writer, store: ContentFiles, address: BlobAddress, draft: BlobDraft): Promise<Blob> {
  const before = await findBlob(trx, address);
  const now = scopeOf(trx).clock.now();
  const row: BlobRow = {
    account: address.account,
    container: address.container,
    name: address.name,
    snapshot: address.snapshot ?? noSnapshot,
    kind: draft.kind,
    content_id: draft.contentId,
    size: draft.size,
    etag: newEtag(),
    settings: JSON.stringify(draft.settings),
    metadata: JSON.stringify(draft.metadata),
    lease: JSON.stringify(before?.lease ?? noLease),
    created_at: before?.createdAt ?? now,
    changed_at: now,
  };
  await trx
    .insertInto("blobs")
    .values(row)
    .onConflict((conflict) => conflict.columns(["account", "container", "name", "snapshot"]).doUpdateSet(row))
    .execute();
  if (before !== undefined) await releaseContents(trx, store, [before.contentId]);
  return blobFromRow(row);
}

export async function changeBlob(
  trx: Writer,
  blob: Blob,
  change: { settings?: BlobSettings; metadata?: Metadata; lease?: Lease; size?: number; touched?: boolean },
): Promise<Blob> {
  const isTouched =
    change.touched ?? (change.settings !== undefined || change.metadata !== undefined || change.size !== undefined);
  const changed: Blob = {
    ...blob,
    settings: change.settings ?? blob.settings,
    metadata: change.metadata ?? blob.metadata,
    lease: change.lease ?? blob.lease,
    size: change.size ?? blob.size,
    etag: isTouched ? newEtag() : blob.etag,
    changedAt: isTouched ? scopeOf(trx).clock.now() : blob.changedAt,
  };
  await trx
    .updateTable("blobs")
    .set({
      settings: JSON.stringify(changed.settings),
      metadata: JSON.stringify(changed.metadata),
      lease: JSON.stringify(changed.lease),
      size: changed.size,
      etag: changed.etag,
      changed_at: changed.changedAt,
    })
    .where("account", "=", blob.account)
    .where("container", "=", blob.container)
    .where("name", "=", blob.name)
    .where("snapshot", "=", blob.snapshot ?? noSnapshot)
    .execute();
  return changed;
}

export type SnapshotsToo = "include" | "only" | undefined;

export async function deleteBlob(
  trx: Writer,
  store: ContentFiles,
  address: BlobAddress,
  snapshots: SnapshotsToo,
): Promise<void> {
  const rows = await trx
    .selectFrom("blobs")
    .select(["snapshot", "content_id"])
    .where("account", "=", address.account)
    .where("container", "=", address.container)
    .where("name", "=", address.name)
    .execute();
  const wanted = address.snapshot ?? noSnapshot;
  const others = rows.filter(({ snapshot }) => snapshot !== noSnapshot);
  if (address.snapshot === undefined && others.length > 0 && snapshots === undefined) {
    throw blobErrors.SnapshotsPresent(
      "This operation is not permitted because the blob has snapshots. Say x-ms-delete-snapshots: include or only.",
    );
  }
  const doomed = rows.filter(({ snapshot }) =>
    snapshots === undefined ? snapshot === wanted : snapshots === "include" || snapshot !== noSnapshot,
  );
  for (const { snapshot } of doomed) {
    await trx
      .deleteFrom("blobs")
      .where("account", "=", address.account)
      .where("container", "=", address.container)
      .where("name", "=", address.name)
      .where("snapshot", "=", snapshot)
      .execute();
  }
  await releaseContents(
    trx,
    store,
    doomed.map((row) => row.content_id),
  );
}

export function blobFromRow(row: BlobRow): Blob {
  return {
    account: row.account,
    container: row.container,
    name: row.name,
    snapshot: row.snapshot === noSnapshot ? undefined : row.snapshot,
    kind: row.kind as BlobKind,
    contentId: row.content_id,
    size: row.size,
    etag: row.etag,
    settings: JSON.parse(row.settings) as BlobSettings,
    metadata: JSON.parse(row.metadata) as Metadata,
    lease: JSON.parse(row.lease) as Lease,
    createdAt: row.created_at,
    changedAt: row.changed_at,
  };
}
