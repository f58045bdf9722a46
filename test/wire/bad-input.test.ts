// Hostile and mistaken clients against a running service: Azure's status and code, a message that
// names what was wrong, no stack, and nothing half-written.

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import { send, startTestService, type Answer, type TestService } from "../support/service.ts";

let service: TestService;
let groups: string;
const api = "api-version=2021-04-01";

before(async () => {
  service = await startTestService();
  groups = `/subscriptions/${service.admin.subscriptionId}/resourceGroups`;
  await service.call("PUT", `${groups}/good?${api}`, { body: { location: "local" } });
});

after(() => service[Symbol.asyncDispose]());

function expectError(answer: Answer, status: number, code: string, message: RegExp): void {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.json.error.code, code, answer.text);
  assert.match(answer.json.error.message, message);
  assert.doesNotMatch(answer.text, /\bat .+\.ts:\d+|node_modules|SqliteError/);
  assert.ok(answer.headers["x-ms-request-id"]);
}

interface BadRequest {
  readonly name: string;
  readonly method: string;
  readonly path: () => string;
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly code: string;
  readonly message: RegExp;
}

const badRequests: readonly BadRequest[] = [
  {
    name: "no api-version",
    method: "GET",
    path: () => `${groups}/good`,
    status: 400,
    code: "MissingApiVersionParameter",
    message: /api-version/,
  },
  {
    name: "a body nested without measure",
    method: "PUT",
    path: () => `${groups}/good?${api}`,
    text: `{"location":"local","tags":${'{"a":'.repeat(100_000)}1${"}".repeat(100_001)}`,
    status: 400,
    code: "InvalidRequestContent",
    message: /nested deeper than/,
  },
  {
    name: "a network interface without any properties",
    method: "PUT",
    path: () => `${groups}/good/providers/Microsoft.Network/networkInterfaces/nic?${api}`,
    body: { location: "local" },
    status: 400,
    code: "InvalidRequestContent",
    message: /ip configuration/,
  },
  {
    name: "slashes only",
    method: "GET",
    path: () => `//?${api}`,
    status: 404,
    code: "NotFound",
    message: /nothing at/,
  },
  {
    name: "a wrong api-version",
    method: "GET",
    path: () => `${groups}/good?api-version=latest`,
    status: 400,
    code: "InvalidApiVersionParameter",
    message: /'latest'/,
  },
  {
    name: "an api-version from before Azure",
    method: "GET",
    path: () => `${groups}/good?api-version=1999-01-01`,
    status: 400,
    code: "InvalidApiVersionParameter",
    message: /1999/,
  },
  {
    name: "an unknown namespace",
    method: "GET",
    path: () => `${groups}/good/providers/Contoso.Things/x/y?${api}`,
    status: 404,
    code: "InvalidResourceNamespace",
    message: /Contoso\.Things/,
  },
  {
    name: "an unknown type",
    method: "GET",
    path: () => `${groups}/good/providers/Microsoft.ManagedIdentity/nothings/y?${api}`,
    status: 404,
    code: "InvalidResourceType",
    message: /nothings/,
  },
  {
    name: "a method that the type does not have",
    method: "POST",
    path: () => `${groups}/good?${api}`,
    status: 405,
    code: "MethodNotAllowed",
    message: /POST.*GET/,
  },
  {
    name: "a missing subscription",
    method: "GET",
    path: () => `/subscriptions/00000000-0000-0000-0000-00000000dead/resourceGroups?${api}`,
    status: 404,
    code: "SubscriptionNotFound",
    message: /dead/,
  },
  {
    name: "a missing group",
    method: "GET",
    path: () => `${groups}/none/providers/Microsoft.ManagedIdentity/userAssignedIdentities/x?${api}`,
    status: 404,
    code: "ResourceGroupNotFound",
    message: /'none'/,
  },
  {
    name: "a missing resource",
    method: "GET",
    path: () => `${groups}/good/providers/Microsoft.ManagedIdentity/userAssignedIdentities/x?${api}`,
    status: 404,
    code: "ResourceNotFound",
    message: /userAssignedIdentities\/x/,
  },
  {
    name: "broken JSON",
    method: "PUT",
    path: () => `${groups}/new?${api}`,
    text: '{"location": "local"',
    status: 400,
    code: "InvalidRequestContent",
    message: /deserialized/,
  },
  {
    name: "a body that is no object",
    method: "PUT",
    path: () => `${groups}/new?${api}`,
    text: "[1]",
    status: 400,
    code: "InvalidRequestContent",
    message: /body/,
  },
  {
    name: "no body",
    method: "PUT",
    path: () => `${groups}/new?${api}`,
    status: 400,
    code: "InvalidRequestContent",
    message: /no body/,
  },
  {
    name: "no location",
    method: "PUT",
    path: () => `${groups}/new?${api}`,
    body: {},
    status: 400,
    code: "LocationRequired",
    message: /location/,
  },
  {
    name: "an unknown location",
    method: "PUT",
    path: () => `${groups}/new?${api}`,
    body: { location: "moon" },
    status: 400,
    code: "LocationNotAvailableForResourceType",
    message: /'moon'.*local/,
  },
  {
    name: "another location for a group that is there",
    method: "PUT",
    path: () => `${groups}/good?${api}`,
    body: { location: "eastus" },
    status: 409,
    code: "InvalidResourceGroupLocation",
    message: /eastus.*local/,
  },
  {
    name: "tags that are no texts",
    method: "PUT",
    path: () => `${groups}/new?${api}`,
    body: { location: "local", tags: { a: 1 } },
    status: 400,
    code: "InvalidRequestContent",
    message: /tags\.a.*Seen: 1/,
  },
  {
    name: "a group name with a bad character",
    method: "PUT",
    path: () => `${groups}/a%3Cb?${api}`,
    body: { location: "local" },
    status: 400,
    code: "InvalidResourceName",
    message: /a<b/,
  },
  {
    name: "a group name that is too long",
    method: "PUT",
    path: () => `${groups}/${"g".repeat(91)}?${api}`,
    body: { location: "local" },
    status: 400,
    code: "InvalidResourceName",
    message: /1 to 90/,
  },
  {
    name: "a path that climbs out",
    method: "GET",
    path: () => `${groups}/%2e%2e/%2e%2e?${api}`,
    status: 400,
    code: "InvalidRequestUri",
    message: /'\.\.'/,
  },
  {
    name: "a slash inside a name",
    method: "GET",
    path: () => `${groups}/a%2fb?${api}`,
    status: 400,
    code: "InvalidRequestUri",
    message: /slash/,
  },
  {
    name: "broken percent-encoding",
    method: "GET",
    path: () => `${groups}/%zz?${api}`,
    status: 400,
    code: "InvalidRequestUri",
    message: /%zz/,
  },
  {
    name: "a filter that is none",
    method: "GET",
    path: () => `${groups}?${api}&$filter=${encodeURIComponent("name is 'x'")}`,
    status: 400,
    code: "InvalidFilterInQueryString",
    message: /'is'/,
  },
  {
    name: "a filter on a field that is not there",
    method: "GET",
    path: () => `${groups}?${api}&$filter=${encodeURIComponent("colour eq 'x'")}`,
    status: 400,
    code: "InvalidFilterInQueryString",
    message: /colour.*Supported/,
  },
  {
    name: "a page size that is none",
    method: "GET",
    path: () => `${groups}?${api}&$top=many`,
    status: 400,
    code: "InvalidTopInQueryString",
    message: /'many'/,
  },
  {
    name: "a made-up skip token",
    method: "GET",
    path: () => `${groups}?${api}&$skipToken=${Buffer.from("x".repeat(40)).toString("base64url")}`,
    status: 400,
    code: "InvalidSkipToken",
    message: /not one that this list gave out/,
  },
  {
    name: "a stale ETag",
    method: "PUT",
    path: () => `${groups}/good?${api}`,
    body: { location: "local" },
    headers: { "If-Match": 'W/"0000"' },
    status: 412,
    code: "PreconditionFailed",
    message: /ETag/,
  },
  {
    name: "If-None-Match on what is there",
    method: "PUT",
    path: () => `${groups}/good?${api}`,
    body: { location: "local" },
    headers: { "If-None-Match": "*" },
    status: 412,
    code: "PreconditionFailed",
    message: /exists/,
  },
  {
    name: "an unknown lock level",
    method: "PUT",
    path: () => `${groups}/good/providers/Microsoft.Authorization/locks/l?${api}`,
    body: { properties: { level: "Strong" } },
    status: 400,
    code: "InvalidRequestContent",
    message: /level.*CanNotDelete.*"Strong"/,
  },
  {
    name: "an operation that is not there",
    method: "GET",
    path: () =>
      `/subscriptions/${service.admin.subscriptionId}/operationresults/00000000-0000-0000-0000-000000000000?${api}`,
    status: 404,
    code: "OperationNotFound",
    message: /was not found/,
  },
];

