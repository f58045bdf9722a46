import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { newGuid } from "../../lib/random.ts";
import { addClientSecret, prepareSecret } from "../directory/client-secrets.ts";
import { findApplicationByClientId } from "../directory/applications.ts";
import { passwordHasher } from "../directory/password-hash.ts";
import { findServicePrincipalByApp, updateServicePrincipal } from "../directory/service-principals.ts";
import { findUser, updateUser } from "../directory/users.ts";
import { testIdentity, type TestIdentity } from "../testing/identity-service.ts";

const azCli = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";

interface TokenBody {
  readonly access_token: string;
  readonly id_token: string;
  readonly refresh_token: string;
  readonly client_info: string;
  readonly token_type: string;
  readonly expires_in: number;
  readonly error: string;
  readonly error_codes: number[];
  readonly error_description: string;
}

async function ask(
  service: TestIdentity,
  changes: Readonly<Record<string, string>> = {},
  path = `/${service.admin.tenantId}/oauth2/v2.0/token`,
): Promise<{ status: number; headers: Headers; body: TokenBody }> {
  const form = {
    grant_type: "client_credentials",
    client_id: service.admin.clientId,
    client_secret: service.admin.clientSecret,
    scope: "https://management.core.windows.net//.default",
    ...changes,
  };
  const filled = Object.fromEntries(Object.entries(form).filter(([, value]) => value !== ""));
  const reply = await service.post(path, filled);
  return { status: reply.status, headers: reply.headers, body: (await reply.json()) as TokenBody };
}

const passwordForm = (service: TestIdentity): Record<string, string> => ({
  grant_type: "password",
  client_id: azCli,
  client_secret: "",
  username: service.admin.username,
  password: service.admin.password,
  scope: "https://localhost:8443/.default openid profile offline_access",
});

test("az's own request at /adfs gets a token with the claims that az reads", async () => {
  await using service = await testIdentity();
  const { status, headers, body } = await ask(
    service,
    { client_info: "1", claims: '{"access_token":{"xms_cc":{"values":["CP1"]}}}' },
    "/adfs/oauth2/token",
  );
  assert.equal(status, 200);
  assert.equal(headers.get("cache-control"), "no-store");
  assert.equal(body.token_type, "Bearer");
  const claims = decodeJwt(body.access_token);
  assert.equal(claims.aud, "https://management.core.windows.net/");
  assert.equal(claims["appid"], service.admin.clientId);
  assert.equal(claims["tid"], service.admin.tenantId);
  assert.equal(claims["idtyp"], "app");
  assert.deepEqual(claims["xms_cc"], ["CP1"]);
  assert.equal(decodeProtectedHeader(body.access_token).alg, "RS256");
  assert.deepEqual(
    service.signIns.map(({ errorCode, grantType, principalName }) => ({ errorCode, grantType, principalName })),
    [{ errorCode: 0, grantType: "client_credentials", principalName: service.admin.clientId }],
  );
});

const refusals: readonly (readonly [string, Readonly<Record<string, string>>, number, string, number])[] = [
  ["a wrong secret", { client_secret: "abc" }, 401, "invalid_client", 7000215],
  ["no secret", { client_secret: "" }, 401, "invalid_client", 7000218],
  ["an unknown client", { client_id: "11111111-2222-3333-4444-555555555555" }, 400, "unauthorized_client", 700016],
  ["no client", { client_id: "" }, 400, "invalid_request", 900144],
  ["no grant type", { grant_type: "" }, 400, "invalid_request", 900144],
  ["an unknown grant type", { grant_type: "urn:magic" }, 400, "unsupported_grant_type", 70003],
  ["a grant type of Object's own", { grant_type: "constructor" }, 400, "unsupported_grant_type", 70003],
  ["no scope", { scope: "" }, 400, "invalid_request", 900144],
  ["claims that are no JSON", { claims: "{" }, 400, "invalid_request", 9002313],
  ["an assertion of no type", { client_assertion: "x" }, 400, "invalid_request", 900144],
];
for (const [what, changes, status, error, number] of refusals) {
  test(`${what} is refused with AADSTS${number}, and written down`, async () => {
    await using service = await testIdentity();
    const reply = await ask(service, changes);
    assert.equal(reply.status, status);
    assert.equal(reply.body.error, error);
    assert.deepEqual(reply.body.error_codes, [number]);
    assert.match(reply.body.error_description, new RegExp(`^AADSTS${number}: .+ Correlation ID: [0-9a-f-]{36}`));
    const [logged] = await service.identity.signIns.list(10);
    assert.equal(logged?.errorCode, number);
    assert.doesNotMatch(JSON.stringify(logged), new RegExp(service.admin.clientSecret));
  });
}

