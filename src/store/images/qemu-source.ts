// Images in QEMU's formats, read through qemu-nbd and our own NBD client: their headers are parsed in
// a process of its own, which may read this one file and nothing that the file names.

import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { isErrorCode } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { ended, start } from "../../lib/processes.ts";
import { newGuid } from "../../lib/random.ts";
import { waitFor } from "../../lib/time.ts";
import { connectNbd, type NbdClient } from "../../nbd/client.ts";
import type { SourceExtent } from "../sources/disk-source.ts";
import { imageErrors } from "./errors.ts";
import { qemuDriver, type ReadableFormat } from "./format.ts";
import type { ImageSource } from "./image-source.ts";
import { fromQemu, inspectImage } from "./inspect.ts";

const allocation = "base:allocation";
const readsAsZero = 2;
const startMilliseconds = 20_000;

export async function openQemuSource(
  image: string,
  format: ReadableFormat,
  signal?: AbortSignal,
): Promise<ImageSource> {
  const path = resolve(image);
  await inspectImage(path, format, signal);
  const folder = join(tmpdir(), `holdfast-image-${newGuid()}`);
  await disk.makeDirectory(folder, 0o700);
  const socketPath = join(folder, "nbd.sock");
  const daemon = startDaemon(path, format, socketPath);
  const stop = async (): Promise<void> => {
    // It only reads, so nothing is lost; a SIGTERM that comes while it starts is forgotten by it.
    daemon.child.kill("SIGKILL");
    await daemon.ended;
    await disk.removeTree(folder);
  };
  try {
    const client = await connectWhenReady(daemon, path, format, socketPath, signal);
    return {
      size: client.size,
      read: (into, offset, readSignal) => client.read(into, offset, readSignal),
      extents: (from, to, listSignal) => extents(client, from, to, listSignal),
      [Symbol.asyncDispose]: async () => {
        await client.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Daemon {
  readonly child: ReturnType<typeof start>;
  readonly ended: Promise<void>;
  readonly said: () => string;
  readonly hasEnded: () => boolean;
}

function startDaemon(path: string, format: ReadableFormat, socketPath: string): Daemon {
  // As JSON no part of the path can become an option, and `backing: null` closes the way to other files.
  const options = {
    driver: qemuDriver[format],
    "read-only": true,
    file: { driver: "file", filename: path, "read-only": true },
    ...(format === "qcow2" ? { backing: null } : {}),
    // Else QEMU would cut some disks to whole cylinders.
    ...(format === "vhd" ? { force_size_calc: "current_size" } : {}),
  };
  const args = ["--read-only", "--persistent", "--shared=4", "--export-name=disk", `--socket=${socketPath}`];
  const child = start("qemu-nbd", [...args, `json:${JSON.stringify(options)}`], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { LC_ALL: "C" },
  });
  let said = "";
  let isOver = false;
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000);
  });
  const over = ended(child, "qemu-nbd").then(
    () => {
      isOver = true;
    },
    (error: unknown) => {
      isOver = true;
      said = error instanceof Error ? error.message : String(error);
    },
  );
  return { child, ended: over, said: () => said, hasEnded: () => isOver };
}

async function connectWhenReady(
  daemon: Daemon,
  path: string,
  format: ReadableFormat,
  socketPath: string,
  signal?: AbortSignal,
): Promise<NbdClient> {
  const client = await waitFor(
    `qemu-nbd for ${path}`,
    async () => {
      signal?.throwIfAborted();
      if (daemon.hasEnded()) throw fromQemu(path, format, daemon.said());
      if ((await disk.linkStatus(socketPath))?.isSocket !== true) return undefined;
      try {
        return await connectNbd({ socketPath, exportName: "disk", metaContexts: [allocation] }, signal);
      } catch (error) {
        if (isErrorCode(error, "NbdUnreachable")) return undefined; // its file is there before it listens
        throw error;
      }
    },
    startMilliseconds,
    10,
  );
  if (client.metaContexts.includes(allocation)) return client;
  await client.close();
  throw imageErrors.ImageUnreadable(`qemu-nbd does not say where ${path} holds data.`);
}

async function* extents(
  client: NbdClient,
  from: number,
  to: number,
  signal?: AbortSignal,
): AsyncGenerator<SourceExtent> {
  for await (const { offset, length, flags } of client.blockStatus(from, to - from, allocation, signal)) {
    yield { offset, length, kind: (flags & readsAsZero) === 0 ? "data" : "zero" };
  }
}
