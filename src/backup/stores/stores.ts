// The stores of this service by name. A row says where a store is and which key opens it; its bytes
// can be opened without that row, with a key and the offline tool (docs/vault-format.md).

import { join, resolve } from "node:path";
import type { Database } from "../../db/database.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { faultPoint } from "../../lib/faults.ts";
import { disk } from "../../lib/files.ts";
import { randomBytes } from "../../lib/random.ts";
import type { SecretBox } from "../../lib/secret-box.ts";
import { shareOpened } from "../../lib/shared.ts";
import {
  addRecoveryKey,
  createVault,
  describeVault,
  exportConfig,
  importConfig,
  openVault,
  rekey,
  type KeyProvider,
  type ObjectStore,
  type Vault,
} from "../../store/index.ts";
import { hasConfig } from "../../store/keys/config-store.ts";
import { dropObjects } from "./drop-objects.ts";
import { storesErrors } from "./errors.ts";
import { openPlace, ownFolder, type StoreCredential, type StoreLocation } from "./location.ts";
import { agentsFor, checkPlace, realPlace, strictPlaces, type PlaceRules } from "./place-rules.ts";
import { findRecord, insertRecord, type StoreRecord } from "./rows.ts";
import type { KeyOfStore, StoreKey } from "./store-key.ts";
import { parseStoreName, type StoreName } from "./store-name.ts";

export interface StoreDraft {
  readonly location: StoreLocation;
  readonly credential?: StoreCredential;
  readonly hot?: StoreLocation;
  /** The platform's when absent. */
  readonly key?: StoreKey;
}

/** What stands open of one store; disposing gives it back. */
export interface OpenVaults extends AsyncDisposable {
  readonly vault: Vault;
  /** The tier before the vault, where the store has one. */
  readonly hot: Vault | undefined;
}

export interface Stores extends AsyncDisposable {
  /** Creates the store; doing it twice is no failure, so a creation that broke off is repeated. */
  create(name: StoreName, draft: StoreDraft, signal?: AbortSignal): Promise<void>;
  /** Takes over a store that another server made. `opener` opens it now, for example a recovery key; without it nobody attaches. */
  attach(name: StoreName, draft: StoreDraft, opener: KeyProvider, signal?: AbortSignal): Promise<void>;
  find(name: StoreName): Promise<Omit<StoreRecord, "credential"> | undefined>;
  /** Names that begin so, in order. */
  list(prefix: string): Promise<StoreName[]>;
  /** One instance in this process; disposing gives it back. Fails with BackupStoreUnknown. */
  open(name: StoreName): Promise<OpenVaults>;
  /** The store opens with `key` from now on, and no more with the one before. Data is not written again. */
  changeKey(name: StoreName, key: StoreKey, signal?: AbortSignal): Promise<void>;
  /** A new recovery key; it is shown once and kept nowhere. */
  addRecoveryKey(name: StoreName, signal?: AbortSignal): Promise<string>;
  /** Deletes every byte. Fails with BackupStoreInUse while it is open here. */
  drop(name: StoreName, signal?: AbortSignal): Promise<void>;
}

export interface StoresOptions {
  /** The data folder: stores without a place of their own are below it. */
  readonly folder: string;
  readonly database: Database;
  readonly secretBox: SecretBox;
  readonly keyOf: KeyOfStore;
  /** Threads for each open store; the number of cores when absent. */
  readonly workers?: number;
  /** How many stay open without a user; 4 when absent. */
  readonly idleAtMost?: number;
  /** Where stores may be; only below the data folder, and at services elsewhere, when absent. */
  readonly places?: PlaceRules;
  /** Accept file systems that are known to lose what they confirmed. */
  readonly trustFileSystem?: boolean;
}

const creationAttempts = 5;
const platform: StoreKey = { kind: "platform" };
/** Slots that this service names, by the kind of their key. */
const ownSlot = /^(?:platform|service)(?:-[0-9a-f]{8})?$/;

