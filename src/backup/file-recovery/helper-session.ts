// A running helper guest over the disks of one recovery point. The disks are served by our own NBD
// server with what the guest writes (a journal that is replayed) thrown away at the end; the guest has
// no network and sees nothing of this machine.

import { join } from "node:path";
import { disk } from "../../lib/files.ts";
import { findProgram } from "../../lib/processes.ts";
import { newGuid } from "../../lib/random.ts";
import { copyOnWrite } from "../../nbd/copy-on-write.ts";
import type { NbdExport } from "../../nbd/export.ts";
import { serveNbd } from "../../nbd/server.ts";
import { parseEntries, rawPathOf, type Entry } from "./entries.ts";
import { fileRecoveryErrors } from "./errors.ts";
import type { Helper } from "./helper.ts";
import { diskDevices, qemuProgram, startMachine, type HelperMachine } from "./helper-machine.ts";
import { HelperRefusal, toHex, type HelperPort } from "./helper-port.ts";
import { resumeMachine } from "./saved-state.ts";
import { parseVolumes, type Volume } from "./volumes.ts";

export interface HelperSession extends AsyncDisposable {
  volumes(signal?: AbortSignal): Promise<Volume[]>;
  /** Opens a LUKS volume; what is in it appears among the volumes. */
  unlock(volume: string, key: Uint8Array, signal?: AbortSignal): Promise<Volume[]>;
  /** What is in a folder, `depth` levels deep; of a file or a link, itself. */
  list(path: string, depth: number, signal?: AbortSignal): Promise<Entry[]>;
  /** Bytes of a file from any position on, in pieces. */
  read(path: string, from: number, length: number, signal?: AbortSignal): AsyncGenerator<Buffer>;
  readonly ended: Promise<void>;
}

export interface HelperSettings {
  readonly helper: Helper;
  /** For sockets and for what the guest writes; only its owner may enter. */
  readonly scratchFolder: string;
}

const startMilliseconds = 120_000;
const requestMilliseconds = 60_000;
const MiB = 1024 * 1024;
const pieceMiB = 4;
/** A journal that is replayed, at most. */
const scratchLimitBytes = 1024 * MiB;

