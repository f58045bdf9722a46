// Somebody who looks for work when told that there may be some. One look runs at a time; being told during
// a look makes one more follow, because that look may have passed the new work already.

export interface Watcher {
  readonly wake: () => void;
  /** The look that runs now has ended. */
  settled(): Promise<void>;
}

/** Nothing begins after `signal`. */
export function lookWhenWoken(
  look: () => Promise<void>,
  report: (error: unknown) => void,
  signal: AbortSignal,
): Watcher {
  let looking: Promise<void> | undefined;
  let lookOnceMore = false;
  const wake = (): void => {
    if (signal.aborted) return;
    if (looking !== undefined) {
      lookOnceMore = true;
      return;
    }
    looking = look()
      .catch(report)
      .finally(() => {
        looking = undefined;
        if (!lookOnceMore) return;
        lookOnceMore = false;
        wake();
      });
  };
  return { wake, settled: async () => looking };
}
