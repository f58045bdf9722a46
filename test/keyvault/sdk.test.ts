// Microsoft's JavaScript clients for keys and secrets against a real service, at both addresses that a
// vault has.

import assert from "node:assert/strict";
import dns from "node:dns";
import { constants, createHash, createPublicKey, generateKeyPairSync, randomBytes, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { ClientSecretCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";
import { clientFor } from "../support/client.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
let credential: ClientSecretCredential;
let me: string;
let group: string;
const version = "api-version=2022-07-01";

before(async () => {
  service = await startTestService();
  setDefaultCACertificates([...getCACertificates("default"), await readFile(service.ca, "utf8")]);
  const { clientId, clientSecret, tenantId, subscriptionId } = service.admin;
  credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: service.endpoint,
    disableInstanceDiscovery: true,
  });
  me = JSON.parse(
    Buffer.from(
      (await credential.getToken("https://vault.azure.net/.default")).token.split(".")[1]!,
      "base64url",
    ).toString(),
  ).oid;
  group = `/subscriptions/${subscriptionId}/resourceGroups/secrets`;
  await arm("PUT", group, { location: "local" });
  resolveLocalhost();
});

after(() => service[Symbol.asyncDispose]());

/** As most systems do by themselves: names below localhost are this machine. */
function resolveLocalhost(): void {
  const resolve = dns.lookup;
  dns.lookup = ((name: string, ...rest: unknown[]) =>
    (resolve as (...all: unknown[]) => void)(
      name.endsWith(".localhost") ? "localhost" : name,
      ...rest,
    )) as typeof dns.lookup;
}

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely by tests
async function arm(method: string, path: string, body?: object): Promise<any> {
  const answer = await service.call(method, `${path}?${version}`, body === undefined ? {} : { body });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.text === "" ? undefined : answer.json;
}

const everything = { keys: ["all"], secrets: ["all"] };

