// Putting an object into a bucket: in one request, or in parts when it is large; on condition where
// that was asked for; with a checksum that the service compares.

import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3ServiceException,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from "@aws-sdk/client-s3";
import { checkContentHash, joined, type ObjectContent } from "./content.ts";
import { objectErrors } from "./errors.ts";
import { checkObjectName } from "./object-name.ts";
import type { ObjectStore, PutOptions } from "./object-store.ts";

export type S3Checksums = "sha256" | "md5" | "none";
/** `emulated` looks first and writes then: two writers at the same moment may both be told that they won. */
export type S3ConditionalPut = "native" | "emulated";
export type S3LockMode = "compliance" | "governance";

export interface S3Target {
  readonly bucket: string;
  /** What stands before every object name in the bucket. */
  readonly base: string;
  readonly location: string;
  readonly checksums: S3Checksums;
  readonly objectLock: S3LockMode | undefined;
  readonly partBytes: number;
  readonly conditionalPut: S3ConditionalPut;
}

export type AskService = <T>(doing: string, signal: AbortSignal | undefined, action: () => Promise<T>) => Promise<T>;

/** Begins with a dot, so it is never taken for an object of the vault. */
const probeName = ".holdfast-conditional-put";

export function s3Writer(client: S3Client, ask: AskService, target: S3Target): ObjectStore["put"] {
  const { bucket, base, location } = target;
  let trial: Promise<void> | undefined;

  return async (name, content, options = {}) => {
    checkObjectName(name);
    const { signal } = options;
    signal?.throwIfAborted();
    const lock = lockOf(name, options);
    const body = joined(content);
    if (target.checksums === "md5" || body.length > target.partBytes) checkContentHash(name, content, options.sha256);
    let condition: { IfNoneMatch: string } | undefined;
    if (options.onlyIfAbsent === true && target.conditionalPut === "native") {
      condition = { IfNoneMatch: "*" };
      trial ??= checkConditions(signal);
      trial.catch(() => {
        trial = undefined;
      });
      await trial;
    } else if (options.onlyIfAbsent === true && (await isThere(name, signal))) {
      throw objectErrors.ObjectExists(`${location} already holds ${name}.`);
    }
    await ask(`Writing ${name}`, signal, async () => {
      const key = { Bucket: bucket, Key: base + name };
      if (body.length > target.partBytes) return putParts(key, body, lock, condition, signal);
      const request = { ...key, ...lock, ...condition, ...checksumOf(body, options.sha256), Body: body };
      await client.send(new PutObjectCommand(request), { abortSignal: signal });
    });
  };

  function lockOf(name: string, options: PutOptions) {
    if (options.lockedUntil === undefined) return undefined;
    if (target.objectLock === undefined) {
      throw objectErrors.StoreRefused(`${location} cannot lock ${name}: it was opened without object lock.`, {
        remedy: "Make a bucket with object lock and open it with objectLock=compliance or objectLock=governance.",
      });
    }
    return {
      ObjectLockMode: target.objectLock === "compliance" ? ("COMPLIANCE" as const) : ("GOVERNANCE" as const),
      ObjectLockRetainUntilDate: new Date(options.lockedUntil),
    };
  }

  function checksumOf(body: ObjectContent, sha256?: Uint8Array) {
    if (target.checksums === "none") return {};
    if (target.checksums === "md5") return { ContentMD5: createHash("md5").update(joined(body)).digest("base64") };
    const hash = sha256 ?? createHash("sha256").update(joined(body)).digest();
    return { ChecksumSHA256: Buffer.from(hash).toString("base64") };
  }

  async function putParts(
    key: { Bucket: string; Key: string },
    body: Buffer,
    lock: ReturnType<typeof lockOf>,
    condition: { IfNoneMatch: string } | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const algorithm = target.checksums === "sha256" ? ({ ChecksumAlgorithm: "SHA256" } as const) : {};
    const upload = await client.send(new CreateMultipartUploadCommand({ ...key, ...lock, ...algorithm }), {
      abortSignal: signal,
    });
    const part = { ...key, UploadId: upload.UploadId };
    try {
      const parts: CompletedPart[] = [];
      for (let offset = 0; offset < body.length; offset += target.partBytes) {
        const Body = body.subarray(offset, offset + target.partBytes);
        const PartNumber = parts.length + 1;
        const checksum = checksumOf(Body);
        const sent = await client.send(new UploadPartCommand({ ...part, ...checksum, PartNumber, Body }), {
          abortSignal: signal,
        });
        parts.push({ PartNumber, ETag: sent.ETag, ChecksumSHA256: checksum.ChecksumSHA256 });
      }
      const complete = new CompleteMultipartUploadCommand({ ...part, ...condition, MultipartUpload: { Parts: parts } });
      await client.send(complete, { abortSignal: signal });
    } catch (error) {
      // Parts of an upload that never ends are paid for; a bucket's lifecycle rule removes what this leaves.
      await client.send(new AbortMultipartUploadCommand(part)).catch(() => {});
      throw error;
    }
  }

  /** Some services take `If-None-Match` and do not look at it: put over an object that is there, and see. */
  async function checkConditions(signal: AbortSignal | undefined): Promise<void> {
    const isHonoured = await ask("Trying a conditional put", signal, async () => {
      const body = Buffer.from("holdfast\n");
      const probe = { Bucket: bucket, Key: base + probeName, Body: body, ...checksumOf(body), IfNoneMatch: "*" };
      for (let pass = 1; pass <= 2; pass += 1) {
        try {
          await client.send(new PutObjectCommand(probe), { abortSignal: signal });
        } catch (error) {
          const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
          if (status === 412) return true;
          if (status !== 501) throw error;
        }
      }
      return false;
    });
    if (isHonoured) return;
    throw objectErrors.StoreUntrustworthy(`The service of ${location} ignores conditions on a put (If-None-Match).`, {
      remedy: "Where only one writer ever uses this vault, add conditionalPut=emulated to the location.",
    });
  }

  async function isThere(name: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await ask(`Looking at ${name}`, signal, () =>
        client.send(new HeadObjectCommand({ Bucket: bucket, Key: base + name }), { abortSignal: signal }),
      );
      return true;
    } catch (error) {
      if (error instanceof Error && error.name === "ObjectMissing") return false;
      throw error;
    }
  }
}
