// Objects in a bucket, for AWS and for those who speak its language (Ceph, MinIO and others).
// The SDK's own retries are off: it does not know that a conditional put whose answer was lost must
// not be sent again blindly; decorators/retry.ts does.

import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
  type _Object,
  type GetObjectCommandOutput,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { systemClock, type Clock } from "../../lib/clock.ts";
import { isErrorCode, systemCode } from "../../lib/errors.ts";
import { checkRange } from "./content.ts";
import { objectErrors } from "./errors.ts";
import { checkObjectName, checkObjectPrefix, isObjectName } from "./object-name.ts";
import type { ObjectInfo, ObjectStore, ReadOptions } from "./object-store.ts";
import { s3Writer, type S3Checksums, type S3ConditionalPut, type S3LockMode } from "./s3-write.ts";
import type { ServiceAgents } from "./service-agents.ts";
import { readBody } from "./service-body.ts";
import { fromServiceAnswer } from "./service-errors.ts";

export interface S3StoreOptions {
  readonly bucket: string;
  readonly prefix?: string;
  readonly region?: string;
  readonly endpoint?: string;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`; what most services but AWS want. */
  readonly pathStyle?: boolean;
  /** The SDK's own chain (environment, profile, instance role) when absent. */
  readonly credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** How the service checks what arrives: `sha256` (AWS, MinIO, Ceph from Squid on) or `md5` (everybody). */
  readonly checksums?: S3Checksums;
  /** The bucket has object lock: puts may lock, and deletes remove the version, not just the name. */
  readonly objectLock?: S3LockMode;
  readonly conditionalPut?: S3ConditionalPut;
  /** Objects above this go up in parts of this size; at least 5 MiB. */
  readonly partBytes?: number;
  /** Objects asked for in one listing request; the service's own limit (1000) when absent. */
  readonly pageSize?: number;
  readonly clock?: Clock;
  readonly agents?: ServiceAgents;
}

const defaultPartBytes = 96 * 1024 * 1024;

export function openS3Store(options: S3StoreOptions): ObjectStore {
  const { bucket, prefix = "", clock = systemClock } = options;
  const base = prefix === "" ? "" : `${prefix.replace(/^\/+|\/+$/g, "")}/`;
  const location = `s3://${bucket}${base === "" ? "" : `/${base.slice(0, -1)}`}`;
  const client = new S3Client(clientConfig(options));

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
      const found = await ask(`Looking at ${name}`, signal, () =>
        client.send(new HeadObjectCommand({ Bucket: bucket, Key: base + name }), { abortSignal: signal }),
      );
      return { name, size: found.ContentLength ?? 0, modifiedAt: found.LastModified?.getTime() ?? 0 };
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
    const range = length === undefined ? undefined : `bytes=${offset}-${offset + length - 1}`;
    return ask(`Reading ${name}`, signal, async () => {
      const command = new GetObjectCommand({ Bucket: bucket, Key: base + name, Range: range });
      let answer: GetObjectCommandOutput;
      try {
        answer = await client.send(command, { abortSignal: signal });
      } catch (error) {
        if (answerOf(error).status === 416) checkRange(name, (await head(name, signal))?.size ?? 0, offset, length);
        throw error;
      }
      const size = answer.ContentLength ?? 0;
      if (length !== undefined) checkRange(name, offset + size, offset, length);
      return readBody(answer.Body as unknown as AsyncIterable<Uint8Array>, size, name);
    });
  }

  async function remove(name: string, signal?: AbortSignal): Promise<void> {
    checkObjectName(name);
    const target = { Bucket: bucket, Key: base + name };
    try {
      await ask(`Deleting ${name}`, signal, async () => {
        if (options.objectLock === undefined) {
          await client.send(new DeleteObjectCommand(target), { abortSignal: signal });
          return;
        }
        const found = await client.send(new HeadObjectCommand(target), { abortSignal: signal });
        const until = found.ObjectLockRetainUntilDate;
        if (until !== undefined && until.getTime() > clock.now()) {
          throw objectErrors.ObjectLocked(`${name} in ${location} is locked until ${until.toISOString()}.`);
        }
        // Without its version only the name would go, and the bytes would be paid for ever.
        await client.send(new DeleteObjectCommand({ ...target, VersionId: found.VersionId }), { abortSignal: signal });
      });
    } catch (error) {
      if (!isErrorCode(error, "ObjectMissing")) throw error;
    }
  }

  function orderedInfos(contents: readonly _Object[]): ObjectInfo[] {
    return contents
      .map(({ Key = "", Size = 0, LastModified }) => ({
        name: Key.slice(base.length),
        size: Size,
        modifiedAt: LastModified?.getTime() ?? 0,
      }))
      .filter(({ name }) => isObjectName(name))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  return {
    location,
    supports: {
      objectLock: options.objectLock !== undefined,
      atomicCreate: options.conditionalPut !== "emulated",
      contentCheck: options.checksums !== "none",
    },
    put: s3Writer(client, ask, {
      bucket,
      base,
      location,
      checksums: options.checksums ?? "sha256",
      objectLock: options.objectLock,
      partBytes: options.partBytes ?? defaultPartBytes,
      conditionalPut: options.conditionalPut ?? "native",
    }),
    get,
    head,
    list: async function* (wanted, signal) {
      checkObjectPrefix(wanted);
      const pages = paginateListObjectsV2(
        { client },
        { Bucket: bucket, Prefix: base + wanted },
        { abortSignal: signal },
      );
      const iterator = pages[Symbol.asyncIterator]();
      let last = "";
      for (;;) {
        const page = await ask(`Listing ${wanted}`, signal, () => iterator.next());
        if (page.done === true) return;
        for (const info of orderedInfos(page.value.Contents ?? [])) {
          if (info.name < last) {
            throw objectErrors.StoreUntrustworthy(`${location} lists ${info.name} after ${last}: not in name order.`, {
              remedy: "Use a general purpose bucket: directory buckets cannot hold a vault.",
            });
          }
          last = info.name;
          yield info;
        }
      }
    },
    delete: remove,
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}

function clientConfig(options: S3StoreOptions): S3ClientConfig {
  return {
    region: options.region ?? (options.endpoint === undefined ? undefined : "us-east-1"),
    endpoint: options.endpoint,
    forcePathStyle: options.pathStyle ?? options.endpoint !== undefined,
    // A copy: the SDK writes into what it is given.
    credentials: options.credentials && { ...options.credentials },
    maxAttempts: 1,
    ...(options.agents === undefined
      ? {}
      : { requestHandler: { httpAgent: options.agents.http, httpsAgent: options.agents.https } }),
    // Our own checksums: those that the SDK adds by default are refused by some services.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  };
}

function answerOf(error: unknown): { code: string; status: number | undefined } {
  if (error instanceof S3ServiceException) return { code: error.name, status: error.$metadata.httpStatusCode };
  return { code: systemCode(error) ?? (error instanceof Error ? error.name : "unknown"), status: undefined };
}