async function createVault(name: string, properties: object = {}): Promise<string> {
  const accessPolicies = [{ tenantId: service.admin.tenantId, objectId: me, permissions: everything }];
  await arm("PUT", `${group}/providers/Microsoft.KeyVault/vaults/${name}`, {
    location: "local",
    properties: {
      tenantId: service.admin.tenantId,
      sku: { family: "A", name: "standard" },
      accessPolicies,
      softDeleteRetentionInDays: 7,
      ...properties,
    },
  });
  return `https://${name}.vault.localhost:${new URL(service.endpoint).port}`;
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

const once = { retryOptions: { maxRetries: 0 } };

async function failure(pending: Promise<unknown>): Promise<{ code: string; status: number }> {
  try {
    await pending;
  } catch (error) {
    const seen = error as { code?: string; statusCode?: number };
    return { code: seen.code ?? String(error), status: seen.statusCode ?? 0 };
  }
  throw new Error("it did not fail");
}

test("a secret is set, read, versioned, listed, updated, deleted, recovered and purged", async () => {
  const client = new SecretClient(await createVault("secrets-one"), credential, once);
  const first = await client.setSecret("password", "one", { contentType: "text/plain", tags: { a: "b" } });
  const second = await client.setSecret("password", "two");
  assert.equal((await client.getSecret("password")).value, "two");
  assert.equal((await client.getSecret("password", { version: first.properties.version })).value, "one");
  const versions = [];
  for await (const { version: one } of client.listPropertiesOfSecretVersions("password")) versions.push(one);
  assert.deepEqual(versions.sort(), [first.properties.version, second.properties.version].sort());
  await client.updateSecretProperties("password", second.properties.version!, { enabled: false, tags: { c: "d" } });
  assert.deepEqual(await failure(client.getSecret("password")), { code: "Forbidden", status: 403 });
  await client.updateSecretProperties("password", second.properties.version!, { enabled: true });
  assert.deepEqual((await client.getSecret("password")).properties.tags, { c: "d" });
  for (let number = 0; number < 30; number += 1) await client.setSecret(`many-${number}`, "x");
  const names = [];
  for await (const { name } of client.listPropertiesOfSecrets()) names.push(name);
  assert.equal(names.length, 31);

  const deleted = await (await client.beginDeleteSecret("password")).pollUntilDone();
  assert.ok(deleted.properties.scheduledPurgeDate! > new Date());
  assert.equal((await failure(client.getSecret("password"))).code, "SecretNotFound");
  assert.deepEqual(await failure(client.setSecret("password", "three")), { code: "Conflict", status: 409 });
  await (await client.beginRecoverDeletedSecret("password")).pollUntilDone();
  assert.equal((await client.getSecret("password")).value, "two");
  const backup = await client.backupSecret("password");
  await (await client.beginDeleteSecret("password")).pollUntilDone();
  await client.purgeDeletedSecret("password");
  assert.equal((await failure(client.getDeletedSecret("password"))).status, 404);
  await client.restoreSecretBackup(backup!);
  assert.equal((await client.getSecret("password", { version: first.properties.version })).value, "one");
  assert.equal((await failure(client.restoreSecretBackup(backup!))).code, "Conflict");
});

test("where purge protection is on nothing is purged before its days are over", async () => {
  const client = new SecretClient(await createVault("kept", { enablePurgeProtection: true }), credential, once);
  await client.setSecret("password", "one");
  await (await client.beginDeleteSecret("password")).pollUntilDone();
  assert.deepEqual(await failure(client.purgeDeletedSecret("password")), { code: "Forbidden", status: 403 });
  await (await client.beginRecoverDeletedSecret("password")).pollUntilDone();
  assert.equal((await client.getSecret("password")).value, "one");
});

test("an RSA key wraps, encrypts and signs as the client's own cryptography does", async () => {
  const client = new KeyClient(await createVault("keys-one"), credential, once);
  const key = await client.createRsaKey("rsa", { keySize: 2048 });
  assert.equal(key.keyType, "RSA");
  const crypto = new CryptographyClient(key.id!, credential, once);
  const secret = randomBytes(32);
  for (const algorithm of ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"] as const) {
    const { result } = await crypto.wrapKey(algorithm, secret);
    assert.deepEqual(Buffer.from((await crypto.unwrapKey(algorithm, result)).result), secret, algorithm);
    const encrypted = await crypto.encrypt({ algorithm, plaintext: secret });
    assert.deepEqual(
      Buffer.from((await crypto.decrypt({ algorithm, ciphertext: encrypted.result })).result),
      secret,
      algorithm,
    );
  }
  const data = Buffer.from("a message");
  const publicKey = createPublicKey({
    key: { kty: "RSA", n: base64url(key.key!.n!), e: base64url(key.key!.e!) },
    format: "jwk",
  });
  for (const algorithm of ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const) {
    const hash = `sha${algorithm.slice(2)}`;
    const { result } = await crypto.signData(algorithm, data);
    // The client checks PS signatures with the padding of RS: OpenSSL is the judge here.
    const padding = algorithm.startsWith("PS") ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
    assert.equal(verify(hash, data, { key: publicKey, padding }, result), true, algorithm);
    const ask = async (text: string): Promise<boolean> => {
      const digest = createHash(hash).update(text).digest("base64url");
      const answer = await service.call(
        "POST",
        `/vaults/keys-one/keys/rsa/${key.properties.version}/verify?api-version=7.4`,
        { body: { alg: algorithm, digest, value: base64url(result) } },
      );
      return answer.json.value;
    };
    assert.equal(await ask("a message"), true, algorithm);
    assert.equal(await ask("another"), false, algorithm);
  }
  assert.equal((await failure(crypto.unwrapKey("RSA-OAEP", randomBytes(256)))).code, "BadParameter");
});

test("an EC key signs on every curve, and the public half checks it anywhere", async () => {
  const client = new KeyClient(await createVault("keys-two"), credential, once);
  const kinds = [
    ["P-256", "ES256", "sha256"],
    ["P-384", "ES384", "sha384"],
    ["P-521", "ES512", "sha512"],
    ["P-256K", "ES256K", "sha256"],
  ] as const;
  for (const [curve, algorithm, hash] of kinds) {
    const key = await client.createEcKey(`ec-${curve}`, { curve });
    assert.equal(key.key!.crv, curve);
    const crypto = new CryptographyClient(key.id!, credential, once);
    const digest = createHash(hash).update("a message").digest();
    const { result } = await crypto.sign(algorithm, digest);
    assert.equal((await crypto.verify(algorithm, digest, result)).result, true, curve);
    assert.equal(
      (await crypto.verify(algorithm, createHash(hash).update("another").digest(), result)).result,
      false,
      curve,
    );
  }
});

test("a key is imported, rotated, limited, deleted with its name kept, and comes back from a backup", async () => {
  const client = new KeyClient(await createVault("keys-three"), credential, once);
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = privateKey.export({ format: "jwk" });
  const members = Object.fromEntries(
    ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map((name) => [name, Buffer.from(String(jwk[name]), "base64url")]),
  );
  const imported = await client.importKey("own", { kty: "RSA", keyOps: ["wrapKey", "unwrapKey"], ...members });
  const crypto = new CryptographyClient(imported.id!, credential, once);
  const wrapped = await crypto.wrapKey("RSA-OAEP", Buffer.from("secret"));
  // The client refuses what key_ops leave out before it asks; the service refuses it too.
  const sign = `/vaults/keys-three/keys/own/${imported.properties.version}/sign?api-version=7.4`;
  assert.equal(
    (await service.call("POST", sign, { body: { alg: "RS256", value: base64url(randomBytes(32)) } })).status,
    403,
  );
  const rotated = await client.rotateKey("own");
  assert.notEqual(rotated.properties.version, imported.properties.version);
  assert.equal((await client.getKey("own")).properties.version, rotated.properties.version);
  assert.equal(Buffer.from((await crypto.unwrapKey("RSA-OAEP", wrapped.result)).result).toString(), "secret");
  const policy = await client.updateKeyRotationPolicy("own", {
    lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P30D" }],
    expiresIn: "P90D",
  });
  assert.equal(policy.expiresIn, "P90D");
  assert.equal((await client.getKeyRotationPolicy("own")).lifetimeActions?.[0]?.timeAfterCreate, "P30D");
  assert.ok((await client.rotateKey("own")).properties.expiresOn! > new Date());
  await client.updateKeyProperties("own", imported.properties.version!, { enabled: false });
  assert.equal((await failure(crypto.unwrapKey("RSA-OAEP", wrapped.result))).code, "Forbidden");

  const backup = await client.backupKey("own");
  await (await client.beginDeleteKey("own")).pollUntilDone();
  assert.equal((await failure(client.createRsaKey("own"))).code, "Conflict");
  const gone = [];
  for await (const one of client.listDeletedKeys()) gone.push(one.name);
  assert.deepEqual(gone, ["own"]);
  await client.purgeDeletedKey("own");
  await client.restoreKeyBackup(backup!);
  const versions = [];
  for await (const one of client.listPropertiesOfKeyVersions("own")) versions.push(one.version);
  assert.equal(versions.length, 3);
  const oct = await client.createKey("symmetric", "oct", { keySize: 256 });
  assert.equal(oct.key?.k, undefined);
});

test("a vault is also reached below the service's own address", async () => {
  await createVault("by-path");
  const client = new SecretClient(`${service.endpoint}/vaults/by-path`, credential, {
    ...once,
    disableChallengeResourceVerification: true,
  });
  await client.setSecret("here", "too");
  assert.equal((await client.getSecret("here")).value, "too");
});

test("access policies and roles decide, never both, and what is taken away is gone at once", async () => {
  const none = {
    accessPolicies: [{ tenantId: service.admin.tenantId, objectId: me, permissions: { secrets: ["Get", "List"] } }],
  };
  const url = await createVault("locked", none);
  const client = new SecretClient(url, credential, once);
  assert.deepEqual(await failure(client.setSecret("x", "1")), { code: "Forbidden", status: 403 });
  assert.equal((await failure(client.getSecret("x"))).code, "SecretNotFound");
  const byRole = new SecretClient(await createVault("by-role", { enableRbacAuthorization: true }), credential, once);
  assert.equal((await failure(byRole.setSecret("x", "1"))).code, "Forbidden");
  const officer = `/subscriptions/${service.admin.subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/b86a8fe4-44ce-4948-aee5-eccb2c155cd7`;
  const assignment = `${group}/providers/Microsoft.KeyVault/vaults/by-role/providers/Microsoft.Authorization/roleAssignments/0f1b2d5e-1111-4222-8333-944455556677`;
  await arm("PUT", assignment, { properties: { roleDefinitionId: officer, principalId: me } });
  await byRole.setSecret("x", "1");
  assert.equal((await failure(new KeyClient(byRole.vaultUrl, credential, once).createRsaKey("k"))).code, "Forbidden");
  await arm("DELETE", assignment);
  assert.equal((await failure(byRole.getSecret("x"))).code, "Forbidden");
});

test("a vault of roles is not made one of policies by who may only write it, and a policy for one application is for no other", async () => {
  const { endpoint, ca, pid, admin, data } = service;
  const owner = await clientFor(
    { endpoint, ca, pid, tenantId: admin.tenantId, subscriptionId: admin.subscriptionId },
    data,
  );
  await createVault("of-roles", { enableRbacAuthorization: true });
  const path = `${group}/providers/Microsoft.KeyVault/vaults/of-roles?${version}`;
  const writer = await owner.createPrincipal("vault writer");
  await owner.assign(writer.principalId, "b24988ac-6180-42a0-ab88-20f7382dd24c", group);
  const policy = { tenantId: admin.tenantId, objectId: writer.principalId, permissions: { secrets: ["get"] } };
  const policies = { enableRbacAuthorization: false, accessPolicies: [policy] };
  const refused = await writer.call("PATCH", path, { body: { properties: policies } });
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.text, /roleAssignments\/write/);
  assert.equal((await writer.call("PATCH", path, { body: { tags: { a: "b" } } })).status, 200);

  const byOther = { ...policy, objectId: me, applicationId: admin.tenantId, permissions: { secrets: ["all"] } };
  const url = await createVault("by-app", { accessPolicies: [byOther] });
  const secrets = new SecretClient(url, credential, once);
  assert.equal((await failure(secrets.setSecret("x", "1"))).code, "Forbidden");
  await createVault("by-app", { accessPolicies: [{ ...byOther, applicationId: admin.clientId }] });
  await secrets.setSecret("x", "1");
});

