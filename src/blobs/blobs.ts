// The blob store as the rest of the service uses it.

import { setImmediate } from "node:timers/promises";
import type { Database } from "../db/database.ts";
import type { SecretBox } from "../lib/secret-box.ts";
import { forgetOldBlocks, largestPut, putBlockBlob } from "./block-blobs.ts";
import { openContentFiles } from "./content/content-files.ts";
import { openSource, readSource, sourceSize } from "./copy.ts";
import { blobErrors } from "./errors.ts";
import { unguarded } from "./guard.ts";
import { keyedLock } from "./keyed-lock.ts";
import { checkBlobName, checkContainerName, type BlobAddress, type ContainerAddress } from "./names.ts";
import { findAccount } from "./rows/account.ts";
import { createContainer, deleteContainer, findContainer, listContainers } from "./rows/container.ts";
import { referencedFiles } from "./rows/content.ts";
import type { Writer } from "./rows/account.ts";
import { makeServiceSas, type ServiceSas } from "./sas/make-sas.ts";
import type { BlobStore } from "./store.ts";
import { virtualBlobs, type VirtualBlob } from "./virtual.ts";

export interface Blobs extends AsyncDisposable {
  readonly store: BlobStore;
  /** `https://localhost:8443/{account}/`: works wherever the service itself is reached. */
  accountUrl(account: string): string;
  /** A URL that whoever has it may use until it expires. */
  sasUrl(address: BlobAddress | ContainerAddress, sas: ServiceSas): Promise<string>;
  ensureContainer(address: ContainerAddress): Promise<void>;
  /** Creates or replaces a block blob; durable when it returns. */
  write(
    address: BlobAddress,
    contentType: string,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<{ size: number; etag: string }>;
  /** Throws BlobNotFound. */
  read(address: BlobAddress, signal: AbortSignal): Promise<{ size: number; body: AsyncIterable<Uint8Array> }>;
  /** Serves a blob that is not stored; it ends with the returned function, and with the process. */
  serveVirtual(address: BlobAddress, blob: VirtualBlob): () => void;
  /** The account's containers with all that is in them, and the account. */
  removeAccount(trx: Writer, account: string): Promise<void>;
  /** Once an hour is enough. */
  maintain(): Promise<void>;
}

export interface BlobsOptions {
  readonly database: Database;
  readonly secretBox: SecretBox;
  readonly folder: string;
  readonly origin: () => string;
  /** Hears of what went wrong in the background. */
  readonly report: (error: unknown) => void;
}

export async function openBlobs({ database, secretBox, folder, origin, report }: BlobsOptions): Promise<Blobs> {
  const files = await openContentFiles(folder);
  const store: BlobStore = { database, secretBox, files, virtual: virtualBlobs(), pageLock: keyedLock() };
  const ending = new AbortController();
  // What a predecessor wrote and never came to refer to; the service does not wait for it.
  const sweeping = setImmediate()
    .then(() => files.sweep((names) => referencedFiles(database.kysely, names), ending.signal))
    .catch((error: unknown) => {
      if (!ending.signal.aborted) report(error);
    });
  const accountUrl = (account: string): string => `${origin()}/${account}/`;

  return {
    store,
    accountUrl,
    sasUrl: async (address, sas) => {
      const account = await findAccount(database.kysely, secretBox, address.account);
      if (account === undefined) throw blobErrors.ResourceNotFound(`There is no storage account '${address.account}'.`);
      const name = "name" in address ? address.name : undefined;
      const query = makeServiceSas(account.keys[0], { ...address, ...(name === undefined ? {} : { blob: name }) }, sas);
      const path = name === undefined ? "" : `/${name.split("/").map(encodeURIComponent).join("/")}`;
      return `${accountUrl(address.account)}${address.container}${path}?${query}`;
    },
    ensureContainer: (address) => {
      checkContainerName(address.container);
      return database.transaction(async (trx) => {
        if ((await findContainer(trx, address)) === undefined) await createContainer(trx, address);
      });
    },
    write: async (address, contentType, body, signal) => {
      checkBlobName(address.name);
      const write = { settings: { contentType }, metadata: {}, guard: unguarded };
      const { blob } = await putBlockBlob(store, address, write, body, { limit: largestPut }, signal);
      return { size: blob.size, etag: blob.etag };
    },
    read: async (address, signal) => {
      const source = await openSource(store, address);
      const size = sourceSize(source);
      return { size, body: readSource(store, source, 0, size, signal) };
    },
    serveVirtual: (address, blob) => store.virtual.serve(address, blob),
    removeAccount: async (trx, account) => {
      for (;;) {
        const some = await listContainers(trx, account, { prefix: "", limit: 100 });
        if (some.length === 0) break;
        for (const container of some) await deleteContainer(trx, files, container);
      }
      await trx.deleteFrom("blob_accounts").where("name", "=", account).execute();
    },
    maintain: () => forgetOldBlocks(store),
    [Symbol.asyncDispose]: async () => {
      ending.abort(new Error("the service is ending"));
      await sweeping;
    },
  };
}
