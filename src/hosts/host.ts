// What a host of machines offers, whatever runs them. Drivers: qemu/ (monitor and agent sockets),
// libvirt/ (libvirt's own API) and images/ (a folder of disk images, powered off).
//
// Always true, whoever implements it:
// - A machine's and a disk's `id` stay the same over renames, restarts and re-discovery; names do not.
// - A snapshot session never leaves the guest frozen, paused or stopped, whatever fails.
// - All disks of one session stand at one instant.
// - What a session put on the host carries our prefix and is gone after `commit` or `abandon`; what a
//   dead process left is removed by `cleanUp`.

import type { GuestAgent } from "../guest/agent.ts";
import type { NbdAddress } from "../nbd/address.ts";
import type { MachineFirmware } from "./firmware/variables.ts";

export type PowerState = "running" | "paused" | "stopped";

export interface MachineDisk {
  /** Stable within the machine. */
  readonly id: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly format: string;
  /** Where the image lies, for people; never a key. */
  readonly path: string | undefined;
  readonly isReadOnly: boolean;
  /** Position as in Azure: -1 for the system disk, then 0, 1, … */
  readonly lun: number;
}

export interface Machine {
  readonly id: string;
  readonly name: string;
  readonly powerState: PowerState;
  readonly hasAgent: boolean;
  readonly disks: readonly MachineDisk[];
  readonly memoryBytes: number | undefined;
  readonly processors: number | undefined;
  /** Why the machine could not be looked at now; what is told of it is what was last seen. */
  readonly problem: string | undefined;
}

export type WantedConsistency = "application" | "fileSystem" | "crash";

export type ReachedConsistency =
  | {
      readonly level: "fileSystem";
      readonly frozenMilliseconds: number;
      readonly fileSystems: number;
      readonly hasWatchdog: boolean;
    }
  | { readonly level: "crash"; readonly reason: string; readonly explanation: string };

/** Why a disk must be read in full. */
export type NoChangesReason =
  | "FirstPoint"
  | "DiskIsNew"
  | "ImageReplaced"
  | "BitmapLost"
  | "BitmapInconsistent"
  | "NotTracked";

export interface SnapshotRequest {
  readonly consistency: WantedConsistency;
  /** Ids of the disks to take; all writable ones when absent. */
  readonly disks?: readonly string[];
  /** Whose increments these are: letters, digits and `-`, at most 64. Chains do not see each other. */
  readonly chain: string;
  /** The name of the point that this session makes; spelt like a chain. */
  readonly point: string;
  /** The chain's last committed point, with the sizes that its disks had then, and their images, by disk id. */
  readonly since?: {
    readonly point: string;
    readonly sizes: Readonly<Record<string, number>>;
    readonly images?: Readonly<Record<string, string>>;
  };
  /** Most room that the guest's own writes may take on the host while the snapshot is read. */
  readonly overlayLimitBytes?: number;
}

export interface SnapshotDisk {
  readonly disk: MachineDisk;
  readonly address: NbdAddress;
  readonly exportName: string;
  /** The same bytes as a file, for who can spare the way through a socket. */
  readonly rawPath?: string;
  readonly sizeBytes: number;
  /** In which file the disk lies: opaque, another one for another file. */
  readonly image: string | undefined;
  readonly changes:
    | {
        readonly known: true;
        /** The meta context whose flag 1 marks what changed; always a superset of the truth. */
        readonly metaContext: string;
        /** From here to the end everything is new, whatever the context says: the disk has grown. */
        readonly grownFrom: number;
      }
    | { readonly known: false; readonly reason: NoChangesReason };
}

/** Counted since the machine was started: writes and flushes of all disks, and how long they took. */
export interface GuestWrites {
  readonly operations: number;
  readonly nanoseconds: number;
}

export interface SnapshotSession extends AsyncDisposable {
  readonly consistency: ReachedConsistency;
  readonly disks: readonly SnapshotDisk[];
  /** Milliseconds that the transaction over all disks took. */
  readonly cutMilliseconds: number;
  /** Fires when the snapshot can no longer be read (its overlay is full, QEMU ended). */
  readonly lost: AbortSignal;
  /** The machine runs on QEMU meanwhile: what its QEMU does for us, its guest waits for. */
  readonly isLive: boolean;
  /** Absent where nobody counts them. */
  guestWrites?(signal?: AbortSignal): Promise<GuestWrites>;
  /** What the machine's firmware keeps beside its disks. What cannot be read of it is said, and fails nothing. */
  readFirmware(signal?: AbortSignal): Promise<MachineFirmware>;
  /** When everything is read and before it counts: fails when what was read is no point in time. */
  confirm(): Promise<void>;
  /** Everything is stored: the next session may ask for changes since this point. */
  commit(): Promise<void>;
  /** Nothing of this session counts; changes since the last committed point stay known. Also the disposal. */
  abandon(): Promise<void>;
}

