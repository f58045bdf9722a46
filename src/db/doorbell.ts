// Waiting for a channel without missing a ring: what rang since the last wait ends the next one at
// once. One waits at a time.

import type { Notices } from "./notices.ts";

export interface Doorbell extends Disposable {
  /** Ends at a ring, after `milliseconds`, or with the signal; never throws. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Rings this bell only. */
  ring(): void;
}

export function openDoorbell(notices: Notices, channel: string): Doorbell {
  let rung = false;
  let wake = (): void => {};
  const ring = (): void => {
    rung = true;
    wake();
  };
  const stop = notices.listen(channel, ring);
  return {
    ring,
    wait: async (milliseconds, signal) => {
      if (!rung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const finish = (): void => {
            clearTimeout(timer);
            signal.removeEventListener("abort", finish);
            wake = () => {};
            resolve();
          };
          const timer = setTimeout(finish, milliseconds);
          signal.addEventListener("abort", finish);
          wake = finish;
        });
      }
      rung = false;
    },
    [Symbol.dispose]: stop,
  };
}
