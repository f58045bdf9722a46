import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock } from "../../lib/clock.ts";
import { openDatabase, type Database } from "../database.ts";

/** A SQLite database in a folder of its own that goes away with `close`. */
export async function temporaryDatabase(clock: Clock = systemClock): Promise<Database & { readonly file: string }> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-db-"));
  const file = join(folder, "control.sqlite");
  const database = await openDatabase({ file, clock });
  const close = async (): Promise<void> => {
    await database.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { ...database, file, close, [Symbol.asyncDispose]: close };
}
