import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { decodeJwt } from "jose";
import { portalRedirect, testIdentity, type TestIdentity } from "../testing/identity-service.ts";
import { portalClientId } from "./clients.ts";

interface Begun {
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
  readonly cookie: string;
  readonly ticket: string;
  readonly path: string;
}

const verifier = randomBytes(32).toString("base64url");

function queryOf(changes: Readonly<Record<string, string>> = {}): URLSearchParams {
  const query = {
    client_id: portalClientId,
    redirect_uri: portalRedirect,
    response_type: "code",
    scope: "https://localhost:8443/.default openid offline_access",
    state: "s-1",
    nonce: "n-1",
    code_challenge: hash("sha256", verifier, "base64url"),
    code_challenge_method: "S256",
    ...changes,
  };
  return new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""));
}

async function begin(service: TestIdentity, changes: Readonly<Record<string, string>> = {}): Promise<Begun> {
  const path = `/${service.admin.tenantId}/oauth2/v2.0/authorize`;
  const reply = await service.app.request(`${path}?${queryOf(changes)}`);
  const html = await reply.text();
  return {
    status: reply.status,
    headers: reply.headers,
    html,
    path,
    cookie: /^([^;]+)/.exec(reply.headers.get("set-cookie") ?? "")?.[1] ?? "",
    ticket: /name="ticket" value="([^"]+)"/.exec(html)?.[1] ?? "",
  };
}

async function submit(
  service: TestIdentity,
  begun: Begun,
  changes: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const form = { ticket: begun.ticket, username: service.admin.username, password: service.admin.password, ...changes };
  return service.post(begun.path, form, { cookie: begun.cookie, "sec-fetch-site": "same-origin", ...headers });
}

async function codeOf(service: TestIdentity, changes: Readonly<Record<string, string>> = {}): Promise<string> {
  const reply = await submit(service, await begin(service, changes));
  return new URL(reply.headers.get("location") ?? "").searchParams.get("code") ?? "";
}

function redeem(
  service: TestIdentity,
  code: string,
  changes: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const form = {
    grant_type: "authorization_code",
    client_id: portalClientId,
    redirect_uri: portalRedirect,
    code_verifier: verifier,
    code,
  };
  return service.post(`/${service.admin.tenantId}/oauth2/v2.0/token`, { ...form, ...changes });
}

test("the page needs no script, and its policy allows none", async () => {
  await using service = await testIdentity();
  const { status, headers, html, cookie } = await begin(service, { login_hint: `"><script>alert(1)</script>` });
  assert.equal(status, 200);
  assert.doesNotMatch(html, /<script/);
  assert.match(html, /&quot;&gt;&lt;script&gt;/);
  const policy = headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.match(policy, /form-action 'self' https:\/\/localhost:8443;/);
  const style = /<style>([^]*)<\/style>/.exec(html)?.[1] ?? "";
  assert.ok(policy.includes(`'sha256-${hash("sha256", style, "base64")}'`));
  assert.equal(headers.get("cache-control"), "no-store");
  assert.match(cookie, /^__Host-/);
  assert.match(headers.get("set-cookie") ?? "", /Secure; HttpOnly; SameSite=Lax/);
});

test("a sign-in leads back with a code that the right verifier turns into tokens, once", async () => {
  await using service = await testIdentity();
  const signedIn = await submit(service, await begin(service));
  assert.equal(signedIn.status, 303);
  const location = new URL(signedIn.headers.get("location") ?? "");
  assert.equal(location.origin + location.pathname, portalRedirect);
  assert.equal(location.searchParams.get("state"), "s-1");
  const code = location.searchParams.get("code") ?? "";
  const reply = await redeem(service, code);
  assert.equal(reply.status, 200);
  const tokens = (await reply.json()) as Record<string, string>;
  const id = decodeJwt(tokens["id_token"] ?? "");
  assert.equal(id["nonce"], "n-1");
  assert.equal(id.aud, portalClientId);
  assert.equal(id.iss, `https://localhost:8443/${service.admin.tenantId}/v2.0`);
  assert.equal(decodeJwt(tokens["access_token"] ?? "").aud, "https://localhost:8443");
  // The code comes again: whoever sends it, the tokens it gave are worth nothing more.
  const again = await redeem(service, code);
  assert.match(((await again.json()) as { error_description: string }).error_description, /^AADSTS54005/);
  const refresh = await service.post(`/${service.admin.tenantId}/oauth2/v2.0/token`, {
    grant_type: "refresh_token",
    client_id: portalClientId,
    refresh_token: tokens["refresh_token"] ?? "",
  });
  assert.equal(refresh.status, 400);
  assert.deepEqual(
    service.signIns.map(({ grantType, errorCode }) => `${grantType} ${errorCode}`),
    ["authorize 0", "authorization_code 0", "authorization_code 54005", "refresh_token 70008"],
  );
});

