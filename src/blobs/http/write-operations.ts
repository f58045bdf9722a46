// Writing blobs: whole, by blocks, by pages, by copies; changing and deleting them.

import { commitBlocks, largestBlock, largestPut, putBlockBlob, putBlock, type BlockChoice } from "../block-blobs.ts";
import { copyBlob, openSource, readSource, sourceSize } from "../copy.ts";
import { blobErrors } from "../errors.ts";
import { guardChange } from "../guard.ts";
import { changePageBlob, createPageBlob, largestPageWrite, writePages, type SequenceChange } from "../page-blobs.ts";
import { pageBytes } from "../page-ranges.ts";
import { changeBlob, deleteBlob, type BlobSettings } from "../rows/blob.ts";
import { takeSnapshot } from "../snapshots.ts";
import { crc64 } from "../content/crc64.ts";
import {
  contentLength,
  expectedBytes,
  guardOf,
  metadataOf,
  numberHeader,
  rangeOf,
  required,
  settingsOf,
  smallBody,
  wholeNumber,
  writableAddress,
  blobAddress,
  type Context,
} from "./context.ts";
import { createHash } from "node:crypto";
import { gate } from "../gate.ts";
import { leaseBlob } from "./lease-operations.ts";
import { actions, type Operation } from "./operation.ts";
import { httpDate, validators } from "./replies.ts";
import type { BlobReply } from "./request.ts";
import { parseXml } from "./xml.ts";

/** Bodies that are held in memory whole: bounds what all clients together can make us hold. */
const heldBodies = gate(32);

const writes = { level: "o", method: "PUT", action: actions.writeBlob } as const;

export const writeOperations: readonly Operation[] = [
  { ...writes, sas: "cw", run: put },
  { ...writes, comp: "block", sas: "cw", run: stageBlock },
  { ...writes, comp: "blocklist", sas: "cw", run: (context) => heldBodies.run(() => commit(context)) },
  { ...writes, comp: "page", sas: "w", run: (context) => heldBodies.run(() => putPages(context)) },
  { ...writes, comp: "metadata", sas: "w", run: setMetadata },
  { ...writes, comp: "properties", sas: "w", run: setProperties },
  { ...writes, comp: "snapshot", sas: "cw", run: snapshot },
  { ...writes, comp: "lease", sas: "wd", run: leaseBlob },
  { ...writes, comp: "tier", sas: "w", run: setTier },
  { ...writes, comp: "copy", sas: "w", run: abortCopy },
  { level: "o", method: "DELETE", sas: "d", action: actions.deleteBlob, run: remove },
];

async function put(context: Context): Promise<BlobReply> {
  const source = context.header("x-ms-copy-source");
  if (source !== undefined) return copy(context, source);
  const kind = required("x-ms-blob-type", context.header("x-ms-blob-type"));
  const address = writableAddress(context);
  const settings = { contentType: context.header("content-type"), ...settingsOf(context) };
  const write = { settings, metadata: metadataOf(context), guard: guardOf(context) };
  if (kind === "BlockBlob") {
    const { blob, md5 } = await putBlockBlob(
      context.store,
      address,
      write,
      context.wire.body(),
      expectedBytes(context, largestPut),
      context.wire.signal,
    );
    return {
      status: 201,
      headers: { ...validators(blob), "Content-MD5": md5.toString("base64"), "x-ms-request-server-encrypted": "false" },
    };
  }
  if (kind !== "PageBlob")
    throw blobErrors.FeatureNotSupported(
      `x-ms-blob-type is '${kind.slice(0, 30)}'; this service keeps BlockBlob and PageBlob.`,
    );
  if (contentLength(context) !== 0)
    throw blobErrors.InvalidHeaderValue(
      "Content-Length must be 0: a page blob is created empty and filled by Put Page.",
    );
  const size = wholeNumber(
    "x-ms-blob-content-length",
    required("x-ms-blob-content-length", context.header("x-ms-blob-content-length")),
  );
  const sequenceNumber = numberHeader(context, "x-ms-blob-sequence-number");
  const blob = await createPageBlob(context.store, address, size, {
    ...write,
    settings: { ...settings, sequenceNumber },
  });
  return { status: 201, headers: { ...validators(blob), "x-ms-request-server-encrypted": "false" } };
}

/** Copies are done when they are answered, whichever of Azure's three requests asks for them. */
async function copy(context: Context, url: string): Promise<BlobReply> {
  const to = writableAddress(context);
  const from = await context.openUrl(url);
  const kind = context.header("x-ms-blob-type");
  if (kind !== undefined && kind !== "BlockBlob")
    throw blobErrors.InvalidHeaderValue("Put Blob From URL makes block blobs only.");
  const isSync = kind !== undefined || context.header("x-ms-requires-sync")?.toLowerCase() === "true";
  const write = { settings: settingsOf(context), metadata: metadataOf(context), guard: guardOf(context) };
  const shown = url.split("?")[0] ?? "";
  const { blob, copy } = await copyBlob(context.store, from, to, write, shown, kind, context.wire.signal);
  return {
    status: kind !== undefined ? 201 : 202,
    headers: { ...validators(blob), "x-ms-copy-id": copy.id, "x-ms-copy-status": isSync ? "success" : copy.status },
  };
}

