// The rows that remember the stores.

import type { Kysely, Transaction } from "kysely";
import type { BackupStoreRow } from "../../db/schema/disks.ts";
import type { Tables } from "../../db/schema.ts";
import type { SecretBox } from "../../lib/secret-box.ts";
import { storesErrors } from "./errors.ts";
import { storeCredential, storeLocation, type StoreCredential, type StoreLocation } from "./location.ts";
import { storeKey, type StoreKey } from "./store-key.ts";
import type { StoreName } from "./store-name.ts";

export interface StoreRecord {
  readonly name: StoreName;
  readonly location: StoreLocation;
  /** A local tier before it: what is captured is durable there first. */
  readonly hot: StoreLocation | undefined;
  readonly credential: StoreCredential | undefined;
  readonly key: StoreKey;
  readonly createdAt: number;
}

export async function findRecord(
  reader: Kysely<Tables>,
  secretBox: SecretBox,
  name: StoreName,
): Promise<StoreRecord | undefined> {
  const row = await reader.selectFrom("backup_stores").selectAll().where("name", "=", name).executeTakeFirst();
  return row === undefined ? undefined : fromRow(row, secretBox, name);
}

/** Inserts the record, or finds the same one there. */
export async function insertRecord(trx: Transaction<Tables>, secretBox: SecretBox, record: StoreRecord): Promise<void> {
  const row = toRow(record, secretBox);
  const existing = await trx.selectFrom("backup_stores").selectAll().where("name", "=", record.name).executeTakeFirst();
  if (existing === undefined) {
    await trx.insertInto("backup_stores").values(row).execute();
    return;
  }
  if (existing.location !== row.location || existing.hot !== row.hot || existing.key !== row.key) {
    throw storesErrors.BackupStoreExists(`The store ${record.name} exists already, elsewhere or under another key.`);
  }
  await trx.updateTable("backup_stores").set({ credential: row.credential }).where("name", "=", record.name).execute();
}

function toRow(record: StoreRecord, secretBox: SecretBox): BackupStoreRow {
  const { name, location, hot, credential, key, createdAt } = record;
  return {
    name,
    location: JSON.stringify(location),
    hot: hot === undefined ? null : JSON.stringify(hot),
    credential: credential === undefined ? null : secretBox.seal(Buffer.from(JSON.stringify(credential))),
    key: JSON.stringify(key),
    created_at: createdAt,
  };
}

function fromRow(row: BackupStoreRow, secretBox: SecretBox, name: StoreName): StoreRecord {
  return {
    name,
    location: storeLocation.parse(JSON.parse(row.location)),
    hot: row.hot === null ? undefined : storeLocation.parse(JSON.parse(row.hot)),
    credential:
      row.credential === null
        ? undefined
        : storeCredential.parse(JSON.parse(secretBox.open(row.credential).toString("utf8"))),
    key: storeKey.parse(JSON.parse(row.key)),
    createdAt: row.created_at,
  };
}
