import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openDatabase, type Database } from "../db/database.ts";
import { describeEachDialect } from "../db/testing/each-dialect.ts";
import { systemClock } from "../lib/clock.ts";
import { openAccess } from "./access/access.ts";
import { ensureBootstrap, renewAdministrator, type AdministratorSecrets } from "./bootstrap.ts";
import { passwordHasher } from "./directory/password-hash.ts";
import { findServicePrincipalByApp } from "./directory/service-principals.ts";
import { listSubscriptions, listTenants } from "./directory/tenants.ts";
import { findUserForSignIn } from "./directory/users.ts";

describeEachDialect("the first start", ({ newPlace }) => {
  const hasher = passwordHasher({ logN: 4, running: 2, waiting: 8 });
  const settings = { tenantName: "Test", domain: "holdfast.test", subscriptions: [{ name: "One" }, { name: "Two" }] };
  let database: Database;
  before(async () => {
    database = await openDatabase({ ...(await newPlace()), clock: systemClock });
  });
  after(() => database.close());

  test("leaves nothing behind when the secrets cannot be saved", async () => {
    const full = (): Promise<void> => Promise.reject(new Error("disk full"));
    await assert.rejects(ensureBootstrap(database, hasher, settings, full), /disk full/);
    assert.deepEqual(await listTenants(database.kysely), []);
    assert.deepEqual(await listSubscriptions(database.kysely), []);
  });

  test("makes one administrator however many start at once, and tells the secrets once", async () => {
    const saved: AdministratorSecrets[] = [];
    const save = async (secrets: AdministratorSecrets): Promise<void> => {
      saved.push(secrets);
    };
    const results = await Promise.all([1, 2, 3].map(() => ensureBootstrap(database, hasher, settings, save)));
    assert.equal(new Set(results.map(({ tenantId }) => tenantId)).size, 1);
    const told = results.filter(({ secrets }) => secrets !== undefined);
    assert.equal(told.length, 1);
    assert.deepEqual(told[0]?.secrets, saved.at(-1));
    assert.equal(results[1]?.subscriptionIds.length, 2);
    const again = await ensureBootstrap(database, hasher, settings, save);
    assert.equal(again.secrets, undefined);
    assert.deepEqual(again.subscriptionIds, results[0]?.subscriptionIds);
  });

  test("the administrator may do everything, everywhere", async () => {
    const [tenant] = await listTenants(database.kysely);
    const rows = await database.kysely.selectFrom("directory_applications").select("app_id").execute();
    assert.equal(rows.length, 1);
    const principal = await findServicePrincipalByApp(database.kysely, tenant!.id, rows[0]!.app_id);
    const grants = await openAccess(database).grantsOf(principal!.id);
    assert.equal(grants.allows("Microsoft.Anything/at/all/delete", "/subscriptions/x/resourceGroups/y"), true);
    assert.equal(grants.allows("Microsoft.Authorization/roleAssignments/write", "/"), true);
  });

  test("subscriptions that later starts name are added, renamed and never taken away", async () => {
    const id = "0A000000-0000-4000-8000-000000000001";
    const start = (name: string): ReturnType<typeof ensureBootstrap> =>
      ensureBootstrap(database, hasher, { ...settings, subscriptions: [{ id, name }] }, () => Promise.resolve());
    assert.equal((await start("Three")).subscriptionIds.at(-1), id.toLowerCase());
    await start("Renamed");
    const names = (await listSubscriptions(database.kysely)).map(({ displayName }) => displayName);
    assert.deepEqual(names, ["One", "Two", "Renamed"]);
  });

  test("another tenant's id is refused by name", async () => {
    const tenantId = "0b000000-0000-4000-8000-000000000001";
    await assert.rejects(
      ensureBootstrap(database, hasher, { ...settings, tenantId }, () => Promise.resolve()),
      { code: "TenantIsSettled", target: "tenantId" },
    );
  });

  test("lost credentials are made anew: the new ones are Owner, the user's old password is void", async () => {
    const username = "admin@holdfast.test";
    const before = await findUserForSignIn(database.kysely, username);
    const saved: AdministratorSecrets[] = [];
    const renewed = await renewAdministrator(database, hasher, async (secrets) => void saved.push(secrets));
    assert.deepEqual(saved.at(-1), renewed);
    const now = await findUserForSignIn(database.kysely, username);
    assert.equal(now?.user.id, before?.user.id);
    assert.notEqual(now?.passwordHash, before?.passwordHash);
    assert.equal(await hasher.verify(renewed.password, now!.passwordHash), true);
    const principal = await findServicePrincipalByApp(database.kysely, renewed.tenantId, renewed.clientId);
    const grants = await openAccess(database).grantsOf(principal!.id);
    assert.equal(grants.allows("Microsoft.Authorization/roleAssignments/write", "/"), true);
  });

  test("no secret stands in the database as it is", async () => {
    const secrets = await database.kysely.selectFrom("directory_client_secrets").select("hash").execute();
    const users = await database.kysely.selectFrom("directory_users").select("password_hash").execute();
    for (const text of [...secrets.map(({ hash }) => hash), ...users.map((user) => user.password_hash)]) {
      assert.match(text, /^scrypt\$4\$[A-Za-z0-9+/=]{24}\$[A-Za-z0-9+/=]{44}$/);
    }
  });
});
