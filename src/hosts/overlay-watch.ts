// Keeps the guest running whatever its writes do to our overlays. While a snapshot is read, QEMU
// copies what the guest overwrites into them; if that cannot be written, QEMU stops the guest. So
// the snapshot is given up well before: at the limit, or when the scratch folder runs low. Should
// QEMU still stop the guest for want of room, the snapshot goes and the guest continues.

import { disk } from "../lib/files.ts";
import { sleep } from "../lib/time.ts";
import { hostErrors } from "./errors.ts";

export interface WatchedMachine {
  /** Calls `listener` when QEMU stops the guest for want of room; returns what ends that. */
  onNoRoom(listener: () => void): () => void;
  /** Lets the guest go on once the snapshot is gone; `wasStopped` when its stop was heard of. */
  goOn(wasStopped: boolean): Promise<void>;
}

export interface OverlayWatch {
  /** Aborted with the reason when the snapshot must be given up. */
  readonly full: AbortSignal;
  stop(): Promise<void>;
}

export interface OverlayLimits {
  readonly paths: readonly string[];
  readonly scratchFolder: string;
  readonly limitBytes: number;
}

/** Free room below which the scratch folder counts as full. */
export const scratchReserve = 64 * 1024 * 1024;
const lookEveryMilliseconds = 200;

export function watchOverlays(
  machine: WatchedMachine,
  { paths, scratchFolder, limitBytes }: OverlayLimits,
  giveUp: () => Promise<void>,
): OverlayWatch {
  const full = new AbortController();
  const stopping = new AbortController();
  let giving: Promise<void> | undefined;
  let wasStopped = false;

  const give = (why: string): void => {
    full.abort(hostErrors.SnapshotOverlayFull(`The snapshot was given up so that the machine can run on: ${why}.`));
    giving ??= giveUp()
      .catch(() => {}) // the session's own end tries again
      .then(() => machine.goOn(wasStopped))
      .catch(() => {});
  };
  const stopListening = machine.onNoRoom(() => {
    const isLate = giving !== undefined;
    wasStopped = true;
    give("the host had no room for what the machine overwrites");
    if (isLate) giving = giving?.then(() => machine.goOn(true)).catch(() => {});
  });
  const look = async (): Promise<void> => {
    while (!stopping.signal.aborted && !full.signal.aborted) {
      let used = 0;
      for (const path of paths) used += (await disk.status(path))?.allocated ?? 0;
      if (used > limitBytes) give(`what it overwrote takes ${used} bytes of the ${limitBytes} allowed`);
      else if ((await disk.freeBytes(scratchFolder)) < scratchReserve)
        give(`${scratchFolder} has less than ${scratchReserve} bytes left`);
      else await sleep(lookEveryMilliseconds, stopping.signal);
    }
  };
  const looking = look().catch((error) => {
    if (!stopping.signal.aborted) give(error instanceof Error ? error.message : String(error));
  });
  return {
    full: full.signal,
    stop: async () => {
      stopping.abort();
      stopListening();
      await looking;
      await giving;
    },
  };
}