async function abortCopy(context: Context): Promise<BlobReply> {
  writableAddress(context);
  throw blobErrors.NoPendingCopyOperation("There is currently no pending copy operation.");
}

async function stageBlock(context: Context): Promise<BlobReply> {
  const { store, wire } = context;
  const address = writableAddress(context);
  const blockId = context.query("blockid");
  if (blockId === undefined)
    throw blobErrors.MissingRequiredQueryParameter(
      "A query parameter that is mandatory for this request is not specified: blockid.",
    );
  const guard = { ...guardOf(context), conditions: {} };
  const url = context.header("x-ms-copy-source");
  if (url === undefined) {
    const { md5 } = await putBlock(
      store,
      address,
      blockId,
      guard,
      wire.body(),
      expectedBytes(context, largestBlock),
      wire.signal,
    );
    return {
      status: 201,
      headers: { "Content-MD5": md5.toString("base64"), "x-ms-request-server-encrypted": "false" },
    };
  }
  const source = await openSource(store, await context.openUrl(url));
  const size = sourceSize(source);
  const { start, end } = rangeOf(context.header("x-ms-source-range"), size) ?? { start: 0, end: size };
  const body = readSource(store, source, start, end - start, wire.signal);
  const { md5 } = await putBlock(
    store,
    address,
    blockId,
    guard,
    body,
    { limit: largestBlock, length: end - start },
    wire.signal,
  );
  return { status: 201, headers: { "Content-MD5": md5.toString("base64") } };
}

/** 50,000 blocks with the longest ids that there are. */
const largestBlockList = 8 * 1024 * 1024;

async function commit(context: Context): Promise<BlobReply> {
  const address = writableAddress(context);
  const body = await smallBody(context, largestBlockList);
  const expected = expectedBytes(context, largestBlockList);
  if (expected.md5 !== undefined && !createHash("md5").update(body).digest().equals(expected.md5))
    throw blobErrors.Md5Mismatch("The MD5 of the block list is not the one that the request says.");
  const kinds: Readonly<Record<string, BlockChoice["from"]>> = {
    Committed: "Committed",
    Uncommitted: "Uncommitted",
    Latest: "Latest",
  };
  const list = parseXml(body.toString("utf8")).children.map(({ name, text }): BlockChoice => {
    const from = kinds[name];
    if (from === undefined) throw blobErrors.InvalidXmlDocument(`<${name}> is not Committed, Uncommitted or Latest.`);
    return { from, id: text };
  });
  const write = { settings: settingsOf(context), metadata: metadataOf(context), guard: guardOf(context) };
  const blob = await commitBlocks(context.store, address, write, list);
  return { status: 201, headers: { ...validators(blob), "x-ms-request-server-encrypted": "false" } };
}

async function putPages(context: Context): Promise<BlobReply> {
  const address = writableAddress(context);
  const action = required("x-ms-page-write", context.header("x-ms-page-write")).toLowerCase();
  const match = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(
    required("x-ms-range", context.header("x-ms-range") ?? context.header("range")),
  );
  const range = { start: Number(match?.[1]), end: Number(match?.[2]) + 1 };
  if (match === null || range.end <= range.start || range.start % pageBytes !== 0 || range.end % pageBytes !== 0) {
    throw blobErrors.InvalidPageRange(`The page range must be bytes=START-END in whole pages of ${pageBytes} bytes.`);
  }
  const sequence = {
    atMost: numberHeader(context, "x-ms-if-sequence-number-le"),
    below: numberHeader(context, "x-ms-if-sequence-number-lt"),
    equal: numberHeader(context, "x-ms-if-sequence-number-eq"),
  };
  let bytes: Buffer | undefined;
  let md5: string | undefined;
  if (action === "update") {
    const length = range.end - range.start;
    if (length > largestPageWrite)
      throw blobErrors.RequestBodyTooLarge(`A page write has at most ${largestPageWrite} bytes.`);
    bytes = await pageBody(context, length);
    md5 = createHash("md5").update(bytes).digest("base64");
  } else if (action !== "clear")
    throw blobErrors.InvalidHeaderValue(`x-ms-page-write is '${action.slice(0, 30)}'; it is update or clear.`);
  const blob = await writePages(context.store, address, range, bytes, guardOf(context), sequence);
  return {
    status: 201,
    headers: {
      ...validators(blob),
      ...(md5 === undefined ? {} : { "Content-MD5": md5 }),
      "x-ms-blob-sequence-number": String(blob.settings.sequenceNumber ?? 0),
    },
  };
}

