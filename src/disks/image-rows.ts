// What the control data knows of disk images.

import type { Kysely, Transaction } from "kysely";
import type { DiskImageRow } from "../db/schema/disks.ts";
import type { Tables } from "../db/schema.ts";
import { scopeOf } from "../db/transaction.ts";
import { diskErrors } from "./errors.ts";

export interface DiskImage {
  readonly imageId: string;
  readonly size: number;
  readonly isReady: boolean;
  readonly createdAt: number;
}

type Reader = Kysely<Tables> | Transaction<Tables>;

export async function imageOf(reader: Reader, owner: string): Promise<DiskImage | undefined> {
  const row = await reader
    .selectFrom("disk_images")
    .selectAll()
    .where("owner", "=", owner.toLowerCase())
    .executeTakeFirst();
  return row === undefined ? undefined : fromRow(row);
}

export async function imageById(reader: Reader, imageId: string): Promise<DiskImage | undefined> {
  const row = await reader.selectFrom("disk_images").selectAll().where("image_id", "=", imageId).executeTakeFirst();
  return row === undefined ? undefined : fromRow(row);
}

/** The image of a resource whose content is whole. */
export async function readyImageOf(reader: Reader, owner: string): Promise<DiskImage> {
  const image = await imageOf(reader, owner);
  if (image === undefined) throw diskErrors.DiskImageUnknown(`${owner} has no content here.`);
  if (!image.isReady) throw diskErrors.DiskImageNotReady(`The content of ${owner} is still being written.`);
  return image;
}

/** A place for an image that is to be written. */
export async function reserveImage(trx: Transaction<Tables>, imageId: string, owner: string): Promise<void> {
  await trx
    .insertInto("disk_images")
    .values({
      image_id: imageId,
      owner: owner.toLowerCase(),
      size: 0,
      is_ready: 0,
      created_at: scopeOf(trx).clock.now(),
    })
    .execute();
}

export async function markReady(trx: Transaction<Tables>, imageId: string, size: number): Promise<void> {
  await trx.updateTable("disk_images").set({ size, is_ready: 1 }).where("image_id", "=", imageId).execute();
}

export async function forgetImage(trx: Transaction<Tables>, owner: string): Promise<DiskImage | undefined> {
  const image = await imageOf(trx, owner);
  if (image !== undefined) await trx.deleteFrom("disk_images").where("image_id", "=", image.imageId).execute();
  return image;
}

export async function knownImages(reader: Reader): Promise<Set<string>> {
  const rows = await reader.selectFrom("disk_images").select("image_id").execute();
  return new Set(rows.map(({ image_id: id }) => id));
}

function fromRow(row: DiskImageRow): DiskImage {
  return { imageId: row.image_id, size: row.size, isReady: row.is_ready === 1, createdAt: row.created_at };
}
