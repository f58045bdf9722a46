// Vaults on both databases: rights, cryptography, soft deletion, rotation, backup.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openDatabase, type Database } from "../db/database.ts";
import { describeEachDialect } from "../db/testing/each-dialect.ts";
import { manualClock } from "../lib/clock.ts";
import { randomBytes } from "../lib/random.ts";
import { secretBox } from "../lib/secret-box.ts";
import type { VaultCaller } from "./access.ts";
import { openKeyVaults, parseObjectId, type KeyVaults } from "./key-vaults.ts";
import { changePolicy, createKey } from "./keys.ts";
import { getVersion, softDelete } from "./objects.ts";
import { setSecret } from "./secrets.ts";
import { findVault, putVault, softDeleteVault, type AccessPolicy, type Vault } from "./vaults.ts";

const start = Date.parse("2026-01-01T00:00:00Z");
const day = 86_400_000;
const me = "11111111-1111-4111-8111-111111111111";
const group = "22222222-2222-4222-8222-222222222222";
const caller: VaultCaller = { objectId: me, groups: [group], may: async () => false };

describeEachDialect("key vaults", ({ newPlace }) => {
  const clock = manualClock(start);
  let database: Database;
  let vaults: KeyVaults;

  before(async () => {
    database = await openDatabase({ ...(await newPlace()), clock });
    vaults = openKeyVaults({
      database,
      secretBox: secretBox(randomBytes(32)),
      vaultUrl: (name) => `https://${name}.vault.localhost`,
    });
  });
  after(() => database.close());

  const allow = (objectId: string, keys: string[], secrets: string[] = []): AccessPolicy => ({
    tenantId: "t",
    objectId,
    permissions: { keys, secrets },
  });
  const put = async (
    name: string,
    accessPolicies: AccessPolicy[],
    more: Partial<Vault["settings"]> = {},
  ): Promise<Vault> => {
    const settings = {
      accessPolicies,
      enableRbacAuthorization: false,
      softDeleteRetentionInDays: 7,
      enablePurgeProtection: false,
      admitted: "all" as const,
      ...more,
    };
    const vault = { name, scope: `/vaults/${name}`, tenantId: "t", settings };
    await database.transaction((trx) => putVault(trx, vault));
    return vault;
  };
  const plain = { attributes: { enabled: true }, tags: {} };

  test("a key wraps on behalf of whoever may, through a group too, until the right is taken away", async () => {
    await put("cmk", [allow(group, ["wrapKey", "unwrapKey"])]);
    await createKey(vaults.store, { vault: "cmk", kind: "key", name: "kek" }, "RSA", {}, plain);
    const id = "https://cmk.vault.localhost/keys/kek";
    const secret = randomBytes(32);
    const { keyId, wrapped } = await vaults.wrapKey(id, secret, "RSA-OAEP-256", caller);
    assert.match(keyId, /\/keys\/kek\/[0-9a-f]{32}$/);
    assert.deepEqual(await vaults.unwrapKey(keyId, wrapped, "RSA-OAEP-256", caller), secret);
    await assert.rejects(vaults.unwrapKey(keyId, wrapped, "RSA-OAEP-256", { ...caller, groups: [] }), {
      code: "Forbidden",
    });
    await put("cmk", [allow(group, ["wrapKey"])]);
    await assert.rejects(vaults.unwrapKey(keyId, wrapped, "RSA-OAEP-256", caller), { code: "Forbidden" });
    await put("cmk", [allow(group, ["all"])]);
    assert.deepEqual(await vaults.unwrapKey(keyId, wrapped, "RSA-OAEP-256", caller), secret);
  });

  test("with roles the policies say nothing, and the question names the object", async () => {
    await put("roles", [allow(me, ["all"], ["all"])], { enableRbacAuthorization: true });
    await database.transaction((trx) =>
      setSecret(vaults.store, trx, { vault: "roles", kind: "secret", name: "s" }, "v", plain),
    );
    const id = "https://roles.vault.localhost/secrets/s";
    await assert.rejects(vaults.getSecret(id, caller), { code: "Forbidden" });
    const asked: string[] = [];
    const granted = { ...caller, may: async (action: string, scope: string) => asked.push(`${action} ${scope}`) > 0 };
    assert.equal((await vaults.getSecret(id, granted)).value, "v");
    assert.deepEqual(asked, ["Microsoft.KeyVault/vaults/secrets/getSecret/action /vaults/roles/secrets/s"]);
  });

  test("keys are wrapped under AES too, and a changed wrapping is refused", async () => {
    await put("aes", [allow(me, ["all"])]);
    await createKey(vaults.store, { vault: "aes", kind: "key", name: "k" }, "oct", { size: 256 }, plain);
    const id = "https://aes.vault.localhost/keys/k";
    const secret = randomBytes(32);
    const { wrapped } = await vaults.wrapKey(id, secret, "A256KW", caller);
    assert.deepEqual(await vaults.unwrapKey(id, wrapped, "A256KW", caller), secret);
    wrapped[3] = (wrapped[3] ?? 0) ^ 1;
    await assert.rejects(vaults.unwrapKey(id, wrapped, "A256KW", caller), { code: "BadParameter" });
    await assert.rejects(vaults.wrapKey(id, secret, "A128KW", caller), { code: "BadParameter" });
    await assert.rejects(vaults.wrapKey(id, secret, "RSA-OAEP", caller), { code: "BadParameter" });
    await assert.rejects(vaults.wrapKey(id, secret, "toString", caller), { code: "BadParameter" });
  });

  test("an expired key opens what it wrapped and wraps nothing more; a disabled one does neither", async () => {
    await put("times", [allow(me, ["all"])]);
    const at = { vault: "times", kind: "key", name: "k" } as const;
    await createKey(
      vaults.store,
      at,
      "RSA",
      {},
      { attributes: { enabled: true, exp: (clock.now() + day) / 1000 }, tags: {} },
    );
    const id = "https://times.vault.localhost/keys/k";
    const { wrapped } = await vaults.wrapKey(id, randomBytes(16), "RSA-OAEP", caller);
    clock.advance(2 * day);
    await assert.rejects(vaults.wrapKey(id, randomBytes(16), "RSA-OAEP", caller), { code: "Forbidden" });
    assert.equal((await vaults.unwrapKey(id, wrapped, "RSA-OAEP", caller)).length, 16);
  });

  test("a policy rotates a key in its time, and the old version still unwraps", async () => {
    await put("rotating", [allow(me, ["all"])]);
    const at = { vault: "rotating", kind: "key", name: "k" } as const;
    const first = await createKey(vaults.store, at, "RSA", {}, plain);
    await changePolicy(vaults.store, at, {
      lifetimeActions: [{ trigger: { timeAfterCreate: "P30D" }, action: { type: "Rotate" } }],
      attributes: { expiryTime: "P90D" },
    });
    const id = "https://rotating.vault.localhost/keys/k";
    const old = await vaults.wrapKey(id, Buffer.from("old"), "RSA-OAEP", caller);
    clock.advance(29 * day);
    await vaults.maintain();
    assert.equal((await getVersion(database.kysely, at, undefined)).version, first.version);
    clock.advance(2 * day);
    await vaults.maintain();
    const now = await getVersion(database.kysely, at, undefined);
    assert.notEqual(now.version, first.version);
    assert.equal(now.shown.attributes.exp, Math.floor((clock.now() + 90 * day) / 1000));
    assert.equal((await vaults.unwrapKey(old.keyId, old.wrapped, "RSA-OAEP", caller)).toString(), "old");
  });

  test("what was deleted goes on its day, vaults with all that is in them", async () => {
    const vault = await put("fading", [allow(me, ["all"], ["all"])]);
    const at = { vault: "fading", kind: "secret", name: "s" } as const;
    await database.transaction((trx) => setSecret(vaults.store, trx, at, "v", plain));
    await database.transaction((trx) => softDelete(trx, vault, at));
    clock.advance(7 * day - 1);
    await vaults.maintain();
    await assert.rejects(
      database.transaction((trx) => setSecret(vaults.store, trx, at, "w", plain)),
      { code: "Conflict" },
    );
    clock.advance(1);
    await vaults.maintain();
    await database.transaction((trx) => setSecret(vaults.store, trx, at, "w", plain));
    await database.transaction((trx) => softDeleteVault(trx, "fading", {}));
    assert.equal(await findVault(database.kysely, "fading"), undefined);
    await assert.rejects(put("fading", []), { code: "Conflict" });
    clock.advance(7 * day);
    await vaults.maintain();
    const left = await database.kysely
      .selectFrom("key_vault_versions")
      .select("version")
      .where("vault", "=", "fading")
      .execute();
    assert.deepEqual(left, []);
    await put("fading", []);
  });

  test("a backup is restored once, elsewhere, and is nothing to another service", async () => {
    await put("from", [allow(me, ["all"], ["all"])]);
    await put("target", [allow(me, ["all"], ["all"])]);
    const at = { vault: "from", kind: "secret", name: "bek" } as const;
    for (const value of ["one", "two"])
      await database.transaction((trx) => setSecret(vaults.store, trx, at, value, plain));
    const backup = await vaults.backUpObject("https://from.vault.localhost/secrets/bek", caller);
    assert.equal(Buffer.from(backup, "base64url").includes("one"), false);
    const id = await vaults.restoreObject("target", "secret", backup, caller);
    assert.equal((await vaults.getSecret(id, caller)).value, "two");
    await assert.rejects(vaults.restoreObject("target", "secret", backup, caller), { code: "Conflict" });
    await assert.rejects(vaults.restoreObject("from", "key", backup, caller), { code: "BadParameter" });
    const other = openKeyVaults({ database, secretBox: secretBox(randomBytes(32)), vaultUrl: (name) => name });
    await assert.rejects(other.restoreObject("from", "secret", backup, caller), { code: "BadParameter" });
  });

  test("an export names the version that is meant, and goes where nothing has its name", async () => {
    await put("origin", [allow(me, ["all"], ["all"])]);
    const goal = await put("goal", [allow(me, ["all"], ["all"])]);
    const at = { vault: "origin", kind: "secret", name: "bek" } as const;
    await database.transaction((trx) => setSecret(vaults.store, trx, at, "one", plain));
    const { id, content } = await vaults.exportObject("https://origin.vault.localhost/secrets/bek", caller);
    const { version } = parseObjectId(id);
    await database.transaction((trx) => setSecret(vaults.store, trx, at, "two", plain));
    const there = `https://goal.vault.localhost/secrets/bek/${version}`;
    await vaults.assertImportable(there);
    assert.equal(await vaults.importObject("goal", "secret", content, caller), "/vaults/goal");
    assert.equal((await vaults.getSecret(there, caller)).value, "one");
    await vaults.assertImportable(there);
    await assert.rejects(vaults.assertImportable(there.replace(/.{32}$/, "0".repeat(32))), { code: "Conflict" });
    await database.transaction((trx) => softDelete(trx, goal, { ...at, vault: "goal" }));
    await assert.rejects(vaults.assertImportable(there), { code: "Conflict", message: /deleted, but recoverable/ });
  });
});

test("ids are read in both forms and nothing else is", () => {
  const version = "0".repeat(32);
  assert.deepEqual(parseObjectId(`https://v-1.vault.azure.net/keys/k/${version}`), {
    vault: "v-1",
    kind: "key",
    name: "k",
    version,
  });
  assert.deepEqual(parseObjectId("https://localhost:8443/vaults/v-1/secrets/s"), {
    vault: "v-1",
    kind: "secret",
    name: "s",
    version: undefined,
  });
  for (const wrong of [
    "",
    "k",
    "https://v-1.vault.localhost/certificates/c",
    "https://example.com/keys/k",
    "https://v-1.vault.localhost/keys/k/../../x",
    "https://v-1.vault.localhost/keys",
  ]) {
    assert.throws(() => parseObjectId(wrong), { code: "BadParameter" }, wrong);
  }
});