test("an unknown tenant is refused with AADSTS90002; a tenant's domain and any case of its id are known", async () => {
  await using service = await testIdentity();
  const unknown = await ask(service, {}, "/99999999-2222-3333-4444-555555555555/oauth2/v2.0/token");
  assert.deepEqual([unknown.status, unknown.body.error_codes], [400, [90002]]);
  assert.equal((await ask(service, {}, "/holdfast.test/oauth2/v2.0/token")).status, 200);
  assert.equal((await ask(service, {}, `/${service.admin.tenantId.toUpperCase()}/oauth2/v2.0/token`)).status, 200);
  assert.equal((await ask(service, {}, "/organizations/oauth2/v2.0/token")).status, 200);
});

test("a secret past its end says so; a second secret goes on working", async () => {
  await using service = await testIdentity();
  const { database, clock, admin } = service;
  const application = await findApplicationByClientId(database.kysely, admin.tenantId, admin.clientId);
  const secret = await prepareSecret(passwordHasher({ logN: 4, running: 1, waiting: 1 }));
  const terms = { ownerId: application!.id, appId: admin.clientId, endsAt: clock.now() + 60_000 };
  await database.transaction((trx) => addClientSecret(trx, terms, secret));
  assert.equal((await ask(service, { client_secret: secret.text })).status, 200);
  clock.advance(61_000);
  const late = await ask(service, { client_secret: secret.text });
  assert.deepEqual([late.status, late.body.error, late.body.error_codes], [401, "invalid_client", [7000222]]);
  assert.equal((await ask(service)).status, 200);
});

test("a disabled service principal gets no token", async () => {
  await using service = await testIdentity();
  const { database, admin } = service;
  const principal = await findServicePrincipalByApp(database.kysely, admin.tenantId, admin.clientId);
  await database.transaction((trx) => updateServicePrincipal(trx, { ...principal!, enabled: false }));
  assert.deepEqual((await ask(service)).body.error_codes, [7000112]);
});

test("a user signs in with a password and gets what MSAL needs to remember the account", async () => {
  await using service = await testIdentity();
  const { status, body } = await ask(service, passwordForm(service), "/adfs/oauth2/token");
  assert.equal(status, 200);
  const id = decodeJwt(body.id_token);
  assert.equal(id.aud, azCli);
  assert.equal(id.iss, "https://localhost:8443/adfs");
  assert.equal(id["upn"], service.admin.username);
  assert.equal(id["tid"], service.admin.tenantId);
  const info = JSON.parse(Buffer.from(body.client_info, "base64url").toString()) as { uid: string; utid: string };
  assert.equal(info.uid, id["oid"]);
  const claims = decodeJwt(body.access_token);
  assert.equal(claims["idtyp"], "user");
  assert.equal(claims["scp"], "user_impersonation");
});

test("unknown user and wrong password look alike; a disabled one is told after the right password only", async () => {
  await using service = await testIdentity();
  const wrong = await ask(service, { ...passwordForm(service), password: "no" });
  const unknown = await ask(service, { ...passwordForm(service), username: "nobody@holdfast.test" });
  assert.deepEqual([wrong.body.error, wrong.body.error_codes], ["invalid_grant", [50126]]);
  const plain = (text: string): string => text.replace(/ Trace ID.*/, "");
  assert.equal(plain(wrong.body.error_description), plain(unknown.body.error_description));
  const user = await findUser(service.database.kysely, service.admin.tenantId, service.admin.username);
  await service.database.transaction((trx) => updateUser(trx, user!, { enabled: false }));
  assert.deepEqual((await ask(service, passwordForm(service))).body.error_codes, [50057]);
  assert.deepEqual((await ask(service, { ...passwordForm(service), password: "no" })).body.error_codes, [50126]);
});

test("a refresh token is good once; used again later it ends the whole sign-in", async () => {
  await using service = await testIdentity();
  const first = await ask(service, passwordForm(service));
  const refresh = (token: string) =>
    ask(service, { grant_type: "refresh_token", client_id: azCli, client_secret: "", refresh_token: token });
  const second = await refresh(first.body.refresh_token);
  assert.equal(second.status, 200);
  assert.notEqual(second.body.refresh_token, first.body.refresh_token);
  // Two commands at the same moment: forgiven.
  assert.equal((await refresh(first.body.refresh_token)).status, 200);
  service.clock.advance(11_000);
  assert.deepEqual((await refresh(first.body.refresh_token)).body.error_codes, [50173]);
  const afterwards = await refresh(second.body.refresh_token);
  assert.deepEqual([afterwards.body.error, afterwards.body.error_codes], ["invalid_grant", [70008]]);
});

