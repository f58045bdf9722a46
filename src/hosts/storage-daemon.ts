// Disk images as NBD exports, through qemu-storage-daemon: one child process for all images of a
// machine. Paths and formats go in as JSON, so no character in a name means anything.

import { join } from "node:path";
import { disk } from "../lib/files.ts";
import { ended, isAlive, start } from "../lib/processes.ts";
import { waitFor } from "../lib/time.ts";
import type { NbdAddress } from "../nbd/address.ts";
import { hostErrors } from "./errors.ts";
import { newSessionId } from "./qemu/names.ts";
import type { ImageFormat } from "./images/formats.ts";

export interface ServedImage {
  readonly path: string;
  readonly format: ImageFormat;
  readonly isWritable: boolean;
  /** A bitmap of the image to offer as `qemu:dirty-bitmap:NAME`. */
  readonly bitmap?: string;
}

export interface ImageServer extends AsyncDisposable {
  readonly address: NbdAddress;
  /** Names of the exports, in the order of the images. */
  readonly exportNames: readonly string[];
  /** Aborted when the daemon ends. */
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

const startMilliseconds = 20_000;
const endMilliseconds = 10_000;
const mostErrorText = 4000;

export async function serveImages(
  images: readonly ServedImage[],
  scratchFolder: string,
  signal?: AbortSignal,
): Promise<ImageServer> {
  await disk.makeDirectory(scratchFolder, 0o700);
  const id = newSessionId();
  const socketPath = join(scratchFolder, `holdfast.${id}.sock`);
  const pidPath = join(scratchFolder, `holdfast.${id}.pid`);
  const exportNames = images.map((_, index) => `disk-${index}`);
  const child = start("qemu-storage-daemon", daemonArguments(images, exportNames, socketPath, pidPath), {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lost = new AbortController();
  let errors = "";
  child.stderr?.on("data", (text: Buffer) => {
    if (errors.length < mostErrorText) errors += text.toString("utf8");
  });
  const over = ended(child, "qemu-storage-daemon");
  over.then(
    () => lost.abort(hostErrors.ImageRefused(`qemu-storage-daemon ended: ${errors.trim() || "it said nothing"}.`)),
    (error) => lost.abort(error),
  );
  let hasStarted = false;
  const close = async (): Promise<void> => {
    // It forgets a SIGTERM that comes while it starts, and then nobody has written anything.
    endChild(child, hasStarted ? "SIGTERM" : "SIGKILL");
    const late = setTimeout(() => endChild(child, "SIGKILL"), endMilliseconds);
    await over.catch(() => {});
    clearTimeout(late);
    await disk.remove(socketPath);
    await disk.remove(pidPath);
  };
  try {
    await waitFor(
      "qemu-storage-daemon",
      async () => {
        signal?.throwIfAborted();
        if (lost.signal.aborted) throw explain(lost.signal.reason, errors, images);
        return disk.status(pidPath); // written when everything is exported
      },
      startMilliseconds,
      10,
    );
    hasStarted = true;
  } catch (error) {
    await close();
    throw error;
  }
  return { address: { socketPath }, exportNames, lost: lost.signal, close, [Symbol.asyncDispose]: close };
}

/** Ends daemons that a killed predecessor left running. */
export async function endLeftDaemons(scratchFolder: string): Promise<string[]> {
  if ((await disk.status(scratchFolder))?.isDirectory !== true) return [];
  const removed: string[] = [];
  for (const name of await disk.list(scratchFolder)) {
    if (!/^holdfast\.[0-9a-f]{8}\.(?:sock|pid)$/.test(name)) continue;
    const path = join(scratchFolder, name);
    if (name.endsWith(".pid")) await endDaemon(path);
    await disk.remove(path);
    removed.push(name);
  }
  return removed;
}

/** Only if the process is still the one that wrote the file: numbers are used again. */
async function endDaemon(pidPath: string): Promise<void> {
  const pid = Number((await disk.read(pidPath)).toString("utf8"));
  if (!Number.isInteger(pid) || pid <= 1) return;
  const isOurs = await disk.read(`/proc/${pid}/cmdline`).then(
    (line) => line.toString("utf8").split("\0").includes(pidPath),
    () => false,
  );
  if (!isOurs) return;
  process.kill(pid, "SIGTERM");
  await waitFor(`the end of process ${pid}`, () => (isAlive(pid) ? undefined : true), endMilliseconds, 10);
}

function daemonArguments(
  images: readonly ServedImage[],
  exportNames: readonly string[],
  socketPath: string,
  pidPath: string,
): string[] {
  const blockdevs = images.flatMap(({ path, format, isWritable }, index) => {
    const node = {
      driver: format,
      "node-name": `disk-${index}`,
      "read-only": !isWritable,
      discard: "unmap",
      // Whatever the header says: no other file is opened.
      ...(format === "qcow2" || format === "vmdk" ? { backing: null } : {}),
      // Whoever only reads does not keep a machine from starting on its image.
      file: { driver: "file", filename: path, "read-only": !isWritable, locking: isWritable ? "auto" : "off" },
    };
    return ["--blockdev", JSON.stringify(node)];
  });
  const server = JSON.stringify({ addr: { type: "unix", path: socketPath }, "max-connections": 64 });
  const exports = images.flatMap(({ isWritable, bitmap }, index) => [
    "--export",
    JSON.stringify({
      type: "nbd",
      id: `export-${index}`,
      "node-name": `disk-${index}`,
      name: exportNames[index],
      writable: isWritable,
      ...(bitmap === undefined ? {} : { bitmaps: [bitmap] }),
    }),
  ]);
  return [...blockdevs, "--nbd-server", server, ...exports, "--pidfile", pidPath];
}

function explain(reason: unknown, errors: string, images: readonly ServedImage[]): unknown {
  if (/Failed to get .*lock|Is another process using the image/.test(errors)) {
    return hostErrors.ImageInUse(
      `One of the images ${images.map(({ path }) => path).join(", ")} is in use: ${errors.trim()}`,
    );
  }
  return reason;
}

function endChild(child: ReturnType<typeof start>, signal: "SIGTERM" | "SIGKILL"): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}
