// What S3 and Azure Blob Storage answer, in the words of errors.ts. Both speak HTTP statuses and a
// code in the body; the code decides where it is known, else the status.

import { HoldfastError, systemCode } from "../../lib/errors.ts";
import { objectErrors } from "./errors.ts";

type ErrorName = keyof typeof objectErrors;

export interface ServiceAnswer {
  /** The service's own code, such as `SlowDown` or `BlobAlreadyExists`. */
  readonly code: string;
  /** Undefined when no answer came at all. */
  readonly status: number | undefined;
}

const byCode: Readonly<Record<string, ErrorName>> = {
  // S3
  NoSuchKey: "ObjectMissing",
  NoSuchBucket: "StoreMissing",
  PreconditionFailed: "ObjectExists",
  BadDigest: "ObjectCorrupted",
  XAmzContentChecksumMismatch: "ObjectCorrupted",
  XAmzContentSHA256Mismatch: "ObjectCorrupted",
  SlowDown: "StoreThrottled",
  ConditionalRequestConflict: "StoreThrottled",
  OperationAborted: "StoreThrottled",
  ObjectLocked: "ObjectLocked",
  QuotaExceeded: "StoreFull",
  XMinioStorageFull: "StoreFull",
  XMinioAdminBucketQuotaExceeded: "StoreFull",
  RequestTimeout: "StoreUnreachable",
  // Azure Blob Storage
  BlobNotFound: "ObjectMissing",
  ContainerNotFound: "StoreMissing",
  BlobAlreadyExists: "ObjectExists",
  Md5Mismatch: "ObjectCorrupted",
  BlobImmutableDueToPolicy: "ObjectLocked",
  ServerBusy: "StoreThrottled",
  AccountIsDisabled: "StoreRefused",
  ContainerBeingDeleted: "StoreMissing",
};

const byStatus: Readonly<Record<number, ErrorName>> = {
  401: "StoreRefused",
  403: "StoreRefused",
  404: "ObjectMissing",
  408: "StoreUnreachable",
  412: "ObjectExists",
  429: "StoreThrottled",
  500: "StoreUnreachable",
  502: "StoreUnreachable",
  503: "StoreThrottled",
  504: "StoreUnreachable",
  507: "StoreFull",
};

/** System calls and SDK failures that mean that nobody answered. */
const noAnswer = /^(E[A-Z_]+|TimeoutError|REQUEST_SEND_ERROR|UND_ERR_\w+|NetworkingError)$/;
/** Failures of ours (no credentials, a name that does not resolve to a region): repeating does not help. */
const ours = /^(CredentialsProviderError|ERR_\w+)$/;

export function fromServiceAnswer(error: unknown, answer: ServiceAnswer, doing: string): unknown {
  if (error instanceof HoldfastError || !(error instanceof Error)) return error;
  const told = answer.status === undefined ? "no answer" : `HTTP ${answer.status}`;
  const message = `${doing} failed: ${told}, ${answer.code}: ${firstLine(error.message)}`;
  return objectErrors[errorName(error, answer)](message, {
    cause: error,
    facts: { serviceCode: answer.code, ...(answer.status === undefined ? {} : { serviceStatus: answer.status }) },
  });
}

function errorName(error: Error, { code, status }: ServiceAnswer): ErrorName {
  const known = byCode[code] ?? (status === undefined ? undefined : byStatus[status]);
  if (known !== undefined) return known;
  if (code === "CredentialsProviderError") return "StoreRefused";
  if (status === undefined && !ours.test(code)) {
    if (noAnswer.test(code) || noAnswer.test(systemCode(error) ?? "")) return "StoreUnreachable";
  }
  return status !== undefined && status >= 500 ? "StoreUnreachable" : "StoreFailed";
}

function firstLine(text: string): string {
  return (text.split("\n", 1)[0] ?? "").slice(0, 300);
}
