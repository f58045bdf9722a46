// Managed disks, snapshots, and access to their bytes. See docs/disks.md.

import { join } from "node:path";
import type { Blobs } from "../blobs/blobs.ts";
import type { Stores } from "../backup/stores/stores.ts";
import type { Database } from "../db/database.ts";
import { openDiskGrants, type DiskGrants } from "./grants.ts";
import { openDiskImages, type DiskImages } from "./images.ts";

export interface Disks extends AsyncDisposable {
  readonly images: DiskImages;
  readonly grants: DiskGrants;
  /** Once an hour is enough. */
  maintain(): Promise<void>;
}

export interface DisksOptions {
  /** The data folder. */
  readonly folder: string;
  readonly database: Database;
  readonly blobs: Blobs;
  readonly stores: Stores;
  /** Hears of what went wrong in the background. */
  readonly report: (error: unknown) => void;
}

export async function openDisks(options: DisksOptions): Promise<Disks> {
  const { database, blobs, stores, report } = options;
  const images = await openDiskImages({ folder: join(options.folder, "disks"), database, stores, report });
  await images.sweep();
  const grants = await openDiskGrants({ database, blobs, images, stores });
  return {
    images,
    grants,
    maintain: () => grants.expire(),
    [Symbol.asyncDispose]: () => grants[Symbol.asyncDispose](),
  };
}
