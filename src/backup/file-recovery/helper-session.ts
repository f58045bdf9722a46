// A running helper guest over the disks of one recovery point. The disks are served by our own NBD
// server with what the guest writes (a journal that is replayed) thrown away at the end; the guest has
// no network and sees nothing of this machine.

import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { disk } from "../../lib/files.ts";
import { ended, findProgram, start, type ChildProcess } from "../../lib/processes.ts";
import { newGuid } from "../../lib/random.ts";
import { copyOnWrite } from "../../nbd/copy-on-write.ts";
import type { NbdExport } from "../../nbd/export.ts";
import { serveNbd } from "../../nbd/server.ts";
import { parseEntries, rawPathOf, type Entry } from "./entries.ts";
import { fileRecoveryErrors } from "./errors.ts";
import type { Helper } from "./helper.ts";
import { HelperRefusal, openHelperPort, toHex, type HelperPort } from "./helper-port.ts";
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

const startMilliseconds = 60_000;
const requestMilliseconds = 60_000;
const MiB = 1024 * 1024;
const pieceMiB = 4;
/** LUKS2 keys ask for as much as a gigabyte while they are opened; nothing of it is taken before. */
const memoryMiB = 1536;
/** A journal that is replayed, at most. */
const scratchLimitBytes = 1024 * MiB;

export async function startHelper(
  exports: readonly NbdExport[],
  settings: HelperSettings,
  signal?: AbortSignal,
): Promise<HelperSession> {
  if (findProgram("qemu-system-x86_64") === undefined)
    throw fileRecoveryErrors.FileRecoveryUnavailable("qemu-system-x86_64 is not installed on this machine.");
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

  const listener = await listenOnce(join(folder, "port.sock"));
  ends.defer(() => listener.close());
  const child = start("qemu-system-x86_64", qemuArguments(settings, served, nbdPath, listener.path), {
    stdio: ["ignore", "ignore", "pipe"],
  });
  ends.defer(() => endChild(child));
  let says = "";
  child.stderr?.on("data", (text: Buffer) => {
    if (says.length < 2000) says += text.toString("utf8");
  });
  const over = ended(child, "qemu-system-x86_64").catch(() => 1);
  const port = openHelperPort(await connected(listener, over, () => says, signal));
  ends.defer(() => port.close());
  await port.ask(["volumes"], startMilliseconds, signal); // the guest is up when it answers
  const owned = ends.move();
  return { ...requests(port, serials), ended: port.ended, [Symbol.asyncDispose]: () => owned.disposeAsync() };
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

function qemuArguments(
  { helper: { image, accelerator } }: HelperSettings,
  served: readonly NbdExport[],
  nbdPath: string,
  portPath: string,
): string[] {
  const disks = served.flatMap(({ name }) => [
    "-blockdev",
    JSON.stringify({ driver: "nbd", "node-name": name, server: { type: "unix", path: nbdPath }, export: name }),
    "-device",
    `virtio-blk-pci,drive=${name},serial=${name}`,
  ]);
  return [
    ["-name", "holdfast-files", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ["-machine", `q35,accel=${accelerator}`, "-cpu", "max", "-smp", "1", "-m", String(memoryMiB)],
    ["-kernel", image.kernel, "-initrd", image.initrd],
    ["-append", "quiet panic=-1 no_timer_check mitigations=off random.trust_cpu=on"],
    ["-chardev", `socket,path=${portPath.replaceAll(",", ",,")},id=files`],
    ["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=files,name=org.holdfast.files"],
    [
      "-device",
      "virtio-rng-pci",
      "-sandbox",
      "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    ],
    disks,
  ].flat();
}

interface Listener {
  readonly path: string;
  readonly connection: Promise<Socket>;
  close(): void;
}

async function listenOnce(path: string): Promise<Listener> {
  let take: (socket: Socket) => void = () => {};
  const connection = new Promise<Socket>((resolve) => {
    take = resolve;
  });
  const server: Server = createServer((socket) => {
    server.close(); // one guest, one connection
    take(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  return { path, connection, close: () => server.close() };
}

async function connected(
  listener: Listener,
  over: Promise<number>,
  says: () => string,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  let stop = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([
      listener.connection,
      stopped,
      over.then(() => {
        throw fileRecoveryErrors.FileRecoveryUnavailable(
          `The helper guest did not start: ${says().trim() || "QEMU said nothing"}.`,
        );
      }),
    ]);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await gone;
}
