import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Database } from "../../db/database.ts";
import { openDatabase } from "../../db/database.ts";
import { describeEachDialect } from "../../db/testing/each-dialect.ts";
import { temporaryDatabase } from "../../db/testing/temporary-database.ts";
import { systemClock } from "../../lib/clock.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { newGuid, randomBytes } from "../../lib/random.ts";
import { secretBox } from "../../lib/secret-box.ts";
import { openFsStore } from "../../store/backends/fs.ts";
import { keyFromBytes, listPoints, openVault, parseRecoveryKey } from "../../store/index.ts";
import { backUp, bufferSource, patterned, restore } from "../../store/testing/vaults.ts";
import { strictPlaces } from "./place-rules.ts";
import { platformKeyOf } from "./store-key.ts";
import { collectionStore, parseStoreName, vaultStore } from "./store-name.ts";
import { openStores, type Stores, type StoresOptions } from "./stores.ts";

const platformKey = randomBytes(32);
const content = patterned(300_000, 1);

function storesOf(database: Database, folder: string, more: Partial<StoresOptions> = {}): Stores {
  const keyOf = platformKeyOf(platformKey);
  return openStores({ folder, database, secretBox: secretBox(platformKey), keyOf, workers: 1, ...more });
}

describeEachDialect("stores by name", ({ newPlace }) => {
  let folder: string;
  let database: Database;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-stores-"));
    database = await openDatabase({ ...(await newPlace()), clock: systemClock });
  });
  after(async () => {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a store keeps its bytes below the data folder, and the platform's key file alone opens them", async () => {
    const name = vaultStore(newGuid());
    {
      await using stores = storesOf(database, folder);
      await stores.create(name, { location: { kind: "folder" } });
      await stores.create(name, { location: { kind: "folder" } }); // a creation that is tried again
      await using opened = await stores.open(name);
      await backUp(opened.vault, { item: "vm" }, { os: bufferSource(content) });
    }
    await using place = await openFsStore(join(folder, name));
    await using vault = await openVault(place, keyFromBytes(platformKey), { workers: 1 });
    const { points } = await listPoints(vault, "vm");
    assert.ok(points[0] !== undefined && (await restore(vault, points[0], "os")).equals(content));
  });

  test("creations at the same moment make one store", async () => {
    const name = vaultStore(newGuid());
    await using stores = storesOf(database, folder);
    const draft = { location: { kind: "folder" }, hot: { kind: "folder" } } as const;
    await Promise.all(Array.from({ length: 5 }, () => stores.create(name, draft)));
    await using opened = await stores.open(name);
    await backUp(opened.vault, { item: "vm" }, { os: bufferSource(content) });
    assert.ok(opened.hot !== undefined);
  });

  test("two stores never have one place, however it is written", async () => {
    await using stores = storesOf(database, folder, { places: { ...strictPlaces, useServerCredentials: true } });
    const path = join(folder, "shared");
    await stores.create(vaultStore(newGuid()), { location: { kind: "folder", path } });
    const taken = (error: unknown): boolean => isErrorCode(error, "PlaceTaken");
    const again = { kind: "folder", path: `${folder}//shared/` } as const;
    await assert.rejects(stores.create(vaultStore(newGuid()), { location: again }), taken);
    await assert.rejects(stores.create(vaultStore(newGuid()), { location: { kind: "folder" }, hot: again }), taken);
    const second = vaultStore(newGuid());
    await stores.create(second, { location: { kind: "folder" }, hot: { kind: "folder" } });
    await using _opened = await stores.open(second);
  });

  test("credentials come back from the row, which does not show them", async () => {
    const name = vaultStore(newGuid());
    const other = join(folder, "elsewhere");
    await using stores = storesOf(database, folder);
    const credential = { kind: "s3", accessKeyId: "AKIA", secretAccessKey: "very-secret-value" } as const;
    await stores.create(name, { location: { kind: "folder", path: other }, credential });
    assert.deepEqual(await stores.find(name), {
      name,
      location: { kind: "folder", path: other },
      hot: undefined,
      key: { kind: "platform" },
      createdAt: (await stores.find(name))?.createdAt,
    });
    const row = await database.kysely.selectFrom("backup_stores").selectAll().where("name", "=", name).execute();
    assert.ok(!JSON.stringify(row).includes("very-secret-value"));
    await assert.rejects(stores.create(name, { location: { kind: "folder" } }), { code: "BackupStoreExists" });
  });
});

