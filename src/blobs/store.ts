// What every operation on blobs works with.

import type { Database } from "../db/database.ts";
import type { SecretBox } from "../lib/secret-box.ts";
import type { ContentFiles } from "./content/content-files.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import type { VirtualBlobs } from "./virtual.ts";

export interface BlobStore {
  readonly database: Database;
  readonly secretBox: SecretBox;
  readonly files: ContentFiles;
  readonly virtual: VirtualBlobs;
  /**
   * Page blobs are written in place, so whoever writes pages, and whoever makes a second blob out of
   * the same content (a snapshot, a copy), holds the lock of the blob.
   */
  readonly pageLock: KeyedLock;
}
