// A new managed disk: the place for its bytes, and the row that tells of it. Its maker writes the bytes
// next; until then the disk is not whole.

import { putResource, type Writer } from "../../../arm/resources/resource-store.ts";
import type { JsonObject } from "../../../arm/resources/resource.ts";
import type { Caller } from "../../../arm/request.ts";
import { scopeOf } from "../../../db/transaction.ts";
import { reserveImage } from "../../../disks/image-rows.ts";
import { newGuid } from "../../../lib/random.ts";
import type { PlannedContent } from "./content.ts";
import { createdProperties, type DiskProperties } from "./properties.ts";

export interface AskedDisk {
  readonly id: string;
  readonly asked: DiskProperties;
  readonly planned: Pick<PlannedContent, "osType" | "sourceUniqueId">;
  readonly sizeBytes: number;
}

export interface ReservedDisk {
  readonly imageId: string;
  readonly properties: JsonObject;
}

/** For those who put the row themselves. */
export async function reserveDisk(trx: Writer, { id, asked, planned, sizeBytes }: AskedDisk): Promise<ReservedDisk> {
  const imageId = newGuid();
  await reserveImage(trx, imageId, id);
  const now = scopeOf(trx).clock.now();
  return { imageId, properties: createdProperties(asked, planned, { imageId, sizeBytes, now }) };
}

export interface NewDisk extends AskedDisk {
  readonly location: string;
  readonly sku: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** What the resource keeps beside its image. */
  readonly hidden?: object;
  readonly caller: Caller;
}

/** The id of the image that is to be written; then `changeResource` says that the disk is whole. */
export async function putNewDisk(trx: Writer, disk: NewDisk): Promise<string> {
  const { imageId, properties } = await reserveDisk(trx, disk);
  const { id, location, sku, tags, hidden, caller } = disk;
  await putResource(
    trx,
    {
      id,
      location,
      envelope: { sku: skuNamed(sku), ...(tags === undefined ? {} : { tags }) },
      properties,
      hidden: { imageId, ...hidden },
      provisioningState: "Creating",
      tracked: true,
    },
    { caller, clock: scopeOf(trx).clock },
  );
  return imageId;
}

export function skuNamed(name: string): { readonly name: string; readonly tier: string } {
  return { name, tier: name.startsWith("Premium") ? "Premium" : name.startsWith("Ultra") ? "Ultra" : "Standard" };
}
