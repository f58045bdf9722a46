// Restore points as rows, and their disks, which have no rows of their own.

import { z } from "zod";
import { tryParseResourceId } from "../../../arm/resource-id.ts";
import { findResource, listResources, type Reader } from "../../../arm/resources/resource-store.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import type { GrantedDisk } from "../../../disks/grants.ts";

export const collectionType = "Microsoft.Compute/restorePointCollections";
export const restorePointType = `${collectionType}/restorePoints`;

export interface CollectionHidden {
  /** Names the store; on the wire the collection's own id. */
  readonly guid: string;
}

export function pointsOf(reader: Reader, collectionId: string): Promise<Resource[]> {
  return listResources(reader, { parent: collectionId, type: restorePointType });
}

const pointDiskSchema = z.object({
  /** Of the disk restore point. */
  name: z.string(),
  /** The disk's name in the store. */
  disk: z.string(),
  lun: z.number(),
  sizeBytes: z.number(),
  sourceResourceId: z.string(),
  uniqueId: z.string(),
});
export type PointDiskRow = z.output<typeof pointDiskSchema>;

const hiddenSchema = z.object({
  operationId: z.string().optional(),
  /** Once it has been created. */
  store: z.string().optional(),
  point: z.string().optional(),
  takenAt: z.number().optional(),
  osType: z.enum(["Linux", "Windows"]).optional(),
  disks: z.array(pointDiskSchema).optional(),
});
export type RestorePointHidden = z.output<typeof hiddenSchema>;

export function hiddenOf(point: Resource): RestorePointHidden {
  return hiddenSchema.parse(point.hidden);
}

export interface DiskRestorePoint {
  readonly id: string;
  readonly row: PointDiskRow;
  readonly osType: "Linux" | "Windows" | undefined;
  readonly takenAt: number;
  readonly granted: GrantedDisk & { readonly kind: "point" };
}

/** The disks of a restore point that has been created; none while it is being made. */
export function diskRestorePointsOf(point: Resource): DiskRestorePoint[] {
  const { store, point: name, disks = [], takenAt = 0, osType } = hiddenOf(point);
  if (store === undefined || name === undefined) return [];
  return disks.map((row) => ({
    id: `${point.id}/diskRestorePoints/${row.name}`,
    row,
    osType: row.lun === -1 ? osType : undefined,
    takenAt,
    granted: { kind: "point", store, point: name, disk: row.disk, size: row.sizeBytes, uniqueId: row.uniqueId },
  }));
}

export async function findDiskRestorePoint(reader: Reader, id: string): Promise<DiskRestorePoint | undefined> {
  const parsed = tryParseResourceId(id);
  if (parsed?.type.toLowerCase() !== `${restorePointType}/diskRestorePoints`.toLowerCase()) return undefined;
  const point = await findResource(reader, parsed.parent);
  if (point === undefined) return undefined;
  return diskRestorePointsOf(point).find((found) => found.id.toLowerCase() === id.toLowerCase());
}
