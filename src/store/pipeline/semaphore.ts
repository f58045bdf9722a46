// Counting permits; whoever waits is served in order.

export interface Semaphore {
  take(signal?: AbortSignal): Promise<void>;
  give(): void;
}

export function openSemaphore(permits: number): Semaphore {
  let free = permits;
  const waiting: (() => void)[] = [];
  return {
    take: async (signal) => {
      signal?.throwIfAborted();
      if (free > 0) {
        free -= 1;
        return;
      }
      await new Promise<void>((resolve, reject) => {
        const abandon = (): void => {
          waiting.splice(waiting.indexOf(proceed), 1);
          reject(signal?.reason);
        };
        const proceed = (): void => {
          signal?.removeEventListener("abort", abandon);
          resolve();
        };
        waiting.push(proceed);
        signal?.addEventListener("abort", abandon, { once: true });
      });
    },
    give: () => {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    },
  };
}
