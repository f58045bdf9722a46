// One machine into one store: a snapshot of all chosen disks at one instant, then their bytes, then one
// point.
//
// Always true:
// - There is a point with all chosen disks, or none.
// - The point is durable before the host forgets the changes since the one before. So whenever this
//   process dies, the next attempt finds in the store which point was last, and its bitmaps on the host.
// - What a host says of changes is a hint: where there is none, or a disk of the last point cannot be
//   read, the whole disk is read, and a remark says so.

import { vmSnapshot } from "../../extension/consistency-agent.ts";
import type { MachineFirmware } from "../../hosts/firmware/variables.ts";
import type { Host, Machine, SnapshotDisk, SnapshotSession, WantedConsistency } from "../../hosts/host.ts";
import { faultPoint } from "../../lib/faults.ts";
import { HoldfastError, systemCode } from "../../lib/errors.ts";
import { randomBytes } from "../../lib/random.ts";
import { beginSession, type AddedDisk, type BackupSession, type Point, type Vault } from "../../store/index.ts";
import type { Metadata } from "../../store/format/point.ts";
import { keepBoot, type KeptBoot } from "./boot-files.ts";
import { keepFirmware } from "./firmware.ts";
import type { ConsistencyAgent } from "./consistency.ts";
import type { CapturedConsistency, CapturedFacts } from "./captured-point.ts";
import { chooseDisks, type ChosenDisks, type DiskChoice } from "./disk-choice.ts";
import { captureErrors } from "./errors.ts";
import { governReads } from "./govern-reads.ts";
import { findLastPoint, type LastPoint } from "./last-point.ts";
import { progressMeter, type CaptureProgress, type ProgressMeter } from "./progress.ts";
import { remarksOnDisk, remarksOnPace, type Remark } from "./remarks.ts";
import { openSnapshotSource } from "./snapshot-source.ts";
import { takeSnapshot } from "./take-snapshot.ts";

export interface CaptureRequest {
  readonly host: Host;
  readonly machineId: string;
  readonly vault: Vault;
  /** The machine's name in the store. */
  readonly item: string;
  /** Whose increments these are: letters, digits and `-`, at most 64. */
  readonly chain: string;
  readonly consistency: WantedConsistency;
  /** All disks that can be written to when absent. */
  readonly disks?: DiskChoice;
  readonly attachments?: readonly CaptureAttachment[];
  /** The caller's own part of the point's description. */
  readonly details?: Metadata;
  /** The point cannot be deleted before. */
  readonly lockedUntil?: number;
  /** Most room that the guest's own writes may take on the host meanwhile. */
  readonly overlayLimitBytes?: number;
  /** What runs around the snapshot in the guest; the VMSnapshot extension when absent. */
  readonly consistencyAgent?: ConsistencyAgent;
  /** The snapshot stands: the guest runs on, the transfer begins. */
  readonly onSnapshot?: (snapshot: SnapshotTaken) => void | Promise<void>;
  readonly onProgress?: (progress: CaptureProgress) => void;
}

export interface CaptureAttachment {
  readonly name: string;
  readonly content: Uint8Array;
}

export interface SnapshotTaken {
  readonly takenAt: number;
  readonly cutMilliseconds: number;
  readonly consistency: CapturedConsistency;
  readonly disks: CapturedFacts["disks"];
  readonly remarks: readonly Remark[];
}

export interface CapturedDisk {
  readonly id: string;
  readonly name: string;
  readonly lun: number;
  readonly sizeBytes: number;
  /** What the host knew of changes since the last point, or why nothing. */
  readonly changes: "known" | Extract<SnapshotDisk["changes"], { known: false }>["reason"];
  readonly bytesRead: number;
  readonly bytesNew: number;
  readonly bytesStored: number;
}

export interface Captured {
  readonly point: Point;
  /** The point that it was compared with. */
  readonly parent: string | undefined;
  readonly facts: CapturedFacts;
  readonly disks: readonly CapturedDisk[];
  readonly bytesRead: number;
  readonly bytesNew: number;
  readonly bytesStored: number;
  /** Those of the point, and what came after it. */
  readonly remarks: readonly Remark[];
}

export async function captureMachine(request: CaptureRequest, signal?: AbortSignal): Promise<Captured> {
  try {
    return await capture(request, signal);
  } catch (error) {
    throw firstFailure(error);
  }
}

/** What else fails on the way out (the image is gone, the host is silent) is no reason; the next clean-up comes to it. */
function firstFailure(error: unknown): unknown {
  return error instanceof SuppressedError ? firstFailure(error.suppressed) : error;
}