const wrongRedemptions: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ["another verifier", { code_verifier: randomBytes(32).toString("base64url") }, /^AADSTS501481/],
  ["no verifier", { code_verifier: "" }, /^AADSTS900144/],
  ["another address", { redirect_uri: "https://localhost:8443/" }, /^AADSTS500112/],
  ["another client", { client_id: "04b07795-8ddb-461a-bbee-02f9e1bf7b46" }, /^AADSTS70008/],
];
for (const [what, changes, expected] of wrongRedemptions) {
  test(`a code with ${what} gives nothing`, async () => {
    await using service = await testIdentity();
    const reply = await redeem(service, await codeOf(service), changes);
    assert.equal(reply.ok, false);
    assert.match(((await reply.json()) as { error_description: string }).error_description, expected);
  });
}

test("a code is old after five minutes, a page after fifteen", async () => {
  await using service = await testIdentity();
  const code = await codeOf(service);
  const page = await begin(service);
  service.clock.advance(5 * 60_000 + 1);
  assert.equal((await redeem(service, code)).status, 400);
  service.clock.advance(10 * 60_000);
  assert.equal((await submit(service, page)).status, 400);
});

test("a wrong password shows the page again, keeps the name and says why", async () => {
  await using service = await testIdentity();
  const reply = await submit(service, await begin(service), { password: "wrong" });
  assert.equal(reply.status, 400);
  const html = await reply.text();
  assert.match(html, /role="alert">Error validating credentials/);
  assert.match(html, new RegExp(`value="${service.admin.username}"`));
  assert.doesNotMatch(html, /value="wrong"/);
  assert.equal(service.signIns.at(-1)?.errorCode, 50126);
});

test("another site, another browser and a changed form cannot sign anybody in", async () => {
  await using service = await testIdentity();
  const begun = await begin(service);
  assert.equal((await submit(service, begun, {}, { "sec-fetch-site": "cross-site" })).status, 400);
  assert.equal((await submit(service, begun, {}, { cookie: "" })).status, 400);
  assert.equal((await submit(service, begun, {}, { cookie: (await begin(service)).cookie })).status, 400);
  const flipped = `${begun.ticket.slice(0, 40)}${begun.ticket[40] === "A" ? "B" : "A"}${begun.ticket.slice(41)}`;
  assert.equal((await submit(service, begun, { ticket: flipped })).status, 400);
  assert.equal((await submit(service, begun)).status, 303);
});

const untrusted: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["an unknown client", { client_id: "11111111-2222-3333-4444-555555555555" }],
  ["an unregistered address", { redirect_uri: "https://evil.example/" }],
  ["an address with something behind it", { redirect_uri: `${portalRedirect}/../evil` }],
  ["an address in another case", { redirect_uri: portalRedirect.toUpperCase() }],
  ["no address", { redirect_uri: "" }],
];
for (const [what, changes] of untrusted) {
  test(`${what} is shown to the user and never redirected to`, async () => {
    await using service = await testIdentity();
    const { status, headers } = await begin(service, changes);
    assert.equal(status, 400);
    assert.equal(headers.get("location"), null);
  });
}

const sentBack: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
  ["no proof key", { code_challenge: "" }, "invalid_request"],
  ["a plain proof key", { code_challenge_method: "plain" }, "invalid_request"],
  ["the implicit flow", { response_type: "token" }, "invalid_request"],
  ["a silent request", { prompt: "none" }, "login_required"],
];
for (const [what, changes, error] of sentBack) {
  test(`${what} is told to the client`, async () => {
    await using service = await testIdentity();
    const { status, headers } = await begin(service, changes);
    assert.equal(status, 303);
    const location = new URL(headers.get("location") ?? "");
    assert.equal(location.searchParams.get("error"), error);
    assert.equal(location.searchParams.get("state"), "s-1");
  });
}

test("az may wait on any port of the loopback address, and only there", async () => {
  await using service = await testIdentity();
  const az = { client_id: "04b07795-8ddb-461a-bbee-02f9e1bf7b46" };
  assert.equal((await begin(service, { ...az, redirect_uri: "http://localhost:8400" })).status, 200);
  assert.equal((await begin(service, { ...az, redirect_uri: "http://localhost:51234" })).status, 200);
  for (const address of [
    "http://localhost:8400/else",
    "https://localhost:8400",
    "http://localhost.evil.example:80",
    "http://a@localhost:80",
  ]) {
    assert.equal((await begin(service, { ...az, redirect_uri: address })).status, 400, address);
  }
});

test("signing out has a page", async () => {
  await using service = await testIdentity();
  const reply = await service.app.request(
    `/${service.admin.tenantId}/oauth2/v2.0/logout?post_logout_redirect_uri=https://evil.example`,
  );
  assert.equal(reply.status, 200);
  assert.equal(reply.headers.get("location"), null);
});
