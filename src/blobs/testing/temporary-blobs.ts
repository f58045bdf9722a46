import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporaryDatabase } from "../../db/testing/temporary-database.ts";
import { systemClock, type Clock } from "../../lib/clock.ts";
import { randomBytes } from "../../lib/random.ts";
import { secretBox } from "../../lib/secret-box.ts";
import { openBlobs, type Blobs } from "../blobs.ts";
import { insertAccount } from "../rows/account.ts";

export interface TemporaryBlobs extends AsyncDisposable {
  readonly blobs: Blobs;
  readonly folder: string;
}

/** A blob store with the account `account` and the container `box`. */
export async function temporaryBlobs(clock: Clock = systemClock): Promise<TemporaryBlobs> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-blobs-"));
  const database = await temporaryDatabase(clock);
  const box = secretBox(randomBytes(32));
  const failures: unknown[] = [];
  const blobs = await openBlobs({
    database,
    secretBox: box,
    folder,
    origin: () => "https://localhost:1",
    report: (error) => failures.push(error),
  });
  await database.transaction((trx) =>
    insertAccount(trx, box, { name: "account", scope: "/accounts/account", allowsSharedKey: true, admitted: "all" }),
  );
  await blobs.ensureContainer({ account: "account", container: "box" });
  return {
    blobs,
    folder,
    [Symbol.asyncDispose]: async () => {
      await blobs[Symbol.asyncDispose]();
      await database.close();
      await rm(folder, { recursive: true, force: true });
      if (failures.length > 0) throw failures[0];
    },
  };
}
