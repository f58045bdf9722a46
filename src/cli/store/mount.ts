// `store mount`: a point's disks over NBD, read-only, until it is interrupted.

import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { disk } from "../../lib/files.ts";
import { newGuid } from "../../lib/random.ts";
import { nbdUri, type NbdAddress } from "../../nbd/address.ts";
import { serveNbd } from "../../nbd/server.ts";
import { exportPointDisk, type Point } from "../../store/index.ts";
import { amount } from "./amounts.ts";
import { print, withVault, type VaultAccess } from "./context.ts";
import { toolErrors } from "./errors.ts";
import { findPoint } from "./find-point.ts";

interface MountOptions extends VaultAccess {
  readonly point: string;
  readonly disk?: string;
  readonly socket?: string;
  readonly listen?: string;
}

export function mountPoint(options: MountOptions): Promise<void> {
  if (options.socket !== undefined && options.listen !== undefined) {
    throw toolErrors.UsageInvalid("--socket and --listen: only one of them can be given.");
  }
  return withVault(options, "read", async (vault, signal) => {
    const point = await findPoint(vault, options.point, signal);
    const names = point.disks.map(({ name }) => name).filter((name) => (options.disk ?? name) === name);
    const exports = await Promise.all(names.map((name) => exportPointDisk(vault, point, options.disk ?? name)));
    if (exports.length === 0) throw toolErrors.UsageInvalid(`${point.name} has no disk ${options.disk ?? "at all"}.`);
    const folder = join(tmpdir(), `holdfast-mount-${newGuid()}`);
    const listen = await addressOf(options, folder);
    try {
      await using server = await serveNbd({ listen, exports });
      const uris = exports.map(({ name, size }) => ({ disk: name, size, uri: nbdUri(server.address, name) }));
      print(options, { point: point.name, disks: uris }, explain(point, uris));
      await until(signal);
    } finally {
      await disk.removeTree(folder);
    }
  });
}

async function addressOf({ socket, listen }: MountOptions, folder: string): Promise<NbdAddress> {
  if (listen !== undefined) {
    const match = /^(?:(.+):)?(\d{1,5})$/.exec(listen);
    const port = Number(match?.[2]);
    if (match === null || port > 65535) throw toolErrors.UsageInvalid(`--listen ${listen}: [HOST:]PORT is needed.`);
    return { host: match[1]?.replace(/^\[(.*)\]$/, "$1") ?? "127.0.0.1", port };
  }
  if (socket !== undefined) return { socketPath: resolve(socket) };
  // A folder that only its owner may enter: a socket of the content of disks is as secret as the disks.
  await disk.makeDirectory(folder, 0o700);
  return { socketPath: join(folder, "nbd.sock") };
}

function explain(point: Point, uris: readonly { disk: string; size: number; uri: string }[]): string {
  const [first] = uris;
  return [
    `${point.name} is served read-only:`,
    ...uris.map(({ disk: name, size, uri }) => `  ${name} (${amount(size)})  ${uri}`),
    "For example:",
    `  guestfish --ro --format=raw -a '${first?.uri}' -i          look at its files, without mounting them here`,
    `  qemu-img convert -f raw -O qcow2 '${first?.uri}' disk.qcow2   take the whole disk`,
    `  qemu-system-x86_64 -snapshot -drive 'file=${first?.uri},format=raw' …   boot it; writes are thrown away`,
    "Ctrl-C ends it.",
  ].join("\n");
}

function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
