// A writer at work, from `.open` to its point. One session makes at most one point.

import { isErrorCode } from "../../lib/errors.ts";
import { faultPoint } from "../../lib/faults.ts";
import { randomBytes } from "../../lib/random.ts";
import { storeErrors } from "../errors.ts";
import { blobKinds, maxAttachmentSize, maxBlobSize, regionSize } from "../format/layout.ts";
import type { PointName } from "../format/object-names.ts";
import type { Metadata, PointAttachment, PointDisk } from "../format/point.ts";
import { newestPoint, readPoint, type Point } from "../points/points.ts";
import { isDamage } from "../damage.ts";
import type { DiskSource } from "../sources/disk-source.ts";
import type { Vault } from "../vault.ts";
import { writeDisk, type DiskProgress, type ParentDisk } from "./disk-writer.ts";
import { commitPoint } from "./commit-point.ts";
import { finishOthers } from "./finish-committed.ts";
import { nodeWriter } from "./node-writer.ts";
import { packUploads } from "./pack-uploads.ts";
import { keepBeating, removeSession, writeOpen } from "./session-records.ts";

export interface SessionOptions {
  readonly item: string;
  /** The point to compare with: `latest` or a name; none makes a full backup. */
  readonly parent?: "latest" | PointName;
  /** The point cannot be deleted before that time. */
  readonly lockedUntil?: number;
  readonly signal?: AbortSignal;
}

export interface AddDiskOptions {
  /** The parent's disk, when its name is another one. */
  readonly parentDisk?: string;
  readonly onProgress?: (progress: DiskProgress) => void;
  readonly signal?: AbortSignal;
}

export interface AddedDisk extends PointDisk {
  /** Set when the parent could not be used and all of the disk was stored. */
  readonly parentProblem?: string;
}

export interface BackupSession extends AsyncDisposable {
  readonly id: string;
  /** The point that this one is compared with. */
  readonly parent: Point | undefined;
  /** Disks may be added side by side. */
  addDisk(name: string, source: DiskSource, options?: AddDiskOptions): Promise<AddedDisk>;
  addAttachment(name: string, content: Uint8Array): Promise<void>;
  /** Returns when the point is listed. */
  commit(metadata?: Metadata): Promise<Point>;
  /** What was stored stays and is found by the next session; collections remove the rest. */
  abandon(): Promise<void>;
}

export async function beginSession(vault: Vault, options: SessionOptions): Promise<BackupSession> {
  const { signal: outer } = options;
  const id = randomBytes(8).toString("hex");
  const stopped = new AbortController();
  const signal = AbortSignal.any([vault.closed, stopped.signal, ...(outer === undefined ? [] : [outer])]);
  vault.pool(); // its threads start while we look around
  await vault.learnEpochs(signal);
  const parent = await findParent(vault, options, signal);
  await writeOpen(vault.store, vault.keys, id, parent === undefined ? [] : [parent.name], vault.clock.now(), signal);
  faultPoint("store.after-open");
  try {
    // Only now: a point that is deleted after `.open` names it is kept until this session ends.
    if (parent !== undefined) await readPoint(vault, parent.name, "points", signal);
    await finishOthers(vault, id, signal);
    await vault.index.refresh(signal);
    const previous = await newestPoint(vault, options.item, signal);
    return openSession(vault, id, options, parent, previous, stopped, signal);
  } catch (error) {
    await removeSession(vault.store, id).catch(() => {});
    throw error;
  }
}

