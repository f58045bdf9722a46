// A snapshot of a running machine by libvirt's pulled backup: one call brings all disks to one instant,
// begins a checkpoint there and shows the disks by NBD. The checkpoint of the last committed point goes
// on recording until the new one is committed, so an attempt that comes to nothing needs no repair.

import { join } from "node:path";
import { HoldfastError } from "../../lib/errors.ts";
import { faultPoint } from "../../lib/faults.ts";
import { disk as files } from "../../lib/files.ts";
import { sleep } from "../../lib/time.ts";
import { dirtyBitmapContext } from "../../nbd/protocol.ts";
import { cut, type CutPlace } from "../cut.ts";
import { hostErrors } from "../errors.ts";
import type {
  GuestWrites,
  MachineDisk,
  NoChangesReason,
  ReachedConsistency,
  SnapshotDisk,
  SnapshotRequest,
  SnapshotSession,
} from "../host.ts";
import { imageIdentity, isMoved } from "../image-identity.ts";
import { scratchReserve, watchOverlays, type OverlayWatch } from "../overlay-watch.ts";
import { chainPrefix, checkPointName, newSessionId, pointBitmap } from "../qemu/names.ts";
import { backupXml, changesBitmap, checkpointXml, endBackup, findBackup } from "./backup-job.ts";
import { checkpointsOf, isRefusal, type Checkpoints } from "./checkpoints.ts";
import type { MachineFirmware } from "../firmware/variables.ts";
import { toDisks, type DomainDisk, type DomainState } from "./domain.ts";
import { readGuestWrites } from "./guest-writes.ts";
import { readLibvirtFirmware } from "./firmware.ts";
import { untilFree } from "./free-machine.ts";
import type { Virsh } from "./virsh.ts";

export interface LibvirtSnapshotPlace extends CutPlace {
  readonly virsh: Virsh;
  readonly state: DomainState;
  /** A folder that the machine's QEMU may write and we may read. */
  readonly scratchFolder: string;
  /** Called once, when the session is over. */
  readonly release: () => void;
}

interface TakenDisk {
  readonly source: DomainDisk;
  readonly disk: MachineDisk;
  readonly scratchPath: string;
  image: string | undefined;
  previous: { readonly grownFrom: number } | NoChangesReason;
}

const defaultOverlayLimit = 8 * 1024 ** 3;
const lookEveryMilliseconds = 2_000;
/** What libvirt says when the bitmaps of a checkpoint are not what it expects. */
const aboutBitmaps = /bitmap|checkpoint/i;

export async function openLibvirtSnapshot(
  place: LibvirtSnapshotPlace,
  request: SnapshotRequest,
  signal?: AbortSignal,
): Promise<SnapshotSession> {
  checkPointName("chain", request.chain);
  checkPointName("point", request.point);
  const { virsh, state, scratchFolder } = place;
  const running = await findBackup(virsh, state.domain.id, signal);
  if (running !== undefined) {
    if (!isOurSocket(running.socketPath))
      throw hostErrors.SnapshotInProgress(`Somebody else's backup of the machine ${state.domain.name} is under way.`);
    await endBackup(virsh, state.domain.id);
    for (const path of [running.socketPath, ...running.scratchPaths]) await files.remove(path);
  }
  if ((await files.freeBytes(scratchFolder)) < 2 * scratchReserve)
    throw hostErrors.SnapshotOverlayFull(`${scratchFolder} has no room for what the machine overwrites.`);
  const session = new LibvirtSnapshot(place, request);
  try {
    await session.begin(signal);
    return session;
  } catch (error) {
    await session.abandon().catch(() => {}); // the first failure is the one to tell; cleanUp comes again
    throw error;
  }
}

export function isOurSocket(path: string): boolean {
  return /\/holdfast\.[0-9a-f]{8}\.sock$/.test(path);
}

class LibvirtSnapshot implements SnapshotSession {
  consistency: ReachedConsistency = { level: "crash", reason: "NotTaken", explanation: "no snapshot was taken" };
  disks: readonly SnapshotDisk[] = [];
  cutMilliseconds = 0;
  readonly isLive = true;
  readonly #place: LibvirtSnapshotPlace;
  readonly #request: SnapshotRequest;
  readonly #checkpoints: Checkpoints;
  readonly #taken: readonly TakenDisk[];
  readonly #base: string;
  readonly #lost = new AbortController();
  readonly #over = new AbortController();
  #watch: OverlayWatch | undefined;
  #looking: Promise<void> | undefined;

