// What an operation of the endpoint is given: the request taken apart, and readers for its headers
// that say which one is wrong.

import { blobErrors } from "../errors.ts";
import type { ExpectedBytes } from "../content/content-files.ts";
import type { Conditions } from "../conditions.ts";
import type { WriteGuard } from "../guard.ts";
import { checkBlobName, checkContainerName, type BlobAddress, type ContainerAddress } from "../names.ts";
import type { Account } from "../rows/account.ts";
import type { BlobSettings } from "../rows/blob.ts";
import type { Metadata } from "../rows/container.ts";
import type { BlobStore } from "../store.ts";
import type { PageRange } from "../virtual.ts";
import type { BlobLocation, BlobWireRequest } from "./request.ts";
import type { Permit } from "./authorize.ts";

export interface Context {
  readonly store: BlobStore;
  readonly account: Account;
  readonly location: BlobLocation;
  readonly wire: BlobWireRequest;
  readonly permit: Permit;
  query(name: string): string | undefined;
  header(name: string): string | undefined;
  /** Resolves and authorises a source URL that points into this service. */
  readonly openUrl: (url: string) => Promise<BlobAddress>;
  /** `https://…/` of the account, as the client reached it. */
  readonly accountUrl: string;
}

export function containerAddress({ location }: Context): ContainerAddress {
  const container = location.container ?? "";
  checkContainerName(container);
  return { account: location.account, container };
}

export function blobAddress(context: Context): BlobAddress {
  const name = context.location.blob ?? "";
  checkBlobName(name);
  const snapshot = context.query("snapshot");
  if (snapshot !== undefined && !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{7}Z$/.test(snapshot)) {
    throw blobErrors.InvalidQueryParameterValue(`snapshot '${snapshot.slice(0, 60)}' is not the time of a snapshot.`);
  }
  return { ...containerAddress(context), name, ...(snapshot === undefined ? {} : { snapshot }) };
}

/** The blob itself: snapshots cannot be written. */
export function writableAddress(context: Context): BlobAddress {
  const address = blobAddress(context);
  if (address.snapshot !== undefined)
    throw blobErrors.InvalidQueryParameterValue(
      "A snapshot cannot be changed: leave the query parameter snapshot away.",
    );
  if (context.store.virtual.find(address) !== undefined) {
    throw blobErrors.VirtualBlobReadOnly(
      `'${address.name}' is an exported disk and can only be read. Copy it to change it.`,
    );
  }
  return address;
}

export function conditionsOf(context: Context, prefix = ""): Conditions {
  return {
    ifMatch: context.header(`${prefix}if-match`),
    ifNoneMatch: context.header(`${prefix}if-none-match`),
    ifModifiedSince: context.header(`${prefix}if-modified-since`),
    ifUnmodifiedSince: context.header(`${prefix}if-unmodified-since`),
  };
}

export function guardOf(context: Context): WriteGuard {
  return {
    conditions: conditionsOf(context),
    leaseId: context.header("x-ms-lease-id"),
    createOnly: context.permit.createOnly,
  };
}

const longestMetadata = 8192;

export function metadataOf(context: Context): Metadata {
  const metadata: Record<string, string> = {};
  let size = 0;
  for (const header of context.wire.headerNames) {
    if (!header.startsWith("x-ms-meta-")) continue;
    const name = header.slice("x-ms-meta-".length);
    if (!/^[a-z_][a-z0-9_-]*$/i.test(name))
      throw blobErrors.InvalidMetadata(`The metadata name '${name.slice(0, 60)}' is not an identifier.`);
    const value = context.header(header) ?? "";
    size += name.length + value.length;
    metadata[name] = value;
  }
  if (size > longestMetadata)
    throw blobErrors.InvalidMetadata(`The metadata has ${size} characters; the most is ${longestMetadata}.`);
  return metadata;
}

/** `x-ms-blob-content-type` and its like; what is not said is not set. */
export function settingsOf(context: Context): BlobSettings {
  const settings = {
    contentType: context.header("x-ms-blob-content-type"),
    contentEncoding: context.header("x-ms-blob-content-encoding"),
    contentLanguage: context.header("x-ms-blob-content-language"),
    contentDisposition: context.header("x-ms-blob-content-disposition"),
    cacheControl: context.header("x-ms-blob-cache-control"),
    contentMd5: context.header("x-ms-blob-content-md5"),
    tier: context.header("x-ms-access-tier"),
  };
  if (settings.contentMd5 !== undefined) bytesHeader("x-ms-blob-content-md5", settings.contentMd5, 16);
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

export function contentLength(context: Context): number {
  const text = context.header("content-length");
  if (text === undefined) throw blobErrors.MissingContentLengthHeader("The Content-Length header was not specified.");
  return wholeNumber("Content-Length", text);
}

export function expectedBytes(context: Context, limit: number): ExpectedBytes {
  const length = contentLength(context);
  if (length > limit) throw blobErrors.RequestBodyTooLarge(`The body has ${length} bytes; the most here is ${limit}.`);
  const md5 = context.header("content-md5");
  const crc64 = context.header("x-ms-content-crc64");
  return {
    limit,
    length,
    ...(md5 === undefined ? {} : { md5: bytesHeader("Content-MD5", md5, 16) }),
    ...(crc64 === undefined ? {} : { crc64: bytesHeader("x-ms-content-crc64", crc64, 8) }),
  };
}

export function numberHeader(context: Context, name: string): number | undefined {
  const text = context.header(name);
  return text === undefined ? undefined : wholeNumber(name, text);
}

export function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (/^-?\d{1,16}$/.test(text) && Number.isSafeInteger(value)) return value;
  throw blobErrors.InvalidHeaderValue(`${name} is '${text.slice(0, 40)}'; it must be a whole number.`);
}

/** `bytes=0-511`, as [start, end); `bytes=5-` runs to `size`. */
export function rangeOf(text: string | undefined, size: number): PageRange | undefined {
  if (text === undefined) return undefined;
  const match = /^bytes=(\d{1,16})-(\d{0,16})$/.exec(text.trim());
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = match[2] === "" ? size : Math.min(Number(match[2]) + 1, size);
  if (start >= size || end <= start)
    throw blobErrors.InvalidRange(`The range ${text.slice(0, 60)} lies outside the blob of ${size} bytes.`);
  return { start, end };
}

export function required(name: string, value: string | undefined): string {
  if (value === undefined || value === "")
    throw blobErrors.MissingRequiredHeader(
      `An HTTP header that is mandatory for this request is not specified: ${name}.`,
    );
  return value;
}

export async function smallBody(context: Context, limit: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of context.wire.body()) {
    size += piece.byteLength;
    if (size > limit)
      throw blobErrors.RequestBodyTooLarge(`The body is larger than the ${limit} bytes that are allowed here.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function bytesHeader(name: string, text: string, length: number): Buffer {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== length) {
    const make = name.toLowerCase().includes("md5") ? blobErrors.InvalidMd5 : blobErrors.InvalidHeaderValue;
    throw make(`${name} is not base64 of ${length} bytes.`);
  }
  return bytes;
}