test("another client cannot use a refresh token; a new password ends it", async () => {
  await using service = await testIdentity();
  const { body } = await ask(service, passwordForm(service));
  const form = { grant_type: "refresh_token", client_secret: "", refresh_token: body.refresh_token };
  const powershell = "1950a258-227b-4e31-a9cf-717495945fc2";
  assert.deepEqual((await ask(service, { ...form, client_id: powershell })).body.error_codes, [70008]);
  const user = await findUser(service.database.kysely, service.admin.tenantId, service.admin.username);
  const passwordHash = await passwordHasher({ logN: 4, running: 1, waiting: 1 }).hash("another one");
  await service.database.transaction((trx) => updateUser(trx, user!, { passwordHash }));
  assert.deepEqual((await ask(service, { ...form, client_id: azCli })).body.error_codes, [70008]);
});

test("guessing is slowed down, the address first, and the right client is back in minutes", async () => {
  await using service = await testIdentity();
  for (let attempt = 0; attempt < 6; attempt += 1) {
    assert.deepEqual((await ask(service, { client_secret: "guess" })).body.error_codes, [7000215]);
  }
  const slowed = await ask(service, { client_secret: "guess" });
  assert.equal(slowed.status, 429);
  assert.deepEqual(slowed.body.error_codes, [50053]);
  assert.equal(slowed.headers.get("retry-after"), "1");
  // From another address the right secret is taken at once.
  service.from("192.0.2.2");
  assert.equal((await ask(service)).status, 200);
  // Known here by now, so even the slowed-down address may use the right one.
  service.from("192.0.2.1");
  assert.equal((await ask(service)).status, 200);
});

test("a clock that is set back goes on with the key that there is", async () => {
  await using service = await testIdentity();
  const { kid } = decodeProtectedHeader(await service.adminToken());
  service.clock.advance(-3_600_000);
  const subject = { objectId: newGuid(), tenantId: newGuid(), type: "ServicePrincipal", displayName: "x" } as const;
  const { token } = await service.identity.tokens.accessToken({ subject, appId: newGuid(), audience: "x" });
  assert.equal(decodeProtectedHeader(token).kid, kid);
});

test("nonsense from one address fills no disk, and hides nobody else's failures", async () => {
  await using service = await testIdentity();
  for (let count = 0; count < 200; count += 1) await ask(service, { client_id: newGuid() });
  const logged = await service.identity.signIns.list(1000);
  assert.ok(logged.length <= 31, `${logged.length} rows`);
  service.from("192.0.2.9");
  service.clock.advance(1);
  await ask(service, { client_secret: "guess" });
  assert.equal((await service.identity.signIns.list(1))[0]?.errorCode, 7000215);
});

test("a form that is too large or says a thing twice is refused", async () => {
  await using service = await testIdentity();
  const path = `/${service.admin.tenantId}/oauth2/v2.0/token`;
  assert.equal((await service.post(path, { grant_type: "x".repeat(70_000) })).status, 413);
  const twice = await service.app.request(path, { method: "POST", body: "grant_type=a&grant_type=b" });
  assert.equal(twice.status, 400);
});

test("HTTP Basic works as well as the form", async () => {
  await using service = await testIdentity();
  const { clientId, clientSecret, tenantId } = service.admin;
  const basic = Buffer.from(`${clientId}:${encodeURIComponent(clientSecret)}`).toString("base64");
  const reply = await service.post(
    `/${tenantId}/oauth2/v2.0/token`,
    { grant_type: "client_credentials", scope: "https://management.azure.com/.default" },
    { authorization: `Basic ${basic}` },
  );
  assert.equal(reply.status, 200);
});

test("signing keys turn: new tokens name the new key, old ones verify until they are dead, then the key goes", async () => {
  await using service = await testIdentity();
  const { clock, identity } = service;
  const kids = async (): Promise<string[]> => {
    const reply = await service.app.request("/adfs/discovery/keys");
    return ((await reply.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
  };
  const demands = { audiences: identity.audiences() };
  const day = 86_400_000;
  const old = await service.adminToken();
  const [firstKid] = await kids();
  clock.advance(30 * day - 10_000);
  const last = await service.adminToken();
  clock.advance(20_000);
  const fresh = await service.adminToken();
  assert.notEqual(decodeProtectedHeader(fresh).kid, firstKid);
  assert.equal((await kids()).length, 2);
  await identity.tokens.verify(last, demands);
  await identity.tokens.verify(fresh, demands);
  await assert.rejects(identity.tokens.verify(old, demands), { code: "ExpiredAuthenticationToken" });
  clock.advance(2 * day);
  await identity.maintain();
  assert.deepEqual(await kids(), [decodeProtectedHeader(fresh).kid]);
});
