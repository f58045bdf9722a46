// A disk of a snapshot session as something the store reads: through NBD, only where it holds
// something, and only what changed where that is known. Where the same bytes lie in a file, they are
// read from there, without a second process and a socket between.

import type { SnapshotDisk } from "../../hosts/host.ts";
import { disk as files } from "../../lib/files.ts";
import { connectNbd, type NbdClient } from "../../nbd/client.ts";
import type { DiskSource } from "../../store/index.ts";
import type { SourceExtent } from "../../store/sources/disk-source.ts";
import { collectDirtyRuns } from "./dirty-runs.ts";
import { captureErrors } from "./errors.ts";
import type { GovernedReads } from "./govern-reads.ts";

export interface SnapshotSource extends DiskSource, AsyncDisposable {
  /** What there is to look at, holes included. */
  readonly bytesExpected: number;
}

const allocation = "base:allocation";
const readsAsZero = 2;

export async function openSnapshotSource(
  taken: SnapshotDisk,
  { gate, requestsInFlight }: Pick<GovernedReads, "gate" | "requestsInFlight">,
  signal?: AbortSignal,
): Promise<SnapshotSource> {
  const { disk, address, exportName, rawPath, changes } = taken;
  const metaContexts = changes.known ? [allocation, changes.metaContext] : [allocation];
  const client = await connectNbd({ ...address, exportName, metaContexts, requestsInFlight }, signal);
  try {
    if (changes.known && !client.metaContexts.includes(changes.metaContext)) {
      throw captureErrors.ExportUnusable(
        `The export of the disk "${disk.id}" does not tell its changes (${changes.metaContext}).`,
      );
    }
    const dirty = changes.known
      ? await collectDirtyRuns(
          client.blockStatus(0, client.size, changes.metaContext, signal),
          changes.grownFrom,
          client.size,
        )
      : undefined;
    const tellsHoles = client.metaContexts.includes(allocation);
    const raw = rawPath === undefined ? undefined : await files.open(rawPath, "read");
    const read: NbdClient["read"] = async (into, offset, readSignal) => {
      // The end of a file that is no whole number of sectors is the server's to fill up.
      if ((await raw?.read(into, offset)) !== into.length) await client.read(into, offset, readSignal);
    };
    return {
      size: client.size,
      dirty,
      bytesExpected: dirty === undefined ? client.size : dirty.reduce((sum, { length }) => sum + length, 0),
      read: (into, offset, readSignal) => gate.run(() => read(into, offset, readSignal), readSignal),
      extents: tellsHoles ? (from, to, listSignal) => holes(client, from, to, listSignal) : undefined,
      [Symbol.asyncDispose]: async () => {
        await raw?.close();
        await client.close();
      },
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}

async function* holes(client: NbdClient, from: number, to: number, signal?: AbortSignal): AsyncGenerator<SourceExtent> {
  for await (const { offset, length, flags } of client.blockStatus(from, to - from, allocation, signal)) {
    yield { offset, length, kind: (flags & readsAsZero) === 0 ? "data" : "zero" };
  }
}
