// A snapshot of a running machine. In one transaction, so at one instant for all disks: a bitmap of
// the new point begins to record, the changes since the last point are copied aside, and QEMU starts
// to keep what the guest overwrites. The bitmap of the last committed point goes on recording until
// the new one is committed, so an attempt that comes to nothing needs no repair.

import { join } from "node:path";
import { HoldfastError } from "../../lib/errors.ts";
import { faultPoint } from "../../lib/faults.ts";
import { disk as files } from "../../lib/files.ts";
import { run } from "../../lib/processes.ts";
import { dirtyBitmapContext } from "../../nbd/protocol.ts";
import { cut, type CutPlace } from "../cut.ts";
import { hostErrors } from "../errors.ts";
import type {
  GuestWrites,
  NoChangesReason,
  ReachedConsistency,
  SnapshotDisk,
  SnapshotRequest,
  SnapshotSession,
} from "../host.ts";
import type { MachineFirmware } from "../firmware/variables.ts";
import { imageIdentity, isMoved } from "../image-identity.ts";
import { listBlockDevices, type BlockDevice } from "./block-devices.ts";
import { readQemuFirmware } from "./firmware.ts";
import { readGuestWrites } from "./guest-writes.ts";
import { removeOurs } from "./leftovers.ts";
import { describeDisks, hasMoved, isStoppedByFailure } from "./machine.ts";
import {
  chainPrefix,
  checkPointName,
  flashExport,
  newSessionId,
  pointBitmap,
  sessionNames,
  type SessionNames,
} from "./names.ts";
import { scratchReserve, watchOverlays, type OverlayWatch } from "../overlay-watch.ts";
import type { QmpConnection } from "./qmp.ts";

export interface SnapshotPlace extends CutPlace {
  readonly qmp: QmpConnection;
  /** A folder that QEMU may write and we may read. */
  readonly scratchFolder: string;
  /** Called once, when the session is over. */
  readonly release: () => void;
}

interface TakenDisk {
  readonly device: BlockDevice;
  readonly names: SessionNames;
  readonly overlayPath: string;
  readonly image: string | undefined;
  readonly previous: { readonly bitmap: string; readonly grownFrom: number } | NoChangesReason;
}

const bitmapGranularity = 65536;
const defaultOverlayLimit = 8 * 1024 ** 3;

export async function openSnapshot(
  place: SnapshotPlace,
  request: SnapshotRequest,
  signal?: AbortSignal,
): Promise<SnapshotSession> {
  checkPointName("chain", request.chain);
  checkPointName("point", request.point);
  const { qmp, scratchFolder } = place;
  if (await hasMoved(qmp)) throw hostErrors.MachineMoved("The machine was migrated away from this QEMU.");
  await files.makeDirectory(scratchFolder, 0o770);
  for (const path of (await removeOurs(qmp, signal)).overlayPaths) await files.remove(path);
  const devices = await listBlockDevices(qmp, { signal });
  const chosen = await Promise.all(
    chooseDisks(devices, request.disks).map(async (device) => ({ device, image: await imageIdentity(device.path) })),
  );
  const free = await files.freeBytes(scratchFolder);
  if (free < 2 * scratchReserve) {
    throw hostErrors.SnapshotOverlayFull(
      `${scratchFolder} has only ${free} bytes left; a snapshot needs room for what the machine overwrites.`,
    );
  }
  const session = new QemuSnapshot(place, request, devices, chosen);
  try {
    await session.begin(signal);
    return session;
  } catch (error) {
    await session.abandon().catch(() => {}); // the first failure is the one to tell; cleanUp comes again
    throw error;
  }
}

function chooseDisks(devices: readonly BlockDevice[], wanted: readonly string[] | undefined): BlockDevice[] {
  const seen = new Set<string>();
  for (const { id } of devices) {
    if (seen.has(id)) throw hostErrors.DisksShareIdentity(`Two disks of the machine are called "${id}".`);
    seen.add(id);
  }
  const missing = wanted?.find((id) => !seen.has(id));
  if (missing !== undefined)
    throw hostErrors.DiskNotFound(`The machine has no disk "${missing}"; it has: ${[...seen].join(", ")}.`);
  return devices.filter(({ id, isReadOnly }) => (wanted === undefined ? !isReadOnly : wanted.includes(id)));
}

