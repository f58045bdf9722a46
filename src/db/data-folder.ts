// One process works on a data folder. The hold is a file lock of the kernel, taken through SQLite, so
// it ends with the process, however it ends, and no reused process number can be mistaken for it.
// Nothing else in this process may open the lock file: closing it would drop the lock.

import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { isoTime, type Clock } from "../lib/clock.ts";
import { defineErrors } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";
import { sleep } from "../lib/time.ts";

export const dataFolderErrors = defineErrors({
  DataFolderHeld: { status: 409, remedy: "Stop that process, or choose another folder with --data." },
});

export interface DataFolderHold extends AsyncDisposable {
  release(): Promise<void>;
}

const holderShape = z.object({ pid: z.number(), host: z.string(), since: z.number() });

/** Takes the folder or throws DataFolderHeld, which names who holds it. */
export async function holdDataFolder(folder: string, clock: Clock): Promise<DataFolderHold> {
  await disk.makeDirectory(folder);
  const lock = new DatabaseSync(join(folder, "holder.lock"), { timeout: 0 });
  try {
    lock.exec("begin exclusive");
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw error;
    throw dataFolderErrors.DataFolderHeld(`The data folder ${folder} is held by ${await describeHolder(folder)}.`, {
      cause: error,
    });
  }
  const card = join(folder, "holder.json");
  await disk.writeDurably(card, JSON.stringify({ pid: process.pid, host: hostname(), since: clock.now() }));
  const release = async (): Promise<void> => {
    if (!lock.isOpen) return;
    await disk.remove(card);
    lock.close();
  };
  return { release, [Symbol.asyncDispose]: release };
}

/** A holder writes its card just after it took the lock, so the card may be a moment late. */
async function describeHolder(folder: string): Promise<string> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    try {
      const card = holderShape.parse(JSON.parse((await disk.read(join(folder, "holder.json"))).toString("utf8")));
      return `process ${card.pid} on ${card.host} since ${isoTime(card.since)}`;
    } catch {
      await sleep(50);
    }
  }
  return "a process that has not said who it is";
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}
