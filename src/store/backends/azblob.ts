// Objects in an Azure Blob container. The SDK's own retries are off, for the reason told in s3.ts.

import { createHash } from "node:crypto";
import {
  AnonymousCredential,
  ContainerClient,
  newPipeline,
  RestError,
  StorageSharedKeyCredential,
  type BlockBlobClient,
  type RequestPolicyFactory,
} from "@azure/storage-blob";
import { isErrorCode, systemCode } from "../../lib/errors.ts";
import { checkContentHash, checkRange, joined } from "./content.ts";
import { objectErrors } from "./errors.ts";
import { checkObjectName, checkObjectPrefix, isObjectName } from "./object-name.ts";
import type { ObjectInfo, ObjectStore, PutOptions, ReadOptions } from "./object-store.ts";
import type { ServiceAgents } from "./service-agents.ts";
import { readBody } from "./service-body.ts";
import { fromServiceAnswer } from "./service-errors.ts";

export interface AzureBlobStoreOptions {
  readonly account: string;
  readonly container: string;
  readonly prefix?: string;
  /** `https://ACCOUNT.blob.core.windows.net` when absent; Azurite: `http://127.0.0.1:10000/ACCOUNT`. */
  readonly endpoint?: string;
  readonly credential?: AzureBlobCredential;
  /** The container has version-level immutability: puts may lock. `Locked` cannot be shortened by anybody. */
  readonly immutability?: "Locked" | "Unlocked";
  /** Objects above this go up in blocks of this size. */
  readonly blockBytes?: number;
  /** Blobs asked for in one listing request; the service's own limit (5000) when absent. */
  readonly pageSize?: number;
  readonly agents?: ServiceAgents;
}

type TokenCredential = Extract<ConstructorParameters<typeof ContainerClient>[1], { getToken: unknown }>;

export type AzureBlobCredential =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "sas"; readonly token: string }
  | { readonly kind: "token"; readonly credential: TokenCredential };

const defaultBlockBytes = 16 * 1024 * 1024;

