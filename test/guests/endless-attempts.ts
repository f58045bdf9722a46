// Takes one snapshot of a machine after the other, reads a little of each and gives it up, until it is
// told to stop or killed. As a program it prints a line at each beginning.
//   node endless-attempts.ts FOLDER MACHINE CHAIN [SINCE]

import type { Host, SnapshotRequest } from "../../src/hosts/host.ts";
import { openQemuHost } from "../../src/hosts/qemu/host.ts";
import { HoldfastError } from "../../src/lib/errors.ts";
import { sleep } from "../../src/lib/time.ts";
import { openDisk } from "./rig.ts";

export interface Attempts {
  readonly host: Host;
  readonly machineId: string;
  readonly request: Pick<SnapshotRequest, "chain" | "since">;
  readonly begins?: () => void;
}

export async function attemptUntil(stop: AbortSignal, { host, machineId, request, begins }: Attempts): Promise<void> {
  const piece = Buffer.alloc(1024 * 1024);
  for (let number = 1; !stop.aborted; number += 1) {
    begins?.();
    try {
      const point = `attempt-${number}`;
      await using session = await host.snapshot(machineId, { ...request, consistency: "fileSystem", point });
      for (const disk of session.disks) {
        await using client = await openDisk(disk);
        for (let at = 0; at < 8 && !stop.aborted; at += 1) await client.read(piece, at * piece.length);
      }
    } catch (error) {
      // What is killed refuses; that is what these attempts are for.
      if (!(error instanceof HoldfastError) && !(error instanceof SuppressedError)) throw error;
      await sleep(100);
    }
  }
}

if (import.meta.main) {
  const [, , socketFolder = "", machineId = "", chain = "", since] = process.argv;
  await attemptUntil(new AbortController().signal, {
    host: openQemuHost({ socketFolder }),
    machineId,
    request: { chain, since: since === undefined ? undefined : (JSON.parse(since) as SnapshotRequest["since"]) },
    begins: () => process.stdout.write("begins\n"),
  });
}
