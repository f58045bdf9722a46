// Access to a disk by URL, for a while. The URL is that of a page blob in an account of the service's
// own, signed by that account's key: it opens this one disk for reading, and nothing else. A grant is
// a row, so it outlives a restart; it ends when it is revoked or when its time is over.

import * as z from "zod";
import type { Blobs } from "../blobs/blobs.ts";
import { ensureOwnAccount } from "../blobs/own-account.ts";
import { parseStoreName } from "../backup/stores/store-name.ts";
import type { Stores } from "../backup/stores/stores.ts";
import type { Database } from "../db/database.ts";
import { newGuid } from "../lib/random.ts";
import { shareOpened } from "../lib/shared.ts";
import { openDisk, parsePointName, type DiskSource } from "../store/index.ts";
import { readPoint } from "../store/points/points.ts";
import { diskErrors } from "./errors.ts";
import type { DiskImages } from "./images.ts";
import { vhdBlob, type ServedDisk } from "./vhd-blob.ts";

const servedSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("image"), imageId: z.string(), size: z.number(), uniqueId: z.string() }),
  z.object({
    kind: z.literal("point"),
    store: z.string(),
    point: z.string(),
    disk: z.string(),
    size: z.number(),
    uniqueId: z.string(),
  }),
]);
/** What a grant opens: an image, or a disk of a point. */
export type GrantedDisk = z.output<typeof servedSchema>;

export interface DiskGrants extends AsyncDisposable {
  /** The URL; what was given for the owner before stays as it is. */
  give(owner: string, granted: GrantedDisk, seconds: number): Promise<string>;
  /** All that was given for the owner ends. */
  revoke(owner: string): Promise<void>;
  /** Whether a grant of the owner still holds. */
  isGiven(owner: string): Promise<boolean>;
  /** Ends what has run out. */
  expire(): Promise<void>;
}

export interface DiskGrantsOptions {
  readonly database: Database;
  readonly blobs: Blobs;
  readonly images: DiskImages;
  readonly stores: Stores;
}

export const exportAccount = "diskexports";
const blobName = "disk.vhd";
const readersKept = 4;
const readerCacheBytes = 24 * 1024 * 1024;

interface OpenReader extends AsyncDisposable {
  readonly disk: DiskSource;
}

export async function openDiskGrants(options: DiskGrantsOptions): Promise<DiskGrants> {
  const { database, blobs, images, stores } = options;
  const readers = shareOpened<OpenReader>(readersKept, () =>
    diskErrors.DiskImageUnknown("The service is ending; no disk is read any more."),
  );
  const ends = new Map<string, () => void>();

  await ensureOwnAccount(database, blobs, exportAccount);

  const openReader = async (granted: GrantedDisk): Promise<OpenReader> => {
    if (granted.kind === "image") {
      const file = await images.open(granted.imageId);
      return { disk: file, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() };
    }
    const opened = await stores.open(parseStoreName(granted.store));
    try {
      const point = await readPoint(opened.vault, parsePointName(granted.point));
      const disk = await openDisk(opened.vault, point, granted.disk, { cacheBytes: readerCacheBytes });
      return { disk, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      throw error;
    }
  };

  const serve = (grantId: string, granted: GrantedDisk, createdAt: number): void => {
    const served: ServedDisk = {
      size: granted.size,
      uniqueId: granted.uniqueId,
      createdAt,
      lend: async function* (use) {
        await using share = await readers.take(grantId, () => openReader(granted));
        yield* use(share.value.disk);
      },
    };
    ends.set(grantId, blobs.serveVirtual(addressOf(grantId), vhdBlob(served)));
  };

  const end = async (grantIds: readonly string[]): Promise<void> => {
    for (const grantId of grantIds) {
      ends.get(grantId)?.();
      ends.delete(grantId);
      await readers.forget(grantId); // a download under way goes on to its end
      await database.kysely.deleteFrom("disk_grants").where("grant_id", "=", grantId).execute();
    }
  };

  const expire = async (): Promise<void> => {
    const over = await database.kysely
      .selectFrom("disk_grants")
      .select("grant_id")
      .where("expires_at", "<=", database.clock.now())
      .execute();
    await end(over.map(({ grant_id: grantId }) => grantId));
  };

  await expire();
  for (const row of await database.kysely.selectFrom("disk_grants").selectAll().execute())
    serve(row.grant_id, servedSchema.parse(JSON.parse(row.source)), row.created_at);

  return {
    give: async (owner, granted, seconds) => {
      const grantId = newGuid();
      const createdAt = database.clock.now();
      const expiresAt = createdAt + seconds * 1000;
      await database.kysely
        .insertInto("disk_grants")
        .values({
          grant_id: grantId,
          owner: owner.toLowerCase(),
          source: JSON.stringify(granted),
          access: "Read",
          expires_at: expiresAt,
          created_at: createdAt,
        })
        .execute();
      serve(grantId, granted, createdAt);
      return blobs.sasUrl(addressOf(grantId), { permissions: "r", expiresAt });
    },
    revoke: async (owner) => {
      const rows = await database.kysely
        .selectFrom("disk_grants")
        .select("grant_id")
        .where("owner", "=", owner.toLowerCase())
        .execute();
      await end(rows.map(({ grant_id: grantId }) => grantId));
    },
    isGiven: async (owner) => {
      const row = await database.kysely
        .selectFrom("disk_grants")
        .select("grant_id")
        .where("owner", "=", owner.toLowerCase())
        .where("expires_at", ">", database.clock.now())
        .executeTakeFirst();
      return row !== undefined;
    },
    expire,
    [Symbol.asyncDispose]: async () => {
      for (const stop of ends.values()) stop();
      await readers[Symbol.asyncDispose]();
    },
  };
}

function addressOf(grantId: string): { account: string; container: string; name: string } {
  return { account: exportAccount, container: grantId, name: blobName };
}
