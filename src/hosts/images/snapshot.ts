// A "snapshot" of a machine that does not run: its images, opened read-only by a storage daemon. The
// machine may be started meanwhile (a backup is no reason to keep it down), but then the point is not
// committed: it is refused when an image was in use at the start or was touched until the end. qcow2 images of version 3 keep a bitmap from
// point to point, which the QEMU that runs them later records into.

import { dirtyBitmapContext } from "../../nbd/protocol.ts";
import { monotonicMilliseconds } from "../../lib/clock.ts";
import { disk } from "../../lib/files.ts";
import { eachInParallel, mapInParallel } from "../../lib/parallel.ts";
import { hostErrors } from "../errors.ts";
import type { MachineFirmware } from "../firmware/variables.ts";
import type { MachineDisk, NoChangesReason, SnapshotDisk, SnapshotRequest, SnapshotSession } from "../host.ts";
import { imageIdentity, isMoved } from "../image-identity.ts";
import { chainPrefix, checkPointName, pointBitmap } from "../qemu/names.ts";
import { serveImages, type ImageServer } from "../storage-daemon.ts";
import { changeBitmap, imagesAtOnce, readImageFacts, type ImageFacts } from "./bitmaps.ts";
import { checkImage } from "./formats.ts";
import type { FoundImage, FoundMachine } from "./scan.ts";

interface TakenImage {
  readonly image: FoundImage;
  readonly lun: number;
  readonly facts: ImageFacts;
  readonly identity: string | undefined;
  readonly previous: { readonly bitmap: string; readonly grownFrom: number } | NoChangesReason;
}

export async function openImagesSnapshot(
  machine: FoundMachine,
  request: SnapshotRequest,
  scratchFolder: string,
  release: () => void,
  signal?: AbortSignal,
): Promise<SnapshotSession> {
  checkPointName("chain", request.chain);
  checkPointName("point", request.point);
  const wanted = request.disks ?? machine.images.map(({ id }) => id);
  const missing = wanted.find((id) => !machine.images.some((image) => image.id === id));
  if (missing !== undefined) {
    throw hostErrors.DiskNotFound(
      `The machine ${machine.name} has no image "${missing}"; it has: ${machine.images.map(({ id }) => id).join(", ")}.`,
    );
  }
  const chosen = machine.images.flatMap((image, index) =>
    wanted.includes(image.id) ? [{ image, lun: index - 1 }] : [],
  );
  const taken = await mapInParallel(chosen, imagesAtOnce, async ({ image, lun }): Promise<TakenImage> => {
    await checkImage(image.path, image.format);
    const facts = await readImageFacts(image.path, image.format, true, signal);
    const identity = await imageIdentity(image.path);
    const previous = isMoved(request.since, image.id, identity) ? "ImageReplaced" : findPrevious(image, facts, request);
    return { image, lun, facts, identity, previous };
  });
  const session = new ImagesSnapshot(machine, taken, request, scratchFolder, release);
  try {
    await session.begin(signal);
    return session;
  } catch (error) {
    await session.abandon().catch(() => {}); // the first failure is the one to tell
    throw error;
  }
}

class ImagesSnapshot implements SnapshotSession {
  readonly consistency = {
    level: "crash",
    reason: "MachineNotRunning",
    explanation: "the machine does not run, so there is nothing to freeze",
  } as const;
  disks: readonly SnapshotDisk[] = [];
  cutMilliseconds = 0;
  readonly isLive = false;
  readonly #machine: FoundMachine;
  readonly #taken: readonly TakenImage[];
  readonly #request: SnapshotRequest;
  readonly #scratchFolder: string;
  readonly #release: () => void;
  #server: ImageServer | undefined;
  readonly #touchedAt = new Map<string, number>();
  #isOver = false;

  constructor(
    machine: FoundMachine,
    taken: readonly TakenImage[],
    request: SnapshotRequest,
    scratchFolder: string,
    release: () => void,
  ) {
    this.#machine = machine;
    this.#taken = taken;
    this.#request = request;
    this.#scratchFolder = scratchFolder;
    this.#release = release;
  }

  get lost(): AbortSignal {
    return this.#server?.lost ?? AbortSignal.abort(hostErrors.SnapshotInProgress("The snapshot has not begun."));
  }

