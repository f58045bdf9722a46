// The rows that remember the stores.

import { resolve } from "node:path";
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
    await refuseShared(trx, record);
    await trx.insertInto("backup_stores").values(row).execute();
    return;
  }
  if (existing.location !== row.location || existing.hot !== row.hot || existing.key !== row.key) {
    throw storesErrors.BackupStoreExists(`The store ${record.name} exists already, elsewhere or under another key.`);
  }
  await trx.updateTable("backup_stores").set({ credential: row.credential }).where("name", "=", record.name).execute();
}

/** Two stores in one place would each take the other's points for what it has lost. */
async function refuseShared(trx: Transaction<Tables>, { location, hot }: StoreRecord): Promise<void> {
  const wanted = placesOf(location, hot);
  if (wanted.length === 0) return;
  for (const row of await trx.selectFrom("backup_stores").select(["name", "location", "hot"]).execute()) {
    const taken = placesOf(parseLocation(row.location), row.hot === null ? undefined : parseLocation(row.hot));
    const shared = wanted.find((place) => taken.includes(place));
    if (shared === undefined) continue;
    throw storesErrors.PlaceTaken(`${shared} is the place of the store ${row.name} already.`, {
      target: "properties.place",
    });
  }
}

/** Those that were named; a folder that we choose ourselves bears the store's name. */
function placesOf(...locations: readonly (StoreLocation | undefined)[]): string[] {
  return locations.flatMap((location) => {
    if (location === undefined) return [];
    if (location.kind === "folder") return location.path === undefined ? [] : [resolve(location.path)];
    const url = URL.parse(location.url);
    if (url === null) return [location.url];
    // Region and the like say how a place is reached; which it is, the endpoint says as well.
    const endpoint = url.searchParams.get("endpoint") ?? "";
    return [`${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")} ${endpoint}`.trim()];
  });
}

const parseLocation = (text: string): StoreLocation => storeLocation.parse(JSON.parse(text));

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
    location: parseLocation(row.location),
    hot: row.hot === null ? undefined : parseLocation(row.hot),
    credential:
      row.credential === null
        ? undefined
        : storeCredential.parse(JSON.parse(secretBox.open(row.credential).toString("utf8"))),
    key: storeKey.parse(JSON.parse(row.key)),
    createdAt: row.created_at,
  };
}