describe("stores", () => {
  let folder: string;
  let database: Database;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-stores-"));
    database = await temporaryDatabase();
  });
  after(async () => {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("whoever opens a store shares the one instance; it stays open until its place is needed", async () => {
    await using stores = storesOf(database, folder, { idleAtMost: 1 });
    const names = [vaultStore(newGuid()), collectionStore(newGuid())] as const;
    for (const name of names) await stores.create(name, { location: { kind: "folder" } });
    const first = await stores.open(names[0]);
    const second = await stores.open(names[0]);
    assert.equal(first.vault, second.vault);
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose](); // a share is given back once
    await second.vault.pool().runEverywhere({ type: "epochs", epochs: second.vault.keys.epochs });
    await second[Symbol.asyncDispose]();

    await using again = await stores.open(names[0]);
    assert.equal(again.vault, second.vault);
    await again[Symbol.asyncDispose]();
    await using other = await stores.open(names[1]);
    await other[Symbol.asyncDispose](); // two idle stores: the older one goes
    assert.throws(() => second.vault.pool(), { code: "VaultClosed" });
    other.vault.pool();
  });

  test("a store that fails to open is tried anew by the next who asks", async () => {
    let isRevoked = true;
    const platform = platformKeyOf(platformKey);
    const keyOf: StoresOptions["keyOf"] = async (key, store) => {
      if (!isRevoked) return platform({ kind: "platform" }, store);
      return platform(key, store);
    };
    await using stores = storesOf(database, folder, { keyOf });
    const name = vaultStore(newGuid());
    const key = { kind: "service", reference: "https://v.example/keys/k" } as const;
    isRevoked = false;
    await stores.create(name, { location: { kind: "folder" }, key });
    isRevoked = true;
    await assert.rejects(stores.open(name), { code: "StoreKeyUnavailable" });
    isRevoked = false;
    await using opened = await stores.open(name);
    assert.equal(opened.vault.config.slots.length, 1);
  });

  test("dropping deletes what is ours and nothing beside it, and waits for users", async () => {
    await using stores = storesOf(database, folder);
    const path = mkdtempSync(join(folder, "shared-"));
    writeFileSync(join(path, "letter.txt"), "not ours");
    const [own, elsewhere] = [vaultStore(newGuid()), vaultStore(newGuid())];
    await stores.create(own, { location: { kind: "folder" } });
    await stores.create(elsewhere, { location: { kind: "folder", path } });
    {
      await using opened = await stores.open(own);
      await backUp(opened.vault, { item: "vm" }, { os: bufferSource(content) });
      await assert.rejects(stores.drop(own), { code: "BackupStoreInUse" });
    }
    await stores.drop(own);
    await stores.drop(own);
    await stores.drop(elsewhere);
    assert.ok(!existsSync(join(folder, own)));
    assert.deepEqual(
      readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => name),
      ["letter.txt"],
    );
    await assert.rejects(stores.open(own), { code: "BackupStoreUnknown" });
  });

  test("another server takes a store over with its recovery key", async () => {
    const name = vaultStore(newGuid());
    let recovery: string;
    {
      await using stores = storesOf(database, folder);
      await stores.create(name, { location: { kind: "folder" } });
      recovery = await stores.addRecoveryKey(name);
    }
    await using elsewhere = await temporaryDatabase();
    const otherKey = randomBytes(32);
    await using others = storesOf(elsewhere, join(folder, "other"), {
      keyOf: platformKeyOf(otherKey),
      places: { ...strictPlaces, folders: [folder] },
    });
    const draft = { location: { kind: "folder", path: join(folder, name) } } as const;
    const opener = keyFromBytes(parseRecoveryKey(recovery), "recovery");
    await assert.rejects(others.attach(name, draft, keyFromBytes(randomBytes(32))), { code: "WrongKey" });
    await others.attach(name, draft, opener);
    await others.attach(name, draft, opener);
    await using opened = await others.open(name);
    assert.equal(opened.vault.config.slots.length, 3);
  });

  test("a store of this server is attached by nobody without a key of his own, and never twice", async () => {
    await using stores = storesOf(database, folder);
    const name = vaultStore(newGuid());
    await stores.create(name, { location: { kind: "folder" } });
    const recovery = keyFromBytes(parseRecoveryKey(await stores.addRecoveryKey(name)), "recovery");
    const path = join(folder, name);
    const other = vaultStore(newGuid());
    for (const written of [path, `${path}/`, join(path, "..", basename(path))])
      await assert.rejects(stores.attach(other, { location: { kind: "folder", path: written } }, recovery), {
        code: "PlaceTaken",
      });
    const copy = join(folder, "copy");
    cpSync(path, copy, { recursive: true });
    const draft = { location: { kind: "folder", path: copy } } as const;
    await assert.rejects(stores.attach(other, draft, keyFromBytes(randomBytes(32))), { code: "WrongKey" });
    await assert.rejects(stores.open(other), { code: "BackupStoreUnknown" });
    await stores.attach(other, draft, recovery);
  });

  test("the hot tier is the same vault in another place", async () => {
    await using stores = storesOf(database, folder);
    const name = vaultStore(newGuid());
    await stores.create(name, { location: { kind: "folder" }, hot: { kind: "folder" } });
    await using opened = await stores.open(name);
    assert.equal(opened.hot?.config.vaultId, opened.vault.config.vaultId);
    assert.ok(existsSync(join(folder, "hot", name, "config")));
    await opened[Symbol.asyncDispose]();
    await stores.drop(name);
    assert.ok(!existsSync(join(folder, "hot", name)));
  });

  test("only names of stores are names", () => {
    for (const text of ["vaults/..", "vaults/../../etc", "other/x", `vaults/${newGuid()}/x`])
      assert.throws(() => parseStoreName(text), { code: "BackupStoreNameInvalid" });
  });
});
