// A disk of a point as an NBD server shows it: read-only, with its holes.

import type { BlockExtent } from "../../nbd/extents.ts";
import type { NbdExport } from "../../nbd/export.ts";
import type { Point } from "../points/points.ts";
import type { Vault } from "../vault.ts";
import { openDisk, type DiskReader, type DiskReaderOptions } from "./disk-reader.ts";

/** `base:allocation`: a hole that reads as zeros. */
const holeAndZero = 3;

export async function exportPointDisk(
  vault: Vault,
  point: Point,
  diskName: string,
  exportName: string = diskName,
  options: DiskReaderOptions = {},
): Promise<NbdExport> {
  const reader = await openDisk(vault, point, diskName, options);
  return {
    name: exportName,
    description: `${diskName} of ${point.name}`,
    size: reader.size,
    readOnly: true,
    preferredBlock: 1024 * 1024,
    read: (into, offset, signal) => reader.read(into, offset, signal),
    extents: (offset, length, signal) => allocation(reader, offset, length, signal),
  };
}

async function* allocation(
  reader: DiskReader,
  offset: number,
  length: number,
  signal: AbortSignal,
): AsyncGenerator<BlockExtent> {
  for await (const extent of reader.extents(offset, offset + length, signal)) {
    yield { offset: extent.offset, length: extent.length, flags: extent.kind === "zero" ? holeAndZero : 0 };
  }
}