export function openAzureBlobStore(options: AzureBlobStoreOptions): ObjectStore {
  const { account, container, prefix = "", blockBytes = defaultBlockBytes } = options;
  const base = prefix === "" ? "" : `${prefix.replace(/^\/+|\/+$/g, "")}/`;
  const location = `azblob://${account}/${container}${base === "" ? "" : `/${base.slice(0, -1)}`}`;
  const client = containerClient(options);
  const blob = (name: string): BlockBlobClient => client.getBlockBlobClient(base + name);

  async function ask<T>(doing: string, signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      signal?.throwIfAborted();
      throw fromServiceAnswer(error, answerOf(error), `${doing} in ${location}`);
    }
  }

  async function head(name: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> {
    checkObjectName(name);
    try {
      const found = await ask(`Looking at ${name}`, signal, () => blob(name).getProperties({ abortSignal: signal }));
      return { name, size: found.contentLength ?? 0, modifiedAt: found.lastModified?.getTime() ?? 0 };
    } catch (error) {
      if (isErrorCode(error, "ObjectMissing")) return undefined;
      throw error;
    }
  }

  async function get(name: string, { offset = 0, length, signal }: ReadOptions = {}): Promise<Buffer> {
    checkObjectName(name);
    if (length === 0 || (length === undefined && offset > 0)) {
      // An empty range has no form in HTTP, and an open one hides whether the object is long enough.
      const info = await head(name, signal);
      if (info === undefined) throw objectErrors.ObjectMissing(`${location} holds no ${name}.`);
      const range = checkRange(name, info.size, offset, length);
      return range.length === 0 ? Buffer.alloc(0) : get(name, { ...range, signal });
    }
    return ask(`Reading ${name}`, signal, async () => {
      try {
        const answer = await blob(name).download(offset, length, { abortSignal: signal, maxRetryRequests: 0 });
        const size = answer.contentLength ?? 0;
        if (length !== undefined) checkRange(name, offset + size, offset, length);
        return await readBody(answer.readableStreamBody as unknown as AsyncIterable<Uint8Array>, size, name);
      } catch (error) {
        if (answerOf(error).status === 416) checkRange(name, (await head(name, signal))?.size ?? 0, offset, length);
        throw error;
      }
    });
  }

  async function put(name: string, content: Uint8Array | readonly Uint8Array[], put: PutOptions = {}): Promise<void> {
    checkObjectName(name);
    if (put.lockedUntil !== undefined && options.immutability === undefined) {
      throw objectErrors.StoreRefused(`${location} cannot lock ${name}: it was opened without immutability.`, {
        remedy: "Make a container with version-level immutability and open it with immutability=Locked.",
      });
    }
    put.signal?.throwIfAborted();
    // The service knows no SHA-256. It compares an MD5 of each block that arrives; this covers the way before.
    checkContentHash(name, content, put.sha256);
    const common = {
      abortSignal: put.signal,
      ...(put.onlyIfAbsent === true ? { conditions: { ifNoneMatch: "*" } } : {}),
      ...(put.lockedUntil === undefined
        ? {}
        : { immutabilityPolicy: { expiriesOn: new Date(put.lockedUntil), policyMode: options.immutability } }),
    };
    const body = joined(content);
    await ask(`Writing ${name}`, put.signal, async () => {
      if (body.length <= blockBytes) {
        const blobHTTPHeaders = { blobContentMD5: md5(body) };
        await blob(name).upload(body, body.length, { ...common, blobHTTPHeaders });
        return;
      }
      const blocks: string[] = [];
      for (let offset = 0; offset < body.length; offset += blockBytes) {
        const block = body.subarray(offset, offset + blockBytes);
        // Two writers of one name must not mix their blocks: the id carries what the block holds.
        const hash = md5(block);
        const id = Buffer.from(`${String(blocks.length).padStart(6, "0")}-${hash.toString("hex")}`).toString("base64");
        await blob(name).stageBlock(id, block, block.length, {
          abortSignal: put.signal,
          transactionalContentMD5: hash,
        });
        blocks.push(id);
      }
      await blob(name).commitBlockList(blocks, common);
    });
  }

  return {
    location,
    supports: { objectLock: options.immutability !== undefined, atomicCreate: true, contentCheck: true },
    put,
    get,
    head,
    list: async function* (wanted, signal) {
      checkObjectPrefix(wanted);
      const pages = client
        .listBlobsFlat({ prefix: base + wanted, abortSignal: signal })
        .byPage({ maxPageSize: options.pageSize });
      for (;;) {
        const page = await ask(`Listing ${wanted}`, signal, () => pages.next());
        if (page.done === true) return;
        for (const { name: key, properties } of page.value.segment.blobItems) {
          const name = key.slice(base.length);
          if (!isObjectName(name)) continue;
          yield { name, size: properties.contentLength ?? 0, modifiedAt: properties.lastModified.getTime() };
        }
      }
    },
    delete: async (name, signal) => {
      checkObjectName(name);
      await ask(`Deleting ${name}`, signal, () => blob(name).deleteIfExists({ abortSignal: signal }));
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function containerClient({ account, container, endpoint, credential, agents }: AzureBlobStoreOptions): ContainerClient {
  const service = (endpoint ?? `https://${account}.blob.core.windows.net`).replace(/\/+$/, "");
  const url = `${service}/${container}`;
  const reach = (at: string, as: Parameters<typeof newPipeline>[0]): ContainerClient => {
    const pipeline = newPipeline(as, { retryOptions: { maxTries: 1 } });
    if (agents !== undefined) pipeline.factories.push(throughAgents(agents));
    return new ContainerClient(at, pipeline);
  };
  if (credential === undefined) return reach(url, new AnonymousCredential());
  if (credential.kind === "token") return reach(url, credential.credential);
  if (credential.kind === "key") return reach(url, new StorageSharedKeyCredential(account, credential.key));
  return reach(`${url}?${credential.token.replace(/^\?/, "")}`, new AnonymousCredential());
}

function throughAgents(agents: ServiceAgents): RequestPolicyFactory {
  return {
    create: (next) => ({
      sendRequest: (request) => {
        request.agent = request.url.startsWith("https:") ? agents.https : agents.http;
        return next.sendRequest(request);
      },
    }),
  };
}

function md5(bytes: Uint8Array): Buffer {
  return createHash("md5").update(bytes).digest();
}

function answerOf(error: unknown): { code: string; status: number | undefined } {
  if (error instanceof RestError) {
    const details = error.details as { errorCode?: string } | undefined;
    return { code: details?.errorCode ?? error.code ?? error.name, status: error.statusCode };
  }
  return { code: systemCode(error) ?? (error instanceof Error ? error.name : "unknown"), status: undefined };
}