  async begin(signal: AbortSignal | undefined): Promise<void> {
    const { chain, point, since } = this.#request;
    const start = monotonicMilliseconds();
    await eachInParallel(this.#taken, imagesAtOnce, async ({ image, facts, previous }) => {
      const kept = typeof previous === "string" || since === undefined ? undefined : previous.bitmap;
      for (const { name } of facts.bitmaps) {
        if (name.startsWith(chainPrefix(chain)) && name !== kept)
          await changeBitmap(image.path, "--remove", name, signal);
      }
      // What is written before the images are opened is in both bitmaps: read twice rather than never.
      if (facts.keepsBitmaps) await changeBitmap(image.path, "--add", pointBitmap(chain, point), signal);
    });
    const served = this.#taken.map(({ image, previous }) => ({
      path: image.path,
      format: image.format,
      isWritable: false,
      bitmap: typeof previous === "string" ? undefined : previous.bitmap,
    }));
    const server = await serveImages(served, this.#scratchFolder, signal);
    this.#server = server;
    await eachInParallel(this.#taken, imagesAtOnce, async ({ image }) => {
      this.#touchedAt.set(image.path, await modifiedAt(image.path));
      await readImageFacts(image.path, image.format, true, signal); // still free?
    });
    this.cutMilliseconds = monotonicMilliseconds() - start;
    this.disks = this.#taken.map((taken, index) => ({
      disk: describe(taken),
      address: server.address,
      exportName: server.exportNames[index] ?? "",
      ...(taken.image.format === "raw" ? { rawPath: taken.image.path } : {}),
      sizeBytes: taken.facts.sizeBytes,
      image: taken.identity,
      changes:
        typeof taken.previous === "string"
          ? { known: false, reason: taken.previous }
          : {
              known: true,
              metaContext: dirtyBitmapContext(taken.previous.bitmap),
              grownFrom: taken.previous.grownFrom,
            },
    }));
  }

  readFirmware(signal?: AbortSignal): Promise<MachineFirmware> {
    return this.#machine.readFirmware(signal);
  }

  async confirm(): Promise<void> {
    this.lost.throwIfAborted();
    for (const { image } of this.#taken) {
      if ((await modifiedAt(image.path)) === this.#touchedAt.get(image.path)) continue;
      throw hostErrors.ImageInUse(
        `The image ${image.path} was written to while it was read, so what was read is no point in time.`,
      );
    }
  }

  async commit(): Promise<void> {
    if (this.#isOver) return;
    await this.confirm();
    const keep = pointBitmap(this.#request.chain, this.#request.point);
    await this.#end((name) => name.startsWith(chainPrefix(this.#request.chain)) && name !== keep);
  }

  async abandon(): Promise<void> {
    if (this.#isOver) return;
    await this.#end((name) => name === pointBitmap(this.#request.chain, this.#request.point));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.abandon();
  }

  async #end(isDone: (bitmap: string) => boolean): Promise<void> {
    this.#isOver = true;
    try {
      await this.#server?.close();
      await eachInParallel(this.#taken, imagesAtOnce, async ({ image, facts }) => {
        if (!facts.keepsBitmaps) return;
        const { bitmaps } = await readImageFacts(image.path, image.format, false);
        for (const { name } of bitmaps) if (isDone(name)) await changeBitmap(image.path, "--remove", name);
      });
    } finally {
      this.#release();
    }
  }
}

async function modifiedAt(path: string): Promise<number> {
  return (await disk.status(path))?.modifiedAt ?? 0;
}

function describe({ image, facts, lun }: TakenImage): MachineDisk {
  return { ...image, name: image.id, sizeBytes: facts.sizeBytes, isReadOnly: false, lun };
}

function findPrevious(
  { id }: FoundImage,
  facts: ImageFacts,
  { chain, since }: SnapshotRequest,
): TakenImage["previous"] {
  if (since === undefined) return "FirstPoint";
  const oldSize = since.sizes[id];
  if (oldSize === undefined) return "DiskIsNew";
  const bitmap = facts.bitmaps.find(({ name }) => name === pointBitmap(chain, since.point));
  if (bitmap === undefined) return "BitmapLost";
  if (bitmap.isInconsistent) return "BitmapInconsistent";
  if (!bitmap.isRecording) return "NotTracked";
  return { bitmap: bitmap.name, grownFrom: Math.min(oldSize, facts.sizeBytes) };
}