test("a vault admits the addresses that it names, and nobody when it is closed; its policies stay what they are", async () => {
  const networkAcls = (...values: string[]): object => ({
    defaultAction: "Deny",
    ipRules: values.map((value) => ({ value })),
  });
  const mine = { tenantId: service.admin.tenantId, objectId: me, permissions: { secrets: ["all"] } };
  const create = (more: object): Promise<string> => createVault("fenced", { accessPolicies: [mine], ...more });
  const secrets = new SecretClient(await create({ networkAcls: networkAcls("127.0.0.0/8", "::1") }), credential, once);
  await secrets.setSecret("x", "1");
  await create({ networkAcls: networkAcls("192.0.2.0/24") });
  const policies = `${group}/providers/Microsoft.KeyVault/vaults/fenced/accessPolicies/add?${version}`;
  const added = await service.call("PUT", policies, { body: { properties: { accessPolicies: [mine] } } });
  assert.ok(added.status < 300, added.text);
  const refused = { statusCode: 403, message: /Client address is not authorized/ };
  await assert.rejects(secrets.getSecret("x"), refused);
  await create({ publicNetworkAccess: "disabled" });
  await assert.rejects(secrets.getSecret("x"), { statusCode: 403, message: /Public network access .* disabled/ });
  await create({ publicNetworkAccess: "Enabled", networkAcls: { defaultAction: "Allow" } });
  assert.equal((await secrets.getSecret("x")).value, "1");

  const path = `${group}/providers/Microsoft.KeyVault/vaults/wrong?${version}`;
  const sku = { family: "A", name: "standard" };
  const properties = { tenantId: service.admin.tenantId, sku, networkAcls: networkAcls("the office") };
  const wrong = await service.call("PUT", path, { body: { location: "local", properties } });
  assert.equal(wrong.status, 400, wrong.text);
  assert.match(wrong.text, /ipRules.*must be an address/);
});

