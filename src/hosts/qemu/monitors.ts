// A QEMU monitor serves one client at a time, so within this process everybody who needs the same
// monitor shares one connection; the last one to leave closes it, because others may want it too.

import { connectQmp, type QmpConnection } from "./qmp.ts";

export interface MonitorLease extends Disposable {
  readonly qmp: QmpConnection;
}

export interface Monitors {
  lease(path: string, signal?: AbortSignal): Promise<MonitorLease>;
}

interface Shared {
  readonly opening: Promise<QmpConnection>;
  users: number;
}

export function openMonitors(): Monitors {
  const open = new Map<string, Shared>();

  const forget = (path: string, shared: Shared): void => {
    if (open.get(path) === shared) open.delete(path);
  };
  const connect = (path: string): Shared => {
    const shared: Shared = { opening: connectQmp(path), users: 0 };
    open.set(path, shared);
    shared.opening.then(
      (qmp) => qmp.ended.then(() => forget(path, shared)),
      () => forget(path, shared),
    );
    return shared;
  };

  return {
    lease: async (path, signal) => {
      signal?.throwIfAborted();
      const shared = open.get(path) ?? connect(path);
      shared.users += 1;
      let isReturned = false;
      const giveBack = (): void => {
        if (isReturned) return;
        isReturned = true;
        shared.users -= 1;
        if (shared.users > 0) return;
        forget(path, shared);
        shared.opening.then(
          (qmp) => qmp.close(),
          () => {},
        );
      };
      try {
        return { qmp: await shared.opening, [Symbol.dispose]: giveBack };
      } catch (error) {
        giveBack();
        throw error;
      }
    },
  };
}