class QemuSnapshot implements SnapshotSession {
  consistency: ReachedConsistency = { level: "crash", reason: "NotTaken", explanation: "no snapshot was taken" };
  disks: readonly SnapshotDisk[] = [];
  cutMilliseconds = 0;
  readonly isLive = true;
  readonly #place: SnapshotPlace;
  readonly #request: SnapshotRequest;
  readonly #taken: TakenDisk[];
  readonly #devices: readonly BlockDevice[];
  readonly #socketPath: string;
  readonly #flashExport: string;
  readonly #lost = new AbortController();
  #watch: OverlayWatch | undefined;
  #isOver = false;

  constructor(
    place: SnapshotPlace,
    request: SnapshotRequest,
    devices: readonly BlockDevice[],
    chosen: readonly Pick<TakenDisk, "device" | "image">[],
  ) {
    const id = newSessionId();
    this.#place = place;
    this.#request = request;
    this.#devices = devices;
    this.#socketPath = join(place.scratchFolder, `holdfast.${id}.sock`);
    this.#flashExport = flashExport(id);
    this.#taken = chosen.map(({ device, image }, index) => ({
      device,
      image,
      names: sessionNames(id, index),
      overlayPath: join(place.scratchFolder, `holdfast.${id}.${index}.qcow2`),
      previous: isMoved(request.since, device.id, image) ? "ImageReplaced" : findPrevious(device, request),
    }));
    void place.qmp.ended.then((error) => this.#lost.abort(error));
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async begin(signal: AbortSignal | undefined): Promise<void> {
    const { qmp } = this.#place;
    await this.#removeStaleBitmaps(signal);
    for (const { device, names, overlayPath } of this.#taken) {
      await run("qemu-img", ["create", "-q", "-f", "qcow2", overlayPath, String(device.sizeBytes)], { signal });
      await qmp.command(
        "blockdev-add",
        {
          driver: "qcow2",
          "node-name": names.overlayNode,
          file: { driver: "file", filename: overlayPath },
          backing: device.node,
        },
        { signal },
      );
    }
    faultPoint("snapshot.before-cut");
    const transact = async (): Promise<void> => {
      const actions = this.#taken.flatMap((taken) => this.#actions(taken));
      await qmp.command("transaction", { actions }, { signal });
    };
    const { consistency, milliseconds } = await cut(this.#place, this.#request.consistency, transact, signal);
    this.consistency = consistency;
    this.cutMilliseconds = milliseconds;
    faultPoint("snapshot.after-cut");
    this.#watch = watchOverlays(
      {
        onNoRoom: (listener) =>
          qmp.onEvent(({ event, data }) => {
            if (event === "BLOCK_IO_ERROR" && data["action"] === "stop" && data["nospace"] === true) listener();
          }),
        // It goes on by itself unless QEMU has stopped it, which may have been before anybody listened.
        goOn: async (wasStopped) => {
          if (wasStopped || (await isStoppedByFailure(qmp))) await qmp.command("cont");
        },
      },
      {
        paths: this.#taken.map(({ overlayPath }) => overlayPath),
        scratchFolder: this.#place.scratchFolder,
        limitBytes: this.#request.overlayLimitBytes ?? defaultOverlayLimit,
      },
      async () => void (await removeOurs(qmp)),
    );
    const { full } = this.#watch;
    full.addEventListener("abort", () => this.#lost.abort(full.reason), { once: true });
    try {
      await this.#export(signal);
    } finally {
      // What was given up meanwhile makes QEMU refuse the rest: the reason is what is to be told.
      this.#lost.signal.throwIfAborted();
    }
  }

  guestWrites(signal?: AbortSignal): Promise<GuestWrites> {
    return readGuestWrites(this.#place.qmp, { signal });
  }

  readFirmware(signal?: AbortSignal): Promise<MachineFirmware> {
    return readQemuFirmware(this.#place.qmp, this.#socketPath, this.#flashExport, signal);
  }

  async confirm(): Promise<void> {
    this.#lost.signal.throwIfAborted();
  }

  async commit(): Promise<void> {
    if (this.#isOver) return;
    await this.confirm();
    await this.#end(({ device }) => {
      const keep = pointBitmap(this.#request.chain, this.#request.point);
      return device.bitmaps
        .map(({ name }) => name)
        .filter((name) => name.startsWith(chainPrefix(this.#request.chain)) && name !== keep);
    });
  }

  async abandon(): Promise<void> {
    if (this.#isOver) return;
    await this.#end(() => [pointBitmap(this.#request.chain, this.#request.point)]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.abandon();
  }

  #actions({ device, names, previous }: TakenDisk): unknown[] {
    const { node, keepsBitmaps } = device;
    const next = pointBitmap(this.#request.chain, this.#request.point);
    const add = {
      type: "block-dirty-bitmap-add",
      data: { node, name: next, granularity: bitmapGranularity, persistent: keepsBitmaps },
    };
    const copy =
      typeof previous === "string"
        ? []
        : [
            {
              type: "block-dirty-bitmap-add",
              data: { node, name: names.changes, granularity: bitmapGranularity, disabled: true },
            },
            { type: "block-dirty-bitmap-merge", data: { node, target: names.changes, bitmaps: [previous.bitmap] } },
          ];
    const backup = {
      type: "blockdev-backup",
      data: {
        "job-id": names.job,
        device: node,
        target: names.overlayNode,
        sync: "none",
        "filter-node-name": names.filterNode,
      },
    };
    return [add, ...copy, backup];
  }

  async #export(signal: AbortSignal | undefined): Promise<void> {
    const { qmp } = this.#place;
    await qmp.command(
      "nbd-server-start",
      { addr: { type: "unix", data: { path: this.#socketPath } }, "max-connections": 64 },
      { signal },
    );
    const descriptions = new Map(describeDisks(this.#devices).map((disk) => [disk.id, disk]));
    const disks: SnapshotDisk[] = [];
    for (const { device, names, image, previous } of this.#taken) {
      const bitmaps = typeof previous === "string" ? [] : [{ node: device.node, name: names.changes }];
      await qmp.command(
        "block-export-add",
        { type: "nbd", id: names.export, "node-name": names.overlayNode, name: names.export, writable: false, bitmaps },
        { signal },
      );
      const disk = descriptions.get(device.id);
      if (disk === undefined) throw hostErrors.DiskNotFound(`The disk "${device.id}" vanished.`);
      disks.push({
        disk,
        address: { socketPath: this.#socketPath },
        exportName: names.export,
        sizeBytes: device.sizeBytes,
        image,
        changes:
          typeof previous === "string"
            ? { known: false, reason: previous }
            : { known: true, metaContext: dirtyBitmapContext(names.changes), grownFrom: previous.grownFrom },
      });
    }
    this.disks = disks;
  }

  /** What earlier attempts of this chain left recording; the last committed point's bitmap stays. */
  async #removeStaleBitmaps(signal: AbortSignal | undefined): Promise<void> {
    const { chain, since } = this.#request;
    const committed = since === undefined ? undefined : pointBitmap(chain, since.point);
    for (const { device } of this.#taken) {
      for (const { name, isInconsistent } of device.bitmaps) {
        if (!name.startsWith(chainPrefix(chain)) || (name === committed && !isInconsistent)) continue;
        await this.#place.qmp.command("block-dirty-bitmap-remove", { node: device.node, name }, { signal });
      }
    }
  }

  async #end(bitmapsToRemove: (taken: TakenDisk) => readonly string[]): Promise<void> {
    this.#isOver = true;
    const { qmp } = this.#place;
    try {
      await this.#watch?.stop();
      if (await this.#isQemuThere()) {
        await removeOurs(qmp);
        for (const { id, node, bitmaps } of await listBlockDevices(qmp)) {
          const taken = this.#taken.find(({ device }) => device.id === id);
          if (taken === undefined) continue;
          const wanted = bitmapsToRemove({ ...taken, device: { ...taken.device, bitmaps } });
          for (const { name } of bitmaps) {
            if (wanted.includes(name)) await qmp.command("block-dirty-bitmap-remove", { node, name });
          }
        }
      }
    } finally {
      for (const { overlayPath } of this.#taken) await files.remove(overlayPath);
      await files.remove(this.#socketPath);
      this.#place.release();
    }
  }

  /** A QEMU that is gone has taken everything of ours but the files with it. */
  async #isQemuThere(): Promise<boolean> {
    try {
      await this.#place.qmp.command("query-name");
      return true;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === "MonitorLost") return false;
      throw error;
    }
  }
}

function findPrevious(device: BlockDevice, { chain, since }: SnapshotRequest): TakenDisk["previous"] {
  if (since === undefined) return "FirstPoint";
  const oldSize = since.sizes[device.id];
  if (oldSize === undefined) return "DiskIsNew";
  const bitmap = device.bitmaps.find(({ name }) => name === pointBitmap(chain, since.point));
  if (bitmap === undefined) return "BitmapLost";
  if (bitmap.isInconsistent) return "BitmapInconsistent";
  if (!bitmap.isRecording) return "NotTracked"; // somebody switched it off and it missed writes
  // QEMU does not mark the room that a resize adds; what it held before the disk had it may be anything.
  return { bitmap: bitmap.name, grownFrom: Math.min(oldSize, device.sizeBytes) };
}