for (const bad of badRequests) {
  test(`${bad.name} is refused with ${bad.code}`, async () => {
    const answer = await service.call(bad.method, bad.path(), { body: bad.body, text: bad.text, headers: bad.headers });
    expectError(answer, bad.status, bad.code, bad.message);
  });
}

test("nothing of all that was written", async () => {
  const listed = await service.call("GET", `${groups}?${api}`);
  assert.deepEqual(
    listed.json.value.map((group: { name: string; location: string }) => [group.name, group.location]),
    [["good", "local"]],
  );
});

test("case, doubled and trailing slashes change nothing; the answer's ids are canonical", async () => {
  const answer = await service.call(
    "GET",
    `//SUBSCRIPTIONS/${service.admin.subscriptionId}//RESOURCEGROUPS/GOOD/?${api}`,
  );
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.id, `${groups}/good`);
});

test("what has changed since it was read is not deleted", async () => {
  const path = `${groups}/good/providers/Microsoft.ManagedIdentity/userAssignedIdentities/kept?${api}`;
  const made = await service.call("PUT", path, { body: { location: "local" } });
  const stale = await service.call("DELETE", path, { headers: { "If-Match": 'W/"0000"' } });
  assert.equal(stale.json.error.code, "PreconditionFailed");
  const fresh = await service.call("DELETE", path, { headers: { "If-Match": String(made.headers["etag"]) } });
  assert.equal(fresh.status, 200, fresh.text);
});

