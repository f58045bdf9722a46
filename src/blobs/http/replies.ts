// Headers that many answers share.

import { leaseState, type Lease } from "../lease.ts";
import type { Validators } from "../conditions.ts";
import type { Blob, BlobSettings } from "../rows/blob.ts";
import type { Metadata } from "../rows/container.ts";
import type { SasFields } from "../sas/sas.ts";
import { xmlDocument } from "./xml.ts";
import type { BlobReply } from "./request.ts";

export function httpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString();
}

export function validators({ etag, changedAt }: Validators): Record<string, string> {
  return { ETag: etag, "Last-Modified": httpDate(changedAt) };
}

export function xmlReply(root: string, headers: Record<string, string> = {}): BlobReply {
  return { status: 200, headers: { ...headers, "Content-Type": "application/xml" }, body: xmlDocument(root) };
}

export function metadataHeaders(metadata: Metadata): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-ms-meta-${name}`, value]));
}

export function leaseHeaders(lease: Lease, now: number): Record<string, string> {
  const state = leaseState(lease, now);
  return {
    "x-ms-lease-state": state,
    "x-ms-lease-status": state === "leased" || state === "breaking" ? "locked" : "unlocked",
    ...(state === "leased" ? { "x-ms-lease-duration": lease.duration === -1 ? "infinite" : "fixed" } : {}),
  };
}

/** What HEAD and GET of a blob say besides its length. */
export function blobHeaders(blob: Blob, now: number, sas: SasFields | undefined): Record<string, string> {
  const { settings } = blob;
  const copy = settings.copy;
  return {
    ...validators(blob),
    ...contentHeaders(settings, sas),
    ...metadataHeaders(blob.metadata),
    ...(blob.snapshot === undefined ? leaseHeaders(blob.lease, now) : {}),
    "x-ms-blob-type": blob.kind,
    "x-ms-creation-time": httpDate(blob.createdAt),
    "x-ms-server-encrypted": "false",
    "Accept-Ranges": "bytes",
    ...(blob.kind === "PageBlob" ? { "x-ms-blob-sequence-number": String(settings.sequenceNumber ?? 0) } : {}),
    ...(blob.kind === "BlockBlob"
      ? {
          "x-ms-access-tier": settings.tier ?? "Hot",
          ...(settings.tier === undefined ? { "x-ms-access-tier-inferred": "true" } : {}),
        }
      : {}),
    ...(copy === undefined
      ? {}
      : {
          "x-ms-copy-id": copy.id,
          "x-ms-copy-source": copy.source,
          "x-ms-copy-status": copy.status,
          "x-ms-copy-progress": `${copy.bytes}/${copy.bytes}`,
          "x-ms-copy-completion-time": httpDate(copy.completedAt),
        }),
  };
}

function contentHeaders(settings: BlobSettings, sas: SasFields | undefined): Record<string, string> {
  const headers: Record<string, string | undefined> = {
    "Content-Type": sas?.get("rsct") ?? settings.contentType ?? "application/octet-stream",
    "Content-Encoding": sas?.get("rsce") ?? settings.contentEncoding,
    "Content-Language": sas?.get("rscl") ?? settings.contentLanguage,
    "Content-Disposition": sas?.get("rscd") ?? settings.contentDisposition,
    "Cache-Control": sas?.get("rscc") ?? settings.cacheControl,
    "Content-MD5": settings.contentMd5,
  };
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