export interface MachineDefinition {
  /** Letters, digits, `.`, `_` and `-`, at most 64; unique on the host. */
  readonly name: string;
  /** A GUID, by which the machine is known from then on. */
  readonly id: string;
  readonly memoryBytes: number;
  readonly processors: number;
  /** `user` lets the guest out through the host; nothing gets in. */
  readonly network: "none" | "user";
  /** In order of LUN, the system disk first. */
  readonly disks: readonly DefinedDisk[];
  /** Boots this kernel instead of the system disk's own loader. */
  readonly kernel?: DirectBoot;
  /** UEFI; a BIOS when absent. */
  readonly firmware?: DefinedFirmware;
}

/** A firmware of the host's, with the machine's own variables. */
export interface DefinedFirmware {
  /** Where the firmware finds none there, it begins with those it comes with. */
  readonly variablesPath: string;
  readonly isSecureBoot: boolean;
}

/** Files of the host. */
export interface DirectBoot {
  readonly path: string;
  readonly initrdPath?: string;
  readonly commandLine: string;
}

export interface DefinedDisk {
  /** The disk's serial. */
  readonly id: string;
  readonly source: DiskSource;
}

export type DiskSource =
  | { readonly kind: "image"; readonly path: string; readonly format: "raw" | "qcow2" }
  /** Runs from an export of a recovery point; what the machine writes goes to `overlayPath`. */
  | { readonly kind: "point"; readonly address: NbdAddress; readonly exportName: string; readonly overlayPath: string };

/** For hosts that can run machines themselves. */
export interface Lifecycle {
  define(definition: MachineDefinition, signal?: AbortSignal): Promise<void>;
  /** Forgets a machine that does not run; its images stay. */
  undefine(machineId: string): Promise<void>;
  start(machineId: string, signal?: AbortSignal): Promise<void>;
  /** Asks the guest to shut down; switches it off when it has not after `graceMilliseconds`. */
  stop(machineId: string, graceMilliseconds: number, signal?: AbortSignal): Promise<void>;
  restart(machineId: string, signal?: AbortSignal): Promise<void>;
  /** Gives a machine that does not run other images for some of its disks, by their ids, and what goes with them. */
  replaceDisks(
    machineId: string,
    sources: Readonly<Record<string, DiskSource>>,
    firmware?: DefinedFirmware,
  ): Promise<void>;
  /** Makes a folder, if it is not there, whose files a machine's QEMU may use. Absent: it may use any of ours. */
  makeFolder?(name: string): Promise<string>;
  /** Copies what a disk still reads from a recovery point into its overlay, while the machine runs. */
  bringHome(machineId: string, diskId: string, signal?: AbortSignal): Promise<void>;
}

/** For hosts that can change the disks of machines, whoever defined them. */
export interface DiskPlug {
  /** Gives a machine one more disk, known by its id, at once where it runs. */
  attach(machineId: string, disk: DefinedDisk, signal?: AbortSignal): Promise<void>;
  /** Takes a disk from a machine; over when the guest has let go of it. The image stays. */
  detach(machineId: string, diskId: string, signal?: AbortSignal): Promise<void>;
}

export interface Host {
  readonly kind: "images" | "qemu" | "libvirt";
  readonly lifecycle: Lifecycle | undefined;
  readonly diskPlug: DiskPlug | undefined;
  listMachines(signal?: AbortSignal): Promise<Machine[]>;
  findMachine(id: string, signal?: AbortSignal): Promise<Machine>;
  /** The kernel that the host gives the machine; undefined when its system disk boots by itself. */
  directBoot(machineId: string, signal?: AbortSignal): Promise<DirectBoot | undefined>;
  /** One user of a machine's agent at a time; the others wait. */
  withAgent<T>(machineId: string, use: (agent: GuestAgent) => Promise<T>, signal?: AbortSignal): Promise<T>;
  snapshot(machineId: string, request: SnapshotRequest, signal?: AbortSignal): Promise<SnapshotSession>;
  /** Removes what a dead predecessor left on the host, and thaws guests that it left frozen. */
  cleanUp(signal?: AbortSignal): Promise<CleanUpReport>;
  close(): Promise<void>;
}

export interface CleanUpReport {
  readonly removed: readonly string[];
  readonly thawed: readonly string[];
  readonly failures: readonly { readonly machine: string; readonly explanation: string }[];
}