  constructor(place: LibvirtSnapshotPlace, request: SnapshotRequest) {
    this.#place = place;
    this.#request = request;
    this.#checkpoints = checkpointsOf(place.virsh, place.state.domain.id);
    this.#base = join(place.scratchFolder, `holdfast.${newSessionId()}`);
    this.#taken = this.#choose();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async begin(signal: AbortSignal | undefined): Promise<void> {
    const { virsh, state, scratchFolder } = this.#place;
    await untilFree(virsh, state.domain.id, signal);
    await this.#findChanges();
    await this.#removeStale();
    faultPoint("snapshot.before-cut");
    const begin = (): Promise<void> => this.#start(signal);
    const { consistency, milliseconds } = await cut(this.#place, this.#request.consistency, begin, signal);
    this.consistency = consistency;
    this.cutMilliseconds = milliseconds;
    faultPoint("snapshot.after-cut");
    this.#watch = watchOverlays(
      {
        onNoRoom: () => () => {}, // libvirt tells of it only when asked
        goOn: async () => {
          const reason = await virsh.call(["domstate", state.domain.id, "--reason"]);
          if (/paused \(I\/O error\)/.test(reason)) await virsh.call(["resume", state.domain.id]);
        },
      },
      {
        paths: this.#taken.map(({ scratchPath }) => scratchPath),
        scratchFolder,
        limitBytes: this.#request.overlayLimitBytes ?? defaultOverlayLimit,
      },
      () => endBackup(virsh, state.domain.id),
    );
    const { full } = this.#watch;
    full.addEventListener("abort", () => this.#lost.abort(full.reason), { once: true });
    this.#looking = this.#watchJob();
    const address = { socketPath: this.#socketPath };
    this.disks = this.#taken.map(({ source, disk, image, previous }) => ({
      disk,
      address,
      exportName: source.target,
      sizeBytes: disk.sizeBytes,
      image,
      changes:
        typeof previous === "string"
          ? { known: false, reason: previous }
          : {
              known: true,
              metaContext: dirtyBitmapContext(changesBitmap(source.target)),
              grownFrom: previous.grownFrom,
            },
    }));
    this.#lost.signal.throwIfAborted();
  }

  guestWrites(signal?: AbortSignal): Promise<GuestWrites> {
    return readGuestWrites(this.#place.virsh, this.#place.state.domain.id, signal);
  }

  readFirmware(signal?: AbortSignal): Promise<MachineFirmware> {
    return readLibvirtFirmware(
      this.#place.virsh,
      this.#place.state.domain.id,
      this.#place.state.domain.firmware,
      signal,
    );
  }

  async confirm(): Promise<void> {
    this.#lost.signal.throwIfAborted();
    const job = await findBackup(this.#place.virsh, this.#place.state.domain.id);
    if (job?.socketPath !== this.#socketPath) throw this.#gone();
  }

  async commit(): Promise<void> {
    if (this.#over.signal.aborted) return;
    await this.confirm();
    await this.#end((name) => name.startsWith(chainPrefix(this.#request.chain)) && name !== this.#checkpoint);
  }

  async abandon(): Promise<void> {
    if (this.#over.signal.aborted) return;
    await this.#end((name) => name === this.#checkpoint);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.abandon();
  }

  get #checkpoint(): string {
    return pointBitmap(this.#request.chain, this.#request.point);
  }

  get #socketPath(): string {
    return `${this.#base}.sock`;
  }

  #choose(): TakenDisk[] {
    const { domain, sizes } = this.#place.state;
    const wanted = this.#request.disks;
    const ids = domain.disks.map(({ id }) => id);
    const twice = ids.find((id, index) => ids.indexOf(id) !== index);
    if (twice !== undefined) throw hostErrors.DisksShareIdentity(`Two disks of the machine are called "${twice}".`);
    const missing = wanted?.find((id) => !ids.includes(id));
    if (missing !== undefined)
      throw hostErrors.DiskNotFound(`The machine has no disk "${missing}"; it has: ${ids.join(", ")}.`);
    return toDisks(domain, sizes).flatMap((disk, index) => {
      const source = domain.disks[index];
      const isTaken = wanted === undefined ? !disk.isReadOnly : wanted.includes(disk.id);
      if (!isTaken || source === undefined) return [];
      return [{ source, disk, scratchPath: `${this.#base}.${index}`, image: undefined, previous: "FirstPoint" }];
    });
  }

  async #findChanges(): Promise<void> {
    const { since, chain } = this.#request;
    for (const taken of this.#taken) taken.image = await imageIdentity(taken.source.path);
    if (since === undefined) return;
    const name = pointBitmap(chain, since.point);
    const known = this.#taken.filter(({ disk }) => since.sizes[disk.id] !== undefined);
    let targets = await this.#checkpoints.targetsOf(name);
    if (targets === undefined) {
      const candidates = known.map(({ source }) => source).filter(({ format }) => format === "qcow2");
      if (candidates.length > 0 && (await this.#checkpoints.redefine(name, candidates)))
        targets = new Set(candidates.map(({ target }) => target));
    }
    for (const taken of this.#taken) {
      const oldSize = since.sizes[taken.disk.id];
      if (oldSize === undefined) taken.previous = "DiskIsNew";
      else if (isMoved(since, taken.disk.id, taken.image)) taken.previous = "ImageReplaced";
      else if (targets?.has(taken.source.target) !== true)
        taken.previous = taken.source.format === "qcow2" ? "BitmapLost" : "NotTracked";
      else taken.previous = { grownFrom: Math.min(oldSize, taken.disk.sizeBytes) };
    }
  }

  /** What earlier attempts of this chain left recording; the last committed point's stays. */
  async #removeStale(): Promise<void> {
    const { chain, since } = this.#request;
    const committed = since === undefined ? undefined : pointBitmap(chain, since.point);
    for (const name of await this.#checkpoints.list()) {
      if (name.startsWith(chainPrefix(chain)) && name !== committed) await this.#checkpoints.remove(name);
    }
  }

  /**
   * With what is known of changes; where libvirt finds the bitmaps unsound, without; where an image can
   * hold none (qcow2 of version 2), without new ones.
   */
  async #start(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#beginBackup(true, signal);
      return;
    } catch (error) {
      if (!isRefusal(error, aboutBitmaps)) throw error;
    }
    for (const taken of this.#taken) {
      if (typeof taken.previous !== "string") taken.previous = "BitmapInconsistent";
    }
    try {
      await this.#beginBackup(true, signal);
    } catch (error) {
      if (!isRefusal(error, aboutBitmaps)) throw error;
      for (const taken of this.#taken) if (taken.previous !== "FirstPoint") taken.previous = "NotTracked";
      await this.#beginBackup(false, signal);
    }
  }

  async #beginBackup(records: boolean, signal: AbortSignal | undefined): Promise<void> {
    const { virsh, state } = this.#place;
    const { chain, since } = this.#request;
    const last = since === undefined ? undefined : pointBitmap(chain, since.point);
    const isTaken = (target: string): boolean => this.#taken.some(({ source }) => source.target === target);
    const targets = state.domain.disks.map(({ target }) => target);
    const recording = records
      ? this.#taken.flatMap(({ source }) => (source.format === "qcow2" ? source.target : []))
      : [];
    const backup = backupXml({
      socketPath: this.#socketPath,
      disks: this.#taken.map(({ source, scratchPath, previous }) => ({
        target: source.target,
        scratchPath,
        since: typeof previous === "string" ? undefined : last,
      })),
      others: targets.filter((target) => !isTaken(target)),
    });
    const others = targets.filter((target) => !recording.includes(target));
    const checkpoint = checkpointXml({ name: this.#checkpoint, targets: recording, others });
    await virsh.call(["backup-begin", state.domain.id], {
      documents: { "--backupxml": backup, ...(recording.length === 0 ? {} : { "--checkpointxml": checkpoint }) },
      signal,
    });
  }

  /** A job that ends without us (the machine's QEMU ended) is a snapshot that can no longer be read. */
  async #watchJob(): Promise<void> {
    const { virsh, state } = this.#place;
    const over = this.#over.signal;
    while (!over.aborted && !this.#lost.signal.aborted) {
      try {
        await sleep(lookEveryMilliseconds, over);
        const job = await findBackup(virsh, state.domain.id, over);
        if (job?.socketPath !== this.#socketPath && !over.aborted) this.#lost.abort(this.#gone());
      } catch (error) {
        // A daemon that is restarted takes nothing with it.
        if (!over.aborted && !(error instanceof HoldfastError)) this.#lost.abort(error);
        if (error instanceof HoldfastError && error.code === "MachineNotFound") this.#lost.abort(this.#gone());
      }
    }
  }

  #gone(): HoldfastError {
    return hostErrors.MonitorLost(`The backup of the machine ${this.#place.state.domain.name} has ended on its host.`);
  }

  async #end(isDone: (checkpoint: string) => boolean): Promise<void> {
    const { virsh, state } = this.#place;
    this.#over.abort();
    try {
      await this.#looking;
      await this.#watch?.stop();
      const job = await findBackup(virsh, state.domain.id);
      if (job?.socketPath === this.#socketPath) await endBackup(virsh, state.domain.id);
      for (const name of await this.#checkpoints.list()) if (isDone(name)) await this.#checkpoints.remove(name);
    } catch (error) {
      // A transient machine that has ended has taken everything with it.
      if (!(error instanceof HoldfastError) || error.code !== "MachineNotFound") throw error;
    } finally {
      for (const path of [this.#socketPath, ...this.#taken.map(({ scratchPath }) => scratchPath)])
        await files.remove(path);
      this.#place.release();
    }
  }
}
