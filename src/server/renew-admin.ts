// New credentials for the administrator of a data folder, written where the old ones stood.

import type { Database } from "../db/database.ts";
import { renewAdministrator } from "../identity/bootstrap.ts";
import { passwordHasher } from "../identity/directory/password-hash.ts";
import { dataFolder, writeAdmin } from "./data-folder.ts";

/** Who can sign in now, and the file that says how. */
export async function renewAdmin(database: Database, data: string): Promise<{ username: string; file: string }> {
  const { username } = await renewAdministrator(database, passwordHasher(), (secrets) => writeAdmin(data, secrets));
  return { username, file: dataFolder(data).admin };
}
