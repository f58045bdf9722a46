// Helper guests under way, one for each recovery point and each who looks into it. A guest that nobody
// asks for some minutes ends; a point that is asked for again gets a new one.

import { join } from "node:path";
import { disk } from "../../lib/files.ts";
import { exportPointDisk, type PointName } from "../../store/index.ts";
import { readFromTiers } from "../points/tiers.ts";
import type { Stores } from "../stores/stores.ts";
import type { StoreName } from "../stores/store-name.ts";
import { fileRecoveryErrors } from "./errors.ts";
import { startHelper, type HelperSession } from "./helper-session.ts";
import { prepareHelper } from "./helper.ts";

export interface FileSessions extends AsyncDisposable {
  /** Uses the guest of a point; begins one when there is none. */
  use<T>(of: SessionOf, work: (session: HelperSession) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Like `use`, for what goes on after the call: a download that is being sent. */
  borrow(of: SessionOf, signal?: AbortSignal): Promise<BorrowedSession>;
  /** Ends the guest of a point, if it has one. */
  end(of: SessionOf): Promise<void>;
}

export interface SessionOf {
  readonly store: StoreName;
  readonly point: PointName;
  /** Only in the vault when absent. */
  readonly isInSnapshotTier?: boolean;
  readonly isInVaultTier?: boolean;
  /** Who looks: what one opened with a key, another does not see. */
  readonly owner: string;
}

export interface BorrowedSession extends Disposable {
  readonly session: HelperSession;
}

export interface FileSessionsOptions {
  /** The data folder: the guest's image and scratch files are kept below it. */
  readonly folder: string;
  readonly stores: Stores;
  readonly idleMilliseconds?: number;
  readonly atOnce?: number;
}

interface Running {
  readonly starting: Promise<HelperSession>;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

/** What running guests write, below the data folder. Of a service that died nothing there is needed. */
export const helperScratch = (folder: string): string => join(folder, "helper", "scratch");

export function openFileSessions(options: FileSessionsOptions): FileSessions {
  const { stores, idleMilliseconds = 5 * 60_000, atOnce = 4 } = options;
  const imageFolder = join(options.folder, "helper");
  const scratchFolder = helperScratch(options.folder);
  const running = new Map<string, Running>();
  const ending = new AbortController();

  const begin = async ({
    store: name,
    point: storePoint,
    isInSnapshotTier = false,
    isInVaultTier = true,
  }: SessionOf): Promise<HelperSession> => {
    const helper = await prepareHelper(imageFolder, ending.signal);
    await disk.makeDirectory(scratchFolder);
    await using ends = new AsyncDisposableStack();
    const opened = ends.use(await stores.open(name));
    const { store, point } = await readFromTiers(opened, { storePoint, isInSnapshotTier, isInVaultTier });
    const exports = await Promise.all(point.disks.map((each) => exportPointDisk(store, point, each.name)));
    const session = ends.use(await startHelper(exports, { helper, scratchFolder }, ending.signal));
    const owned = ends.move();
    return { ...session, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  };

  const end = async (key: string, entry: Running): Promise<void> => {
    clearTimeout(entry.idle);
    if (running.get(key) === entry) running.delete(key);
    const session = await entry.starting.catch(() => undefined);
    await session?.[Symbol.asyncDispose]();
  };

  /** Makes room when too many run: the one that nobody uses goes. */
  const makeRoom = async (): Promise<void> => {
    if (running.size < atOnce) return;
    const idle = [...running].find(([, { users }]) => users === 0);
    if (idle === undefined)
      throw fileRecoveryErrors.FileRecoverySessionsBusy(`${running.size} recovery points are looked into at once.`);
    await end(...idle);
  };

  const borrow = async (of: SessionOf, signal?: AbortSignal): Promise<BorrowedSession> => {
    const key = keyOf(of);
    let entry = running.get(key);
    if (entry === undefined) {
      await makeRoom();
      entry = running.get(key);
    }
    if (entry === undefined) {
      ending.signal.throwIfAborted();
      const fresh: Running = { starting: begin(of), users: 0, idle: undefined };
      running.set(key, fresh);
      fresh.starting.then(
        (session) => void session.ended.then(() => end(key, fresh)),
        () => running.delete(key),
      );
      entry = fresh;
    }
    const taken = entry;
    taken.users += 1;
    clearTimeout(taken.idle);
    let isGiven = false;
    const giveBack = (): void => {
      if (isGiven) return;
      isGiven = true;
      taken.users -= 1;
      if (taken.users > 0) return;
      taken.idle = setTimeout(() => void end(key, taken), idleMilliseconds);
      taken.idle.unref();
    };
    try {
      signal?.throwIfAborted();
      return { session: await taken.starting, [Symbol.dispose]: giveBack };
    } catch (error) {
      giveBack();
      throw error;
    }
  };

  return {
    borrow,
    use: async (of, work, signal) => {
      using borrowed = await borrow(of, signal);
      return await work(borrowed.session);
    },
    end: async (of) => {
      const key = keyOf(of);
      const entry = running.get(key);
      if (entry !== undefined) await end(key, entry);
    },
    [Symbol.asyncDispose]: async () => {
      // A guest that is still starting would take longer than the service has for its end.
      ending.abort(fileRecoveryErrors.FileRecoverySessionFailed("The service is ending."));
      await Promise.all([...running].map(([key, entry]) => end(key, entry)));
    },
  };
}

function keyOf({ store, point, owner }: SessionOf): string {
  return [store, point, owner].join("\n");
}