async function capture(request: CaptureRequest, signal: AbortSignal | undefined): Promise<Captured> {
  const { host, vault, item, chain } = request;
  const machine = await host.findMachine(request.machineId, signal);
  // A machine with a problem may not show all of its disks.
  if (machine.problem !== undefined) {
    throw captureErrors.MachineUnusable(`The machine ${machine.name} cannot be captured: ${machine.problem}`);
  }
  const chosen = chooseDisks(machine, request.disks ?? { kind: "all" });
  const last = await findLastPoint(vault, item, chain, signal);
  const mark = randomBytes(8).toString("hex");
  const { session, consistency, remarks } = await takeSnapshot(
    { host, machine },
    {
      consistency: request.consistency,
      disks: chosen.disks.map(({ id }) => id),
      chain,
      point: mark,
      since: last?.since,
      overlayLimitBytes: request.overlayLimitBytes,
    },
    request.consistencyAgent ?? vmSnapshot(),
    signal,
  );
  await using _session = session;
  const takenAt = vault.clock.now();
  faultPoint("capture.snapshot-open");
  const firmware = await session.readFirmware(signal);
  await mustBeUnchanged(host, machine, signal);
  const facts: CapturedFacts = {
    v: 1,
    kind: "machine",
    chain,
    mark,
    takenAt,
    cutMilliseconds: session.cutMilliseconds,
    machine: {
      id: machine.id,
      name: machine.name,
      hostKind: host.kind,
      powerState: machine.powerState,
      memoryBytes: machine.memoryBytes,
      processors: machine.processors,
    },
    wanted: request.consistency,
    consistency,
    disks: session.disks.map(({ disk, sizeBytes, image }) => ({ ...describeDisk(disk), sizeBytes, image })),
    excluded: chosen.excluded.map(({ disk, reason }) => ({ ...describeDisk(disk), reason })),
    remarks: [...chosen.remarks, ...remarks, ...remarksOnDisks(session, last)],
    details: request.details ?? null,
  };
  await request.onSnapshot?.({ ...facts, remarks: facts.remarks });
  return await transfer(request, { session, firmware }, last, facts, chosen, signal);
}

async function transfer(
  request: CaptureRequest,
  { session, firmware }: { readonly session: SnapshotSession; readonly firmware: MachineFirmware },
  last: LastPoint | undefined,
  facts: CapturedFacts,
  chosen: ChosenDisks,
  signal: AbortSignal | undefined,
): Promise<Captured> {
  const { vault, item, lockedUntil } = request;
  const both = signal === undefined ? session.lost : AbortSignal.any([signal, session.lost]);
  try {
    await using writing = await beginSession(vault, { item, parent: last?.name, lockedUntil, signal: both });
    const meter = progressMeter(request.onProgress ?? (() => {}));
    const { added, lowestShare } = await addDisks(writing, session, meter, both);
    for (const { name, content } of request.attachments ?? []) await writing.addAttachment(name, content);
    const { remarks: onBoot, ...boot } = await keepBootOf(request, writing, both);
    const { remarks: onFirmware, ...uefi } = await keepFirmware(firmware, writing);
    const found = [...added.flatMap(problemOf), ...remarksOnPace(lowestShare), ...onBoot, ...onFirmware];
    const remarks = [...facts.remarks, ...found];
    const told: CapturedFacts = { ...facts, ...boot, ...uefi, remarks };
    await session.confirm();
    faultPoint("capture.before-point");
    const point = await writing.commit(withoutUndefined(told));
    faultPoint("capture.after-point");
    const late = await commitMarks(session);
    faultPoint("capture.after-marks");
    const disks = added.map((disk) => capturedDisk(disk, session, chosen));
    const sum = (of: (disk: CapturedDisk) => number): number => disks.reduce((total, disk) => total + of(disk), 0);
    return {
      point,
      parent: writing.parent?.name,
      facts: told,
      disks,
      bytesRead: sum(({ bytesRead }) => bytesRead),
      bytesNew: sum(({ bytesNew }) => bytesNew),
      bytesStored: sum(({ bytesStored }) => bytesStored),
      remarks: [...remarks, ...late],
    };
  } catch (error) {
    // Whatever they made fail: a cancellation is a cancellation, and a lost snapshot is the reason.
    signal?.throwIfAborted();
    session.lost.throwIfAborted();
    throw error;
  }
}

async function keepBootOf(
  { host, machineId }: CaptureRequest,
  writing: BackupSession,
  signal: AbortSignal,
): Promise<KeptBoot> {
  const boot = await host.directBoot(machineId, signal);
  return boot === undefined ? { remarks: [] } : await keepBoot(boot, writing);
}