test("a deleted vault keeps its name and its secrets until it is recovered or purged", async () => {
  const url = await createVault("phoenix");
  const client = new SecretClient(url, credential, once);
  await client.setSecret("kept", "value");
  const path = `${group}/providers/Microsoft.KeyVault/vaults/phoenix`;
  await arm("DELETE", path);
  assert.equal((await failure(client.getSecret("kept"))).code, "VaultNotFound");
  const again = await service.call("PUT", `${path}?${version}`, {
    body: {
      location: "local",
      properties: { tenantId: service.admin.tenantId, sku: { family: "A", name: "standard" }, accessPolicies: [] },
    },
  });
  assert.equal(again.status, 409);
  await arm("PUT", path, { location: "local", properties: { createMode: "recover" } });
  assert.equal((await client.getSecret("kept")).value, "value");
  await arm("DELETE", path);
  await arm(
    "POST",
    `/subscriptions/${service.admin.subscriptionId}/providers/Microsoft.KeyVault/locations/local/deletedVaults/phoenix/purge`,
  );
  await createVault("phoenix");
  assert.equal((await failure(client.getSecret("kept"))).code, "SecretNotFound");
});

test("without a token there is a challenge, and a token for something else is none", async () => {
  await createVault("asked");
  const bare = await service.call("GET", "/vaults/asked/secrets?api-version=7.4", { token: "" });
  assert.equal(bare.status, 401);
  assert.equal(
    bare.headers["www-authenticate"],
    `Bearer authorization="${service.endpoint}/${service.admin.tenantId}", resource="${service.endpoint}"`,
  );
  const other = await credential.getToken("https://storage.azure.com/.default");
  assert.equal(
    (await service.call("GET", "/vaults/asked/secrets?api-version=7.4", { token: other.token })).status,
    401,
  );
  // Somebody else's service has tokens of ours for itself: under its own name they open nothing here.
  const { token } = await credential.getToken("https://elsewhere.example/.default");
  const headers = { Host: "elsewhere.example" };
  assert.equal((await service.call("GET", "/vaults/asked/secrets?api-version=7.4", { token, headers })).status, 401);
});

test("no secret and no private key stands in the data folder as it is", async () => {
  const url = await createVault("sealed");
  const value = `needle-${randomBytes(16).toString("hex")}`;
  await new SecretClient(url, credential, once).setSecret("hidden", value);
  const files = ["control.sqlite", "control.sqlite-wal"];
  for (const name of files) {
    const bytes = await readFile(`${service.data}/${name}`).catch(() => Buffer.alloc(0));
    assert.equal(bytes.includes(value), false, name);
    assert.equal(bytes.includes('"d":"'), false, name);
  }
});
