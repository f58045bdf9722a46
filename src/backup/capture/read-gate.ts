// Through which a backup's reads of one machine go: all at once at full speed; one after the other with
// pauses between them at less; none while it rests.

import { monotonicMilliseconds } from "../../lib/clock.ts";

export interface ReadGate {
  run(read: () => Promise<void>, signal?: AbortSignal): Promise<void>;
  /** The share of the time that reads may take. */
  setShare(share: number): void;
  /** Lets nothing in any more; settles when nothing is under way. */
  rest(): Promise<void>;
  goOn(): void;
}

interface Waiting {
  readonly enter: () => void;
}

export function openReadGate(): ReadGate {
  const waiting = new Set<Waiting>();
  let share = 1;
  let isResting = false;
  let running = 0;
  let notBefore = 0;
  let timer: NodeJS.Timeout | undefined;
  let onQuiet: (() => void) | undefined;

  /** Whether the next read may begin; where only time is missing, it is looked at again then. */
  function mayEnter(): boolean {
    if (isResting) return false;
    if (share === 1) return true;
    if (running > 0) return false;
    const wait = notBefore - monotonicMilliseconds();
    if (wait <= 0) return true;
    clearTimeout(timer);
    timer = setTimeout(admit, wait);
    return false;
  }

  function admit(): void {
    for (const next of waiting) {
      if (!mayEnter()) return;
      waiting.delete(next);
      running += 1;
      next.enter();
    }
  }

  function turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        waiting.delete(entry);
        reject(signal?.reason);
      };
      const entry: Waiting = {
        enter: () => {
          signal?.removeEventListener("abort", abort);
          resolve();
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      waiting.add(entry);
      admit();
    });
  }

  return {
    run: async (read, signal) => {
      signal?.throwIfAborted();
      await turn(signal);
      const begun = monotonicMilliseconds();
      try {
        await read();
      } finally {
        running -= 1;
        const now = monotonicMilliseconds();
        notBefore = now + (now - begun) * (1 / share - 1);
        if (running === 0) onQuiet?.();
        admit();
      }
    },
    setShare: (wanted) => {
      share = wanted;
      admit();
    },
    rest: () => {
      isResting = true;
      if (running === 0) return Promise.resolve();
      return new Promise((resolve) => {
        onQuiet = resolve;
      });
    },
    goOn: () => {
      isResting = false;
      admit();
    },
  };
}