/** All disks side by side; the first failure ends the others. */
async function addDisks(
  writing: BackupSession,
  session: SnapshotSession,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<{ added: AddedDisk[]; lowestShare: number }> {
  const failed = new AbortController();
  const common = AbortSignal.any([signal, failed.signal]);
  await using governed = governReads(session, common);
  const addOne = async (taken: SnapshotDisk): Promise<AddedDisk> => {
    await using source = await openSnapshotSource(taken, governed, common);
    meter.begin(taken.disk.id, source.bytesExpected, source.dirty === undefined);
    return await writing.addDisk(taken.disk.id, source, {
      signal: common,
      onProgress: (progress) => meter.update(progress),
    });
  };
  const results = await Promise.allSettled(
    session.disks.map((taken) =>
      addOne(taken).catch((cause: unknown) => {
        const error = asDiskError(taken, cause);
        failed.abort(error);
        throw error;
      }),
    ),
  );
  failed.signal.throwIfAborted();
  const added = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  return { added, lowestShare: governed.lowestShare() };
}

/** Somebody took it away, or its file system. */
const imageIsGone: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ENXIO", "ESTALE", "EIO", "EACCES"]);

/** Says which disk it was that failed. */
function asDiskError({ disk }: SnapshotDisk, error: unknown): unknown {
  const code = error instanceof HoldfastError ? undefined : systemCode(error);
  if (code !== undefined && imageIsGone.has(code)) {
    return captureErrors.DiskUnreadable(`The image of the disk "${disk.id}" cannot be opened any more: ${code}.`, {
      cause: error,
    });
  }
  if (!(error instanceof HoldfastError) || !/^(?:Nbd|Source)/.test(error.code)) return error;
  const seen = error.cause instanceof HoldfastError ? error.cause : error;
  // QEMU's way to say that the host has failed it.
  const hint =
    seen.code === "NbdConnectionLost"
      ? " QEMU closes it where the host cannot read the disk: look for its errors in the host's log."
      : "";
  return captureErrors.DiskUnreadable(
    `The disk "${disk.id}" (LUN ${disk.lun}) could not be read: ${seen.message}${hint}`,
    {
      cause: error,
    },
  );
}

/** The point stands already: what fails here costs the next one a whole comparison, no more. */
async function commitMarks(session: SnapshotSession): Promise<Remark[]> {
  try {
    await session.commit();
    return [];
  } catch (error) {
    const why = error instanceof HoldfastError ? error.message : "The host did not answer.";
    return [
      {
        code: "ChangesNotRecorded",
        severity: "warning",
        message: `The point is complete, but the host could not be told so: the next one compares whole disks. ${why}`,
      },
    ];
  }
}

/** The configuration in the point is that of the moment of the cut. */
async function mustBeUnchanged(host: Host, before: Machine, signal: AbortSignal | undefined): Promise<void> {
  const after = await host.findMachine(before.id, signal);
  const list = ({ disks }: Machine): string => disks.map(({ id, lun }) => `"${id}" at LUN ${lun}`).join(", ");
  if (list(before) === list(after)) return;
  throw captureErrors.MachineChangedMeanwhile(
    `The machine ${before.name} had the disks ${list(before)} before the snapshot and has ${list(after)} after it.`,
  );
}

function remarksOnDisks(session: SnapshotSession, last: LastPoint | undefined): Remark[] {
  return session.disks.flatMap((taken) => remarksOnDisk(taken, last?.since?.sizes[taken.disk.id]));
}

function problemOf({ name, parentProblem }: AddedDisk): Remark[] {
  if (parentProblem === undefined) return [];
  return [
    { code: "LastPointUnreadable", severity: "warning", disk: name, message: `Disk "${name}": ${parentProblem}` },
  ];
}

function describeDisk({ id, name, lun, sizeBytes, format }: SnapshotDisk["disk"]): CapturedFacts["disks"][number] {
  return { id, name, lun, sizeBytes, format };
}

function capturedDisk(added: AddedDisk, session: SnapshotSession, chosen: ChosenDisks): CapturedDisk {
  const taken = session.disks.find(({ disk }) => disk.id === added.name);
  const disk = chosen.disks.find(({ id }) => id === added.name);
  return {
    id: added.name,
    name: disk?.name ?? added.name,
    lun: disk?.lun ?? -1,
    sizeBytes: added.size,
    changes: taken === undefined || taken.changes.known ? "known" : taken.changes.reason,
    ...added.statistics,
  };
}

/** JSON has no undefined. */
function withoutUndefined(facts: CapturedFacts): Metadata {
  return JSON.parse(JSON.stringify(facts)) as Metadata;
}
