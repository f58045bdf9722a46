// Disks of a point behind our NBD server at one socket, for a machine that runs from them. The socket's
// path stays the same over restarts of the service: QEMU connects again when it was cut off.

import { join } from "node:path";
import { disk } from "../../lib/files.ts";
import type { NbdAddress } from "../../nbd/address.ts";
import { serveNbd } from "../../nbd/server.ts";
import { exportPointDisk, type Point, type Vault } from "../../store/index.ts";

export interface ServedPoint extends AsyncDisposable {
  readonly address: NbdAddress;
  /** Names of the exports: those of the disks. */
  readonly exportNames: readonly string[];
}

/** A boot reads here and there: what it read is kept, so that it is not fetched again. */
const cacheBytes = 128 * 1024 * 1024;

export async function servePoint(
  vault: Vault,
  point: Point,
  disks: readonly string[],
  folder: string,
): Promise<ServedPoint> {
  await disk.makeDirectory(folder, 0o700);
  const socketPath = join(folder, "point.sock");
  const options = { cacheBytes: Math.floor(cacheBytes / Math.max(1, disks.length)) };
  const exports = await Promise.all(disks.map((name) => exportPointDisk(vault, point, name, name, options)));
  const server = await serveNbd({ listen: { socketPath }, exports });
  // Where QEMU runs as another user, the folder is that user's.
  const owner = (await disk.status(folder))?.owner;
  if (owner !== undefined) await disk.changeOwner(socketPath, owner);
  return {
    address: { socketPath },
    exportNames: exports.map(({ name }) => name),
    [Symbol.asyncDispose]: () => server.close(),
  };
}
