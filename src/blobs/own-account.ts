// Accounts of the service itself: it signs URLs with their keys, which nobody else ever has. They belong
// to no resource, and are there from the first start on, so that nobody else can have their names.

import type { Database } from "../db/database.ts";
import type { Blobs } from "./blobs.ts";
import { blobErrors } from "./errors.ts";
import { findAccount, insertAccount } from "./rows/account.ts";

const noScope = "";

/** Throws AccountAlreadyExists when the account is somebody's resource: whoever has its keys could sign, too. */
export async function ensureOwnAccount(database: Database, { store }: Blobs, name: string): Promise<void> {
  await database.transaction(async (trx) => {
    const present = await findAccount(trx, store.secretBox, name);
    if (present === undefined) {
      await insertAccount(trx, store.secretBox, { name, scope: noScope, allowsSharedKey: true, admitted: "all" });
    } else if (present.scope !== noScope) {
      throw blobErrors.AccountAlreadyExists(
        `The service keeps an account '${name}' of its own, but it belongs to ${present.scope}. Delete that storage account.`,
      );
    }
  });
}
