// Things that are costly to hold open: one instance of each for all who use it. What has users stays
// open; of the rest the few that were used last do.

export interface Share<T> extends AsyncDisposable {
  readonly value: T;
}

export interface Shared<T extends AsyncDisposable> extends AsyncDisposable {
  /** Opens it, or takes a share in the one that is open; disposing gives the share back. */
  take(name: string, open: () => Promise<T>): Promise<Share<T>>;
  /** Closes one that nobody uses. False when somebody does. */
  forget(name: string): Promise<boolean>;
}

interface Entry<T> {
  readonly opening: Promise<T>;
  shares: number;
}

/** `closed`: what is thrown once all of it has been disposed. */
export function shareOpened<T extends AsyncDisposable>(idleAtMost: number, closed: (name: string) => Error): Shared<T> {
  const entries = new Map<string, Entry<T>>();
  let isClosed = false;

  const close = async (name: string, entry: Entry<T>): Promise<void> => {
    if (entries.get(name) === entry) entries.delete(name);
    const opened = await entry.opening.catch(() => undefined); // who asked for it has heard of the failure
    await opened?.[Symbol.asyncDispose]();
  };

  const giveBack = async (name: string, entry: Entry<T>): Promise<void> => {
    entry.shares -= 1;
    if (entry.shares > 0 || entries.get(name) !== entry) return;
    entries.delete(name);
    entries.set(name, entry); // now the last of the idle ones to go
    const idle = [...entries].filter(([, { shares }]) => shares === 0);
    for (const [oldName, old] of idle.slice(0, Math.max(0, idle.length - idleAtMost))) await close(oldName, old);
  };

  return {
    take: async (name, open) => {
      if (isClosed) throw closed(name);
      let entry = entries.get(name);
      if (entry === undefined) {
        entry = { opening: open(), shares: 0 };
        entries.set(name, entry);
      }
      const taken = entry;
      taken.shares += 1;
      try {
        const value = await taken.opening;
        let isGiven = false;
        return {
          value,
          [Symbol.asyncDispose]: async () => {
            if (isGiven) return;
            isGiven = true;
            await giveBack(name, taken);
          },
        };
      } catch (error) {
        if (entries.get(name) === taken) entries.delete(name);
        throw error;
      }
    },
    forget: async (name) => {
      const entry = entries.get(name);
      if (entry === undefined) return true;
      if (entry.shares > 0) return false;
      await close(name, entry);
      return true;
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await Promise.all([...entries].map(([name, entry]) => close(name, entry)));
    },
  };
}
