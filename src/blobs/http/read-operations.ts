// Reading blobs: whole, in ranges, their properties, blocks and pages.

import { createHash } from "node:crypto";
import { blockLists } from "../block-blobs.ts";
import { checkConditions } from "../conditions.ts";
import { crc64 } from "../content/crc64.ts";
import { blobErrors } from "../errors.ts";
import { checkLease } from "../lease.ts";
import { pageRanges } from "../page-ranges.ts";
import { differingPages } from "../page-blobs.ts";
import { findBlob, getBlob, type Blob } from "../rows/blob.ts";
import { getContainer } from "../rows/container.ts";
import { partsOf, readParts } from "../rows/content.ts";
import type { PageRange, VirtualBlob } from "../virtual.ts";
import { blobAddress, conditionsOf, rangeOf, type Context } from "./context.ts";
import { actions, type Operation } from "./operation.ts";
import { blobHeaders, metadataHeaders, validators, xmlReply } from "./replies.ts";
import type { BlobReply } from "./request.ts";
import { xml } from "./xml.ts";

const reads = { level: "o", sas: "r", action: actions.readBlob } as const;

export const readOperations: readonly Operation[] = [
  { ...reads, method: "GET", run: download },
  { ...reads, method: "HEAD", run: properties },
  { ...reads, method: "GET", comp: "metadata", run: metadata },
  { ...reads, method: "HEAD", comp: "metadata", run: metadata },
  { ...reads, method: "GET", comp: "blocklist", run: blockList },
  { ...reads, method: "GET", comp: "pagelist", run: pageList },
  { ...reads, method: "GET", comp: "tags", sas: "rt", run: tags },
];

interface Readable {
  readonly size: number;
  readonly headers: Record<string, string>;
  read(range: PageRange): AsyncIterable<Uint8Array>;
}

async function open(context: Context): Promise<Readable> {
  const { store, permit, wire } = context;
  const address = blobAddress(context);
  const virtual = store.virtual.find(address);
  if (virtual !== undefined) {
    checkConditions(conditionsOf(context), virtual, "read");
    return {
      size: virtual.size,
      headers: virtualHeaders(virtual),
      read: ({ start, end }) => virtual.read(start, end - start, wire.signal),
    };
  }
  const blob = await readableBlob(context);
  return {
    size: blob.size,
    headers: blobHeaders(blob, store.database.clock.now(), permit.sas),
    read: async function* ({ start, end }) {
      yield* readParts(
        store.files,
        await partsOf(store.database.kysely, blob.contentId),
        start,
        end - start,
        wire.signal,
      );
    },
  };
}

async function readableBlob(context: Context): Promise<Blob> {
  const { database } = context.store;
  const address = blobAddress(context);
  const found = await findBlob(database.kysely, address);
  if (found === undefined) await getContainer(database.kysely, address);
  const blob = found ?? (await getBlob(database.kysely, address));
  checkConditions(conditionsOf(context), blob, "read");
  checkLease(blob.lease, context.header("x-ms-lease-id"), database.clock.now(), "read", "Blob");
  return blob;
}

const largestHashedRange = 4 * 1024 * 1024;

async function download(context: Context): Promise<BlobReply> {
  const { size, headers, read } = await open(context);
  const range = rangeOf(context.header("x-ms-range") ?? context.header("range"), size);
  const { "Content-MD5": _none, ...shown } = headers;
  const wholeMd5 = headers["Content-MD5"];
  if (range === undefined) {
    return {
      status: 200,
      headers: { ...headers, "Content-Length": String(size) },
      body: read({ start: 0, end: size }),
    };
  }
  const partial = {
    ...shown,
    "Content-Range": `bytes ${range.start}-${range.end - 1}/${size}`,
    "Content-Length": String(range.end - range.start),
    ...(wholeMd5 === undefined ? {} : { "x-ms-blob-content-md5": wholeMd5 }),
  };
  const isAsked = (name: string): boolean => context.header(name)?.toLowerCase() === "true";
  const [wantsMd5, wantsCrc] = [isAsked("x-ms-range-get-content-md5"), isAsked("x-ms-range-get-content-crc64")];
  if (!wantsMd5 && !wantsCrc) return { status: 206, headers: partial, body: read(range) };
  if (wantsMd5 && wantsCrc)
    throw blobErrors.InvalidHeaderValue("An MD5 or a CRC64 is given for a range, not both: ask for one.");
  if (range.end - range.start > largestHashedRange)
    throw blobErrors.OutOfRangeInput("A checksum is given for ranges of at most 4 MiB.");
  const pieces: Uint8Array[] = [];
  const sum = wantsMd5 ? createHash("md5") : crc64();
  for await (const piece of read(range)) {
    pieces.push(piece);
    sum.update(piece);
  }
  const name = wantsMd5 ? "Content-MD5" : "x-ms-content-crc64";
  return { status: 206, headers: { ...partial, [name]: sum.digest().toString("base64") }, body: inPieces(pieces) };
}