function openSession(
  vault: Vault,
  id: string,
  options: SessionOptions,
  parent: Point | undefined,
  previous: Point | undefined,
  stopped: AbortController,
  signal: AbortSignal,
): BackupSession {
  const uploads = packUploads(vault, options.lockedUntil, (error) => stopped.abort(error), signal);
  const nodes = nodeWriter(vault, uploads);
  const disks = new Map<string, PointDisk>();
  const attachments = new Map<string, PointAttachment>();
  let state: "open" | "ended" = "open";
  const beat = keepBeating(vault, id);

  async function leave(): Promise<void> {
    state = "ended";
    beat[Symbol.dispose]();
    stopped.abort(storeErrors.SessionEnded("The session has ended."));
    uploads.stop();
    await vault.pool().runEverywhere({ type: "finish", session: uploads.session, discard: true });
    vault.pool().closeSession(uploads.session);
  }

  function mustBeOpen(): void {
    if (state === "ended") throw storeErrors.SessionEnded("The session has ended; nothing can be added to it.");
    uploads.throwFailure();
  }

  async function addDisk(name: string, source: DiskSource, add: AddDiskOptions = {}): Promise<AddedDisk> {
    mustBeOpen();
    checkDisk(name, source, disks);
    const onProgress = add.onProgress ?? (() => {});
    const diskSignal = add.signal === undefined ? signal : AbortSignal.any([add.signal, signal]);
    const parts = {
      pool: vault.pool(),
      session: uploads.session,
      maps: vault.maps,
      oldContent: vault.blobs,
      renewNodes: !vault.index.isWhole,
      ensureRoom: () => vault.index.ensureRoom(4096),
      isUsable: (id: Buffer) => vault.index.table.isUsable(id, uploads.session),
      storeMapNode: (node: Buffer) => nodes.store(blobKinds.map, node),
    };
    await vault.index.ensureRoom(expectedBlobs(source, parent !== undefined));
    const write = (from: ParentDisk | undefined, fresh: DiskSource) =>
      writeDisk(parts, name, fresh, from, onProgress, diskSignal);
    const oldDisk = parent?.disks.find((disk) => disk.name === (add.parentDisk ?? name));
    let parentProblem: string | undefined;
    let written;
    try {
      const usesBitmap = source.dirty !== undefined && oldDisk !== undefined;
      const isDoubtful = usesBitmap && !vault.index.isWhole;
      written = await write(
        oldDisk === undefined ? undefined : parentOf(oldDisk),
        isDoubtful ? withoutDirty(source) : source,
      );
      if (isDoubtful)
        parentProblem = "Packs are missing or bad: the whole disk was compared instead of its dirty runs.";
    } catch (error) {
      uploads.throwFailure();
      if (oldDisk === undefined || !isDamage(error)) throw error;
      parentProblem = `The parent's disk cannot be read, so all of it was stored: ${error instanceof Error ? error.message : String(error)}`;
      written = await write(undefined, withoutDirty(source));
    }
    const disk: PointDisk = {
      name,
      size: source.size,
      root: written.root?.toString("hex"),
      level: written.level,
      statistics: written.statistics,
    };
    disks.set(name, disk);
    return { ...disk, parentProblem };
  }

  async function addAttachment(name: string, content: Uint8Array): Promise<void> {
    mustBeOpen();
    if (content.length > maxAttachmentSize) {
      throw storeErrors.AttachmentTooLarge(
        `Attachment ${name} has ${content.length} bytes; ${maxAttachmentSize} are allowed.`,
      );
    }
    const blobs: string[] = [];
    for (let at = 0; at < content.length; at += maxBlobSize) {
      const id = await nodes.store(blobKinds.attachment, content.subarray(at, at + maxBlobSize));
      blobs.push(id.toString("hex"));
    }
    attachments.set(name, { name, size: content.length, blobs });
  }

  async function commit(metadata: Metadata = null): Promise<Point> {
    mustBeOpen();
    await vault.pool().runEverywhere({ type: "finish", session: uploads.session, discard: false });
    nodes.finish();
    await uploads.drain();
    faultPoint("store.before-end");
    const document = {
      v: 1 as const,
      item: options.item,
      id: randomBytes(8).toString("hex"),
      time: Math.max(0, Math.floor(vault.clock.now())),
      session: id,
      parent: parent?.name,
      previous: previous?.name,
      disks: [...disks.values()],
      attachments: [...attachments.values()],
      metadata,
      lockedUntil: options.lockedUntil,
    };
    const point = await commitPoint(vault, id, document, signal).catch(async (error: unknown) => {
      if (isErrorCode(error, "SessionEvicted")) await leave();
      throw error;
    });
    await leave();
    await removeSession(vault.store, id);
    return point;
  }

  async function abandon(): Promise<void> {
    if (state === "ended") return;
    await leave();
    await uploads.drain().catch(() => {}); // what failed to be stored is not missed
    await removeSession(vault.store, id);
  }

  return { id, parent, addDisk, addAttachment, commit, abandon, [Symbol.asyncDispose]: abandon };
}

async function findParent(vault: Vault, options: SessionOptions, signal: AbortSignal): Promise<Point | undefined> {
  if (options.parent === undefined) return undefined;
  if (options.parent === "latest") return newestPoint(vault, options.item, signal);
  return readPoint(vault, options.parent, "points", signal);
}

const parentOf = ({ root, level, size }: PointDisk): ParentDisk => ({
  root: root === undefined ? undefined : Buffer.from(root, "hex"),
  level,
  size,
});

function withoutDirty(source: DiskSource): DiskSource {
  return { size: source.size, read: source.read.bind(source), extents: source.extents?.bind(source) };
}

function checkDisk(name: string, source: DiskSource, disks: ReadonlyMap<string, PointDisk>): void {
  if (name.length === 0 || Buffer.byteLength(name) > 200 || disks.has(name)) {
    throw storeErrors.DiskNameInvalid(
      `The disk name ${JSON.stringify(name.slice(0, 100))} is ${disks.has(name) ? "used twice" : "not of 1 to 200 bytes"}.`,
    );
  }
  if (!Number.isSafeInteger(source.size) || source.size < 0) {
    throw storeErrors.DiskSizeInvalid(`Disk ${name} has ${source.size} bytes, which is no size.`);
  }
}

/** The blobs that a disk is likely to add: regions, half of them again as patches, and map nodes. */
function expectedBlobs(source: DiskSource, hasParent: boolean): number {
  const regions = Math.ceil(source.size / regionSize);
  if (source.dirty === undefined || !hasParent) return Math.ceil(regions * 1.6) + 1024;
  const dirty = source.dirty.reduce((sum, { length }) => sum + length, 0);
  return Math.ceil(dirty / 16_384) + 2 * source.dirty.length + 1024;
}
