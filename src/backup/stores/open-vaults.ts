// The stores that are open in this process: one instance each, shared by all who use it. A store with
// users stays open; of those without, the few that were used last do, because threads and index cost
// memory.

import type { Vault } from "../../store/index.ts";
import { storesErrors } from "./errors.ts";

/** What stands open of one store. */
export interface OpenVaults extends AsyncDisposable {
  readonly vault: Vault;
  /** The tier before the vault, where the store has one. */
  readonly hot: Vault | undefined;
}

export interface SharedVaults extends AsyncDisposable {
  /** Opens it, or takes a share in the one that is open; disposing gives the share back. */
  take(name: string, open: () => Promise<OpenVaults>): Promise<OpenVaults>;
  /** Closes an idle one, so that nobody finds it; fails with BackupStoreInUse while somebody has a share. */
  forget(name: string): Promise<void>;
}

interface Entry {
  readonly opening: Promise<OpenVaults>;
  shares: number;
}

export function shareVaults(idleAtMost: number): SharedVaults {
  const entries = new Map<string, Entry>();
  let isClosed = false;

  const close = async (name: string, entry: Entry): Promise<void> => {
    if (entries.get(name) === entry) entries.delete(name);
    const opened = await entry.opening.catch(() => undefined); // who asked for it has heard of the failure
    await opened?.[Symbol.asyncDispose]();
  };

  const giveBack = async (name: string, entry: Entry): Promise<void> => {
    entry.shares -= 1;
    if (entry.shares > 0 || entries.get(name) !== entry) return;
    entries.delete(name);
    entries.set(name, entry); // now the last of the idle ones to go
    const idle = [...entries].filter(([, { shares }]) => shares === 0);
    for (const [oldName, old] of idle.slice(0, Math.max(0, idle.length - idleAtMost))) await close(oldName, old);
  };

  return {
    take: async (name, open) => {
      if (isClosed) throw storesErrors.BackupStoresClosed(`The store ${name} cannot be opened any more.`);
      let entry = entries.get(name);
      if (entry === undefined) {
        entry = { opening: open(), shares: 0 };
        entries.set(name, entry);
      }
      const taken = entry;
      taken.shares += 1;
      try {
        const { vault, hot } = await taken.opening;
        let isGiven = false;
        return {
          vault,
          hot,
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
      if (entry === undefined) return;
      if (entry.shares > 0) throw storesErrors.BackupStoreInUse(`The store ${name} is in use.`);
      await close(name, entry);
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await Promise.all([...entries].map(([name, entry]) => close(name, entry)));
    },
  };
}