export async function startHelper(
  exports: readonly NbdExport[],
  settings: HelperSettings,
  signal?: AbortSignal,
): Promise<HelperSession> {
  if (findProgram(qemuProgram) === undefined)
    throw fileRecoveryErrors.FileRecoveryUnavailable(`${qemuProgram} is not installed on this machine.`);
  await using ends = new AsyncDisposableStack();
  const folder = join(settings.scratchFolder, `files-${newGuid().slice(0, 8)}`);
  await disk.makeDirectory(folder, 0o700);
  ends.defer(() => disk.removeTree(folder));

  const serials = new Map<string, string>();
  const served: NbdExport[] = [];
  for (const [index, base] of exports.entries()) {
    const name = `disk${index}`;
    serials.set(name, base.name);
    const options = { name, scratchPath: join(folder, name), limitBytes: scratchLimitBytes };
    served.push(ends.use(await copyOnWrite(base, options)));
  }
  const nbdPath = join(folder, "nbd.sock");
  ends.use(await serveNbd({ listen: { socketPath: nbdPath }, exports: served }));
  const guest = { helper: settings.helper, folder, names: served.map(({ name }) => name), nbdPath };
  const { port } = ends.use((await resumed(guest, signal)) ?? (await booted(guest, signal)));
  const owned = ends.move();
  return { ...requests(port, serials), ended: port.ended, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface Guest {
  readonly helper: Helper;
  readonly folder: string;
  /** Of the disks, as they are exported. */
  readonly names: readonly string[];
  readonly nbdPath: string;
}

async function booted({ helper, folder, names, nbdPath }: Guest, signal?: AbortSignal): Promise<HelperMachine> {
  await using ends = new AsyncDisposableStack();
  const devices = diskDevices(names).flatMap((device) => ["-device", JSON.stringify(device)]);
  const extraArguments = [...blockNodes(names, nbdPath), ...devices];
  const machine = ends.use(await startMachine({ ...helper, folder, extraArguments }, signal));
  await machine.port.ask(["volumes"], startMilliseconds, signal); // the guest is up when it answers
  ends.move();
  return machine;
}

/** From the saved state; nothing when there is none, or it does not serve. */
async function resumed(guest: Guest, signal?: AbortSignal): Promise<HelperMachine | undefined> {
  const { helper, folder, names, nbdPath } = guest;
  if (helper.statePath === undefined) return undefined;
  await using ends = new AsyncDisposableStack();
  try {
    const settings = { folder, extraArguments: blockNodes(names, nbdPath) };
    const { machine, monitor: opened } = await resumeMachine(helper, helper.statePath, settings, signal);
    ends.use(machine);
    using monitor = opened;
    for (const device of diskDevices(names)) await monitor.command("device_add", device, { signal });
    if (names.length > 0) await machine.port.ask(["disks", String(names.length)], startMilliseconds, signal);
    ends.move();
    return machine;
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

function blockNodes(names: readonly string[], nbdPath: string): string[] {
  return names.flatMap((name) => {
    const server = { type: "unix", path: nbdPath };
    return ["-blockdev", JSON.stringify({ driver: "nbd", "node-name": name, server, export: name })];
  });
}

function requests(
  port: HelperPort,
  serials: ReadonlyMap<string, string>,
): Omit<HelperSession, "ended" | typeof Symbol.asyncDispose> {
  const ask = async (words: readonly string[], what: string, signal?: AbortSignal): Promise<Buffer> => {
    try {
      return await port.ask(words, requestMilliseconds, signal);
    } catch (error) {
      throw error instanceof HelperRefusal ? refused(error, what) : error;
    }
  };
  const inGuest = (path: string): string => toHex(Buffer.concat([Buffer.from("/volumes/"), rawPathOf(path)]));
  return {
    volumes: async (signal) => parseVolumes(await ask(["volumes"], "", signal), serials),
    unlock: async (volume, key, signal) =>
      parseVolumes(await ask(["unlock", toHex(volume), toHex(key)], volume, signal), serials),
    list: async (path, depth, signal) => {
      const answer = await ask(["list", inGuest(path), String(depth)], path, signal);
      if (answer.length >= 64 * MiB)
        throw fileRecoveryErrors.FolderTooLarge(`The folder ${path} holds more entries than can be listed at once.`);
      return parseEntries(answer);
    },
    read: async function* (path, from, length, signal) {
      const hex = inGuest(path);
      for (let at = from; at < from + length;) {
        const first = Math.floor(at / MiB);
        const piece = await ask(["content", hex, String(first), String(pieceMiB)], path, signal);
        const begin = at - first * MiB;
        const taken = piece.subarray(begin, begin + from + length - at);
        if (taken.length === 0)
          throw fileRecoveryErrors.FileUnreadable(
            `The file ${path} ends at ${at}, before the size that it is said to have.`,
          );
        yield taken;
        at += taken.length;
      }
    },
  };
}

function refused({ reason, message }: HelperRefusal, what: string): unknown {
  switch (reason) {
    case "NotFound":
      return fileRecoveryErrors.FileNotFound(`${what} is not in this recovery point: ${message}.`);
    case "NotAFile":
      return fileRecoveryErrors.NotAFile(`${what} is not a plain file.`);
    case "Unreadable":
      return fileRecoveryErrors.FileUnreadable(`${what} cannot be read: ${message}.`);
    case "NoSuchVolume":
      return fileRecoveryErrors.VolumeNotFound(`There is no volume ${what}.`);
    case "KeyWrong":
      return fileRecoveryErrors.VolumeKeyWrong(
        `The volume ${what} does not open with this key: ${message || "it is another one"}`,
      );
    default:
      return fileRecoveryErrors.FileRecoverySessionFailed(`The helper guest refused: ${message}.`);
  }
}