/** Held in memory whole, so that a request that breaks off leaves no page half written. */
async function pageBody(context: Context, length: number): Promise<Buffer> {
  const { store, wire } = context;
  const url = context.header("x-ms-copy-source");
  if (url !== undefined) {
    const source = await openSource(store, await context.openUrl(url));
    const from = rangeOf(required("x-ms-source-range", context.header("x-ms-source-range")), sourceSize(source));
    if (from === undefined || from.end - from.start !== length)
      throw blobErrors.InvalidHeaderValue("x-ms-source-range must be as long as x-ms-range.");
    const pieces: Uint8Array[] = [];
    for await (const piece of readSource(store, source, from.start, length, wire.signal)) pieces.push(piece);
    return Buffer.concat(pieces);
  }
  const expected = expectedBytes(context, largestPageWrite);
  const bytes = await smallBody(context, largestPageWrite);
  if (bytes.length !== length)
    throw blobErrors.InvalidPageRange(`The page range has ${length} bytes, the body ${bytes.length}.`);
  if (expected.md5 !== undefined && !createHash("md5").update(bytes).digest().equals(expected.md5))
    throw blobErrors.Md5Mismatch("The MD5 of the body is not the one that the request says.");
  if (expected.crc64 !== undefined) {
    const sum = crc64();
    sum.update(bytes);
    if (!sum.digest().equals(expected.crc64))
      throw blobErrors.Crc64Mismatch("The CRC64 of the body is not the one that the request says.");
  }
  return bytes;
}

async function setMetadata(context: Context): Promise<BlobReply> {
  const address = writableAddress(context);
  const metadata = metadataOf(context);
  const blob = await context.store.database.transaction(async (trx) =>
    changeBlob(trx, await guardChange(trx, address, guardOf(context)), { metadata }),
  );
  return { status: 200, headers: validators(blob) };
}

async function setProperties(context: Context): Promise<BlobReply> {
  const address = writableAddress(context);
  const size = numberHeader(context, "x-ms-blob-content-length");
  const action = context.header("x-ms-sequence-number-action")?.toLowerCase();
  const { tier: _tier, ...settings } = settingsOf(context);
  if (size !== undefined || action !== undefined) {
    const blob = await changePageBlob(
      context.store,
      address,
      { size, sequence: sequenceChange(context, action), settings },
      guardOf(context),
    );
    return {
      status: 200,
      headers: { ...validators(blob), "x-ms-blob-sequence-number": String(blob.settings.sequenceNumber ?? 0) },
    };
  }
  const blob = await context.store.database.transaction(async (trx) => {
    const current = await guardChange(trx, address, guardOf(context));
    // Content headers that are not said are taken away, as Azure does.
    const { tier, copy, sequenceNumber } = current.settings;
    const kept: BlobSettings = { tier, copy, sequenceNumber };
    return changeBlob(trx, current, { settings: { ...kept, ...settings } });
  });
  return { status: 200, headers: validators(blob) };
}

function sequenceChange(context: Context, action: string | undefined): SequenceChange | undefined {
  if (action === undefined) return undefined;
  if (action === "increment") return { action };
  const to = numberHeader(context, "x-ms-blob-sequence-number");
  if ((action !== "max" && action !== "update") || to === undefined || to < 0) {
    throw blobErrors.InvalidHeaderValue(
      "x-ms-sequence-number-action is max or update with x-ms-blob-sequence-number, or increment.",
    );
  }
  return { action, to };
}

async function snapshot(context: Context): Promise<BlobReply> {
  const metadata = metadataOf(context);
  const taken = await takeSnapshot(
    context.store,
    writableAddress(context),
    Object.keys(metadata).length === 0 ? undefined : metadata,
    guardOf(context),
  );
  return {
    status: 201,
    headers: {
      ...validators(taken.blob),
      "x-ms-snapshot": taken.snapshot,
      Date: httpDate(context.store.database.clock.now()),
    },
  };
}

const tiers = new Set(["Hot", "Cool", "Cold", "Archive", "Premium"]);

/** Kept and shown; the bytes stay where they are. */
async function setTier(context: Context): Promise<BlobReply> {
  const address = writableAddress(context);
  const tier = required("x-ms-access-tier", context.header("x-ms-access-tier"));
  if (!tiers.has(tier))
    throw blobErrors.InvalidHeaderValue(
      `x-ms-access-tier is '${tier.slice(0, 30)}'; it is one of ${[...tiers].join(", ")}.`,
    );
  await context.store.database.transaction(async (trx) => {
    const blob = await guardChange(trx, address, guardOf(context));
    await changeBlob(trx, blob, { settings: { ...blob.settings, tier }, touched: false });
  });
  return { status: 200, headers: {} };
}

async function remove(context: Context): Promise<BlobReply> {
  const { store } = context;
  const address = blobAddress(context);
  if (store.virtual.find(address) !== undefined) writableAddress(context);
  const snapshots = context.header("x-ms-delete-snapshots")?.toLowerCase();
  if (snapshots !== undefined && snapshots !== "include" && snapshots !== "only")
    throw blobErrors.InvalidHeaderValue("x-ms-delete-snapshots is include or only.");
  await store.database.transaction(async (trx) => {
    await guardChange(trx, address, guardOf(context));
    await deleteBlob(trx, store.files, address, snapshots);
  });
  return { status: 202, headers: { "x-ms-delete-type-permanent": "true" } };
}