async function properties(context: Context): Promise<BlobReply> {
  const { size, headers } = await open(context);
  return { status: 200, headers: { ...headers, "Content-Length": String(size) } };
}

async function metadata(context: Context): Promise<BlobReply> {
  const blob = await readableBlob(context);
  return { status: 200, headers: { ...validators(blob), ...metadataHeaders(blob.metadata) } };
}

async function blockList(context: Context): Promise<BlobReply> {
  const { blob, committed, uncommitted } = await blockLists(context.store, blobAddress(context));
  const wanted = context.query("blocklisttype") ?? "committed";
  const blocks = (list: typeof committed): string[] =>
    list.map(({ blockId, length }) => xml("Block", [xml("Name", blockId), xml("Size", length)]));
  return xmlReply(
    xml("BlockList", [
      ...(wanted === "uncommitted" ? [] : [xml("CommittedBlocks", blocks(committed))]),
      ...(wanted === "committed" ? [] : [xml("UncommittedBlocks", blocks(uncommitted))]),
    ]),
    blob === undefined ? {} : { ...validators(blob), "x-ms-blob-content-length": String(blob.size) },
  );
}

async function pageList(context: Context): Promise<BlobReply> {
  const { store, wire } = context;
  const address = blobAddress(context);
  const asked = context.header("x-ms-range") ?? context.header("range");
  const virtual = store.virtual.find(address);
  if (virtual !== undefined) {
    const window = rangeOf(asked, virtual.size) ?? { start: 0, end: virtual.size };
    const ranges = (await virtual.ranges?.(window.start, window.end - window.start, wire.signal)) ?? [window];
    return pageListReply(virtual.size, validators(virtual), ranges, []);
  }
  const blob = await readableBlob(context);
  if (blob.kind !== "PageBlob")
    throw blobErrors.InvalidBlobType(`'${blob.name}' is a ${blob.kind}; only page blobs have pages.`);
  const window = rangeOf(asked, blob.size) ?? { start: 0, end: blob.size };
  const previous = context.query("prevsnapshot");
  if (previous === undefined) {
    return pageListReply(
      blob.size,
      validators(blob),
      await pageRanges(store.database.kysely, blob.contentId, window.start, window.end),
      [],
    );
  }
  const before = await findBlob(store.database.kysely, { ...address, snapshot: previous });
  if (before === undefined)
    throw blobErrors.PreviousSnapshotNotFound(`The previous snapshot '${previous.slice(0, 60)}' is not found.`);
  const { changed, cleared } = await differingPages(store, blob, before, window, wire.signal);
  return pageListReply(blob.size, validators(blob), changed, cleared);
}

function pageListReply(
  size: number,
  headers: Record<string, string>,
  ranges: readonly PageRange[],
  cleared: readonly PageRange[],
): BlobReply {
  const show = (name: string, { start, end }: PageRange): string =>
    xml(name, [xml("Start", start), xml("End", end - 1)]);
  const all = [
    ...ranges.map((range) => ({ name: "PageRange", range })),
    ...cleared.map((range) => ({ name: "ClearRange", range })),
  ];
  all.sort((left, right) => left.range.start - right.range.start);
  return xmlReply(
    xml(
      "PageList",
      all.map(({ name, range }) => show(name, range)),
    ),
    { ...headers, "x-ms-blob-content-length": String(size) },
  );
}

async function tags(context: Context): Promise<BlobReply> {
  await readableBlob(context);
  return xmlReply(xml("Tags", [xml("TagSet", "")]));
}

function virtualHeaders(blob: VirtualBlob): Record<string, string> {
  return {
    ...validators(blob),
    "Content-Type": blob.contentType ?? "application/octet-stream",
    "Accept-Ranges": "bytes",
    "x-ms-blob-type": "PageBlob",
    "x-ms-blob-sequence-number": "0",
    "x-ms-lease-state": "available",
    "x-ms-lease-status": "unlocked",
  };
}

async function* inPieces(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