test("a body over the limit is refused, said or not how long it is", async () => {
  const large = JSON.stringify({ location: "local", tags: { a: "x".repeat(10 * 1024 * 1024) } });
  expectError(
    await service.call("PUT", `${groups}/new?${api}`, { text: large }),
    413,
    "RequestEntityTooLarge",
    /4194304 bytes/,
  );
  const chunked = await service.call("PUT", `${groups}/new?${api}`, {
    text: large,
    headers: { "Transfer-Encoding": "chunked" },
  });
  assert.equal(chunked.status, 413);
});

test("tokens that are none, tampered, foreign, unsigned or for somebody else are refused with a challenge", async () => {
  const good = await adminToken();
  const [head = "", body = "", signature = ""] = good.split(".");
  const claims = JSON.parse(Buffer.from(body, "base64url").toString("utf8")) as Record<string, unknown>;
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const foreign = `${head}.${body}`;
  const jwks = await send(
    `${service.endpoint}/${service.admin.tenantId}/discovery/v2.0/keys`,
    "GET",
    await readFile(service.ca),
    {},
  );
  const tokens: Record<string, string> = {
    none: "",
    garbage: "abc",
    tampered: `${head}.${encode({ ...claims, oid: "00000000-0000-0000-0000-000000000000" })}.${signature}`,
    unsigned: `${encode({ alg: "none", typ: "JWT" })}.${body}.`,
    hmac: hmacToken(
      encode({ ...(JSON.parse(Buffer.from(head, "base64url").toString("utf8")) as object), alg: "HS256" }),
      body,
      jwks.text,
    ),
    foreign: `${foreign}.${sign("sha256", Buffer.from(foreign), privateKey).toString("base64url")}`,
  };
  for (const [name, token] of Object.entries(tokens)) {
    const answer = await service.call("GET", `${groups}?${api}`, { token });
    assert.equal(answer.status, 401, `${name}: ${answer.text}`);
    assert.match(String(answer.headers["www-authenticate"]), /^Bearer authorization_uri=/, name);
    assert.match(answer.json.error.code, /Authentication/, name);
  }
});

test("a client that dribbles its head is cut off, and others are served meanwhile", async () => {
  const socket = connect({
    port: Number(new URL(service.endpoint).port),
    host: "127.0.0.1",
    servername: "localhost",
    ca: await readFile(service.ca),
  });
  await once(socket, "secureConnect");
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n");
  const drip = setInterval(() => socket.write("X-Slow: 1\r\n"), 500);
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  assert.equal((await service.call("GET", "/healthz")).status, 200);
  await closed;
  clearInterval(drip);
});

async function adminToken(): Promise<string> {
  const { clientId, clientSecret, tenantId } = service.admin;
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: clientSecret,
    scope: `${service.endpoint}/.default`,
  });
  const answer = await send(
    `${service.endpoint}/${tenantId}/oauth2/v2.0/token`,
    "POST",
    await readFile(service.ca),
    { "Content-Type": "application/x-www-form-urlencoded" },
    form.toString(),
  );
  return answer.json.access_token as string;
}

/** Signed with the public key as if it were a shared secret. */
function hmacToken(head: string, body: string, jwks: string): string {
  return `${head}.${body}.${createHmac("sha256", jwks).update(`${head}.${body}`).digest("base64url")}`;
}

test("words that strangers make up are no series of the metrics: each would stay for good", async () => {
  for (const word of ["Made.Up", "Quite.Other"])
    assert.equal((await service.call("GET", `/providers/${word}/things?${api}`, { token: "" })).status, 401);
  const { text } = await service.call("GET", "/metrics", { token: "" });
  assert.match(text, /holdfast_http_requests_total/);
  assert.doesNotMatch(text, /made\.up|quite\.other/i);
});