export function openStores(options: StoresOptions): Stores {
  const { folder, database, secretBox, keyOf, workers, trustFileSystem, places = strictPlaces } = options;
  const agents = agentsFor(places);
  const shared = shareOpened<OpenVaults>(options.idleAtMost ?? 4, (name) =>
    storesErrors.BackupStoresClosed(`The store ${name} cannot be opened any more.`),
  );

  const recordOf = async (name: StoreName): Promise<StoreRecord> => {
    const record = await findRecord(database.kysely, secretBox, name);
    if (record === undefined) throw storesErrors.BackupStoreUnknown(`There is no store ${name}.`);
    return record;
  };
  const placeOf = ({ name, location, credential }: StoreRecord, create: boolean): Promise<ObjectStore> =>
    openPlace(location, { folder: join(folder, name), create, trustFileSystem, credential, agents });
  const hotPlaceOf = async ({ name, hot }: StoreRecord, create: boolean): Promise<ObjectStore | undefined> =>
    hot &&
    openPlace(hot, { folder: join(folder, "hot", name), create, trustFileSystem, credential: undefined, agents });

  const draftRecord = (name: StoreName, draft: StoreDraft): StoreRecord => ({
    name,
    location: draft.location,
    hot: draft.hot,
    credential: draft.credential,
    key: draft.key ?? platform,
    createdAt: database.clock.now(),
  });

  /** A folder that we chose for a store is named for no other: what was named before, its row refuses. */
  const refuseOwnFolders = async ({ name, location, hot }: StoreRecord): Promise<void> => {
    const named = [location, hot].flatMap((one) => (one?.kind === "folder" ? (one.path ?? []) : []));
    const wanted = await Promise.all(named.map((path) => realPlace(resolve(path))));
    if (wanted.length === 0) return;
    for (const other of await database.kysely.selectFrom("backup_stores").select("name").execute()) {
      if (other.name === name) continue;
      for (const own of [join(folder, other.name), join(folder, "hot", other.name)]) {
        if (!wanted.includes(await realPlace(own))) continue;
        throw storesErrors.PlaceTaken(`${own} is the place of the store ${other.name} already.`, {
          target: "properties.place",
        });
      }
    }
  };

  const openAll = async (name: StoreName): Promise<OpenVaults> => {
    const record = await recordOf(name);
    const provider = await keyOf(record.key, name);
    await using ends = new AsyncDisposableStack();
    const place = ends.use(await placeOf(record, false));
    const vault = ends.use(await openVault(place, provider, { clock: database.clock, workers }));
    const hotPlace = await hotPlaceOf(record, false);
    let hot;
    if (hotPlace !== undefined) {
      ends.use(hotPlace);
      const hotOptions = { clock: database.clock, workers, fallback: place };
      hot = ends.use(await openVault(hotPlace, provider, hotOptions));
    }
    const owned = ends.move();
    return { vault, hot, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  };

  const createOnce = async (name: StoreName, draft: StoreDraft, signal: AbortSignal | undefined): Promise<void> => {
    await checkPlace(places, folder, draft);
    const record = draftRecord(name, draft);
    await refuseOwnFolders(record);
    const provider = await keyOf(record.key, name);
    await database.transaction((trx) => insertRecord(trx, secretBox, record));
    await using place = await placeOf(record, true);
    await makeVault(place, provider, record.key.kind, database, signal);
    await using hotPlace = await hotPlaceOf(record, true);
    if (hotPlace !== undefined) await copyConfig(place, hotPlace, provider, signal);
  };

  /** A key that lives elsewhere may have been taken away since the store was opened. */
  const mayBeOpened = async (name: StoreName): Promise<void> => {
    const record = await recordOf(name);
    if (record.key.kind === "platform") return;
    await using place = await placeOf(record, false);
    await using _vault = await openVault(place, await keyOf(record.key, name), {});
  };

  return {
    create: async (name, draft, signal) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await createOnce(name, draft, signal);
        } catch (error) {
          // Somebody else makes it in the same moment: what they made is found by trying again.
          if (!isErrorCode(error, "ConfigChanged") || attempt === creationAttempts) throw error;
        }
      }
    },
    attach: async (name, draft, opener, signal) => {
      await checkPlace(places, folder, draft);
      const record = draftRecord(name, draft);
      await refuseOwnFolders(record);
      const provider = await keyOf(record.key, name);
      await using place = await placeOf(record, false);
      // Our own key opens whatever we made: who attaches must have one himself.
      await using _theirs = await openVault(place, opener, {}, signal);
      const slot = `${record.key.kind}-${randomBytes(4).toString("hex")}`;
      if (!(await opens(place, provider, signal))) await rekey(place, opener, { slots: { [slot]: provider } }, signal);
      await using hotPlace = await hotPlaceOf(record, true);
      if (hotPlace !== undefined) await copyConfig(place, hotPlace, provider, signal);
      await database.transaction((trx) => insertRecord(trx, secretBox, record));
    },
    find: async (name) => {
      const record = await findRecord(database.kysely, secretBox, name);
      if (record === undefined) return undefined;
      const { credential: _, ...shown } = record;
      return shown;
    },
    list: async (prefix) => {
      const rows = await database.kysely.selectFrom("backup_stores").select("name").orderBy("name").execute();
      return rows.filter(({ name }) => name.startsWith(prefix)).map(({ name }) => parseStoreName(name));
    },
    open: async (name) => {
      await mayBeOpened(name);
      const share = await shared.take(name, () => openAll(name));
      return { ...share.value, [Symbol.asyncDispose]: () => share[Symbol.asyncDispose]() };
    },
    changeKey: async (name, key, signal) => {
      const record = await recordOf(name);
      const [before, next] = [await keyOf(record.key, name), await keyOf(key, name)];
      await using place = await placeOf(record, false);
      await using hotPlace = await hotPlaceOf(record, false);
      const slot = `${key.kind}-${randomBytes(4).toString("hex")}`;
      // Both open it until the row says which: a process that dies in between loses nothing.
      await rekey(place, before, { slots: { [slot]: next } }, signal);
      faultPoint("stores.key-added");
      if (hotPlace !== undefined) await importConfig(hotPlace, await exportConfig(place, signal), next, signal);
      await database.kysely
        .updateTable("backup_stores")
        .set({ key: JSON.stringify(key) })
        .where("name", "=", name)
        .execute();
      faultPoint("stores.key-chosen");
      // Whatever changes that broke off have left goes too; recovery keys stay.
      const { slots } = await describeVault(place, signal);
      const others = slots.map((known) => known.name).filter((other) => ownSlot.test(other) && other !== slot);
      await rekey(place, next, { slots: Object.fromEntries(others.map((other) => [other, undefined])) }, signal);
      faultPoint("stores.key-removed");
      if (hotPlace !== undefined) await importConfig(hotPlace, await exportConfig(place, signal), next, signal);
      await shared.forget(name);
    },
    addRecoveryKey: async (name, signal) => {
      const record = await recordOf(name);
      const provider = await keyOf(record.key, name);
      await using place = await placeOf(record, false);
      const printed = await addRecoveryKey(place, provider, signal);
      await using hotPlace = await hotPlaceOf(record, false);
      if (hotPlace !== undefined) await importConfig(hotPlace, await exportConfig(place, signal), provider, signal);
      return printed;
    },
    drop: async (name, signal) => {
      const record = await findRecord(database.kysely, secretBox, name);
      if (record === undefined) return;
      if (!(await shared.forget(name))) throw storesErrors.BackupStoreInUse(`The store ${name} is in use.`);
      await using place = await placeOf(record, true);
      await using hotPlace = await hotPlaceOf(record, true);
      for (const each of hotPlace === undefined ? [place] : [hotPlace, place]) {
        // A bucket that is gone has taken its objects with it.
        await dropObjects(each, signal).catch(unlessMissing);
      }
      for (const own of [
        ownFolder(record.location, folder, name),
        record.hot && ownFolder(record.hot, join(folder, "hot"), name),
      ]) {
        if (own !== undefined) await disk.removeTree(own);
      }
      await database.kysely.deleteFrom("backup_stores").where("name", "=", name).execute();
    },
    [Symbol.asyncDispose]: async () => {
      await shared[Symbol.asyncDispose]();
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

/** A vault that is there and opens with our key is the one that an earlier attempt made. */
async function makeVault(
  place: ObjectStore,
  provider: KeyProvider,
  slotName: string,
  database: Database,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await createVault(place, provider, { slotName, clock: database.clock }, signal);
  } catch (error) {
    if (!isErrorCode(error, "VaultExists") || !(await opens(place, provider, signal))) throw error;
  }
}

async function opens(place: ObjectStore, provider: KeyProvider, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await using _vault = await openVault(place, provider, {}, signal);
    return true;
  } catch (error) {
    if (isErrorCode(error, "WrongKey")) return false;
    throw error;
  }
}

function unlessMissing(error: unknown): void {
  if (!isErrorCode(error, "StoreMissing")) throw error;
}

/** Both tiers are one vault: the same id, the same keys. */
async function copyConfig(
  from: ObjectStore,
  to: ObjectStore,
  provider: KeyProvider,
  signal: AbortSignal | undefined,
): Promise<void> {
  if ((await hasConfig(to, signal)) && (await opens(to, provider, signal))) return;
  await importConfig(to, await exportConfig(from, signal), provider, signal);
}
