import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { putAssignment } from "../access/role-assignments.ts";
import { userAccessAdministratorRole } from "../access/roles/general.ts";
import { createManagedIdentity } from "../directory/service-principals.ts";
import { newGuid } from "../../lib/random.ts";
import { testIdentity, type TestIdentity } from "../testing/identity-service.ts";

interface Reply {
  readonly status: number;
  readonly body: GraphBody;
}
interface GraphBody {
  readonly id: string;
  readonly appId: string;
  readonly value: readonly (GraphBody & Record<string, unknown>)[];
  readonly error: { readonly code: string; readonly message: string };
  readonly "@odata.nextLink"?: string;
  readonly [name: string]: unknown;
}

type Client = (method: string, path: string, body?: unknown) => Promise<Reply>;

async function clientOf(service: TestIdentity, token?: string): Promise<Client> {
  const bearer = token ?? (await service.adminToken("https://graph.microsoft.com/.default"));
  return async (method, path, body) => {
    const reply = await service.app.request(path.startsWith("https:") ? path : `/v1.0${path}`, {
      method,
      headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    return { status: reply.status, body: (text === "" ? {} : JSON.parse(text)) as GraphBody };
  };
}

/** A service principal with a token of its own. */
async function newRobot(service: TestIdentity, graph: Client): Promise<{ id: string; appId: string; graph: Client }> {
  const { body: app } = await graph("POST", "/applications", { displayName: `robot ${newGuid()}` });
  const { body: principal } = await graph("POST", "/servicePrincipals", { appId: app.appId });
  const { body: secret } = await graph("POST", `/applications/${app.id}/addPassword`, {});
  const reply = await service.post("/adfs/oauth2/token", {
    grant_type: "client_credentials",
    client_id: app.appId,
    client_secret: String(secret["secretText"]),
    scope: "https://graph.microsoft.com/.default",
  });
  const { access_token } = (await reply.json()) as { access_token: string };
  return { id: principal.id, appId: app.appId, graph: await clientOf(service, access_token) };
}

const eq = (text: string): string => encodeURIComponent(text);

test("create-for-rbac's requests: an application, a secret, a service principal, found again by name", async () => {
  await using service = await testIdentity();
  const graph = await clientOf(service);
  const app = await graph("POST", "/applications", { displayName: "robot", keyCredentials: [] });
  assert.equal(app.status, 201);
  assert.deepEqual(app.body["passwordCredentials"], []);
  const times = { startDateTime: "2026-11-21T04:00:00Z", endDateTime: "2099-11-21T04:00:00Z" };
  const secret = await graph("POST", `/applications/${app.body.id}/addPassword`, {
    passwordCredential: { displayName: "rbac", ...times },
  });
  assert.equal(secret.body["endDateTime"], "2099-11-21T04:00:00.000Z");
  assert.match(String(secret.body["secretText"]), /^.{3}8Q~.{34}$/);
  const shown = await graph("GET", `/applications/${app.body.id}`);
  const [credential] = shown.body["passwordCredentials"] as { secretText: null; hint: string; keyId: string }[];
  assert.equal(credential?.secretText, null);
  assert.equal(credential?.hint, String(secret.body["secretText"]).slice(0, 3));
  const principal = await graph("POST", "/servicePrincipals", { appId: app.body.appId, accountEnabled: true });
  assert.equal(principal.status, 201);
  assert.equal(principal.body["displayName"], "robot");
  const bySpn = await graph(
    "GET",
    `/servicePrincipals?$filter=${eq(`servicePrincipalNames/any(c:c eq '${app.body.appId}')`)}`,
  );
  assert.deepEqual(
    bySpn.body.value.map(({ id }) => id),
    [principal.body.id],
  );
  const byName = await graph("GET", `/servicePrincipals?$filter=${eq("displayName eq 'ROBOT'")}`);
  assert.equal(byName.body.value.length, 1);
  const twice = await graph("POST", "/servicePrincipals", { appId: app.body.appId });
  assert.deepEqual([twice.status, twice.body.error.code], [409, "Request_MultipleObjectsWithSameKeyValue"]);
  assert.equal(
    (await graph("POST", `/applications/${app.body.id}/removePassword`, { keyId: credential?.keyId })).status,
    204,
  );
  assert.equal(
    (await graph("POST", `/applications/${app.body.id}/removePassword`, { keyId: credential?.keyId })).status,
    400,
  );
  assert.equal((await graph("DELETE", `/applications/${app.body.id}`)).status, 204);
  assert.equal((await graph("GET", `/servicePrincipals/${principal.body.id}`)).status, 404);
});

test("a service principal for an unknown application fails with the words that make az wait and try again", async () => {
  await using service = await testIdentity();
  const reply = await (await clientOf(service))("POST", "/servicePrincipals", { appId: newGuid() });
  assert.equal(reply.status, 400);
  assert.match(reply.body.error.message, / does not reference /);
});

test("a patch of a complex property keeps what it does not name", async () => {
  await using service = await testIdentity();
  const graph = await clientOf(service);
  const { body } = await graph("POST", "/applications", {
    displayName: "web",
    web: { redirectUris: ["https://web.example/cb"] },
  });
  await graph("PATCH", `/applications/${body.id}`, { web: { homePageUrl: "https://web.example" } });
  const web = (await graph("GET", `/applications/${body.id}`)).body["web"] as Record<string, unknown>;
  assert.deepEqual(web["redirectUris"], ["https://web.example/cb"]);
  assert.equal(web["homePageUrl"], "https://web.example");
});

test("/me is an error for a service principal and the person for a person", async () => {
  await using service = await testIdentity();
  assert.equal((await (await clientOf(service))("GET", "/me")).status, 400);
  const reply = await service.post("/adfs/oauth2/token", {
    grant_type: "password",
    client_id: "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
    username: service.admin.username,
    password: service.admin.password,
    scope: "https://localhost:8443/.default",
  });
  const { access_token } = (await reply.json()) as { access_token: string };
  const me = await (await clientOf(service, access_token))("GET", "/me");
  assert.equal(me.body["userPrincipalName"], service.admin.username);
});

test("users and groups are made, found, joined and deleted; getByIds tells their types", async () => {
  await using service = await testIdentity();
  const graph = await clientOf(service);
  const user = await graph("POST", "/users", {
    userPrincipalName: "ann@holdfast.test",
    displayName: "Ann",
    mailNickname: "ann",
    accountEnabled: true,
    passwordProfile: { password: "correct horse", forceChangePasswordNextSignIn: false },
  });
  assert.equal(user.status, 201);
  assert.equal((await graph("GET", "/users/ANN@holdfast.test")).body.id, user.body.id);
  const group = await graph("POST", "/groups", {
    displayName: "ops",
    mailNickname: "ops",
    mailEnabled: false,
    securityEnabled: true,
  });
  const reference = { "@odata.id": `https://localhost:8443/v1.0/directoryObjects/${user.body.id}` };
  assert.equal((await graph("POST", `/groups/${group.body.id}/members/$ref`, reference)).status, 204);
  assert.equal((await graph("POST", `/groups/${group.body.id}/members/$ref`, reference)).status, 400);
  assert.deepEqual(
    (await graph("GET", `/groups/${group.body.id}/members`)).body.value.map(({ id }) => id),
    [user.body.id],
  );
  const ids = [user.body.id, group.body.id, newGuid()];
  const types = ["user", "group", "servicePrincipal", "directoryObjectPartnerReference"];
  const found = await graph("POST", "/directoryObjects/getByIds", { ids, types });
  assert.deepEqual(
    found.body.value.map((one) => one["@odata.type"]),
    ["#microsoft.graph.user", "#microsoft.graph.group"],
  );
  assert.deepEqual((await graph("POST", `/users/${user.body.id}/getMemberGroups`, {})).body.value, [group.body.id]);
  assert.equal((await graph("DELETE", `/users/${user.body.id}`)).status, 204);
  assert.deepEqual((await graph("GET", `/groups/${group.body.id}/members`)).body.value, []);
});

test("everybody may read, nobody may write without directory rights, and the disabled may do nothing", async () => {
  await using service = await testIdentity();
  const admin = await clientOf(service);
  const robot = await newRobot(service, admin);
  assert.equal((await robot.graph("GET", "/servicePrincipals")).status, 200);
  assert.equal((await robot.graph("POST", "/directoryObjects/getByIds", { ids: [] })).status, 200);
  const writes: readonly (readonly [string, string, unknown])[] = [
    ["POST", "/applications", { displayName: "x" }],
    ["POST", "/users", {}],
    ["PATCH", `/servicePrincipals/${robot.id}`, { accountEnabled: true }],
    ["POST", `/servicePrincipals/${robot.id}/addPassword`, {}],
    ["DELETE", `/servicePrincipals/${robot.id}`, undefined],
  ];
  for (const [method, path, body] of writes) {
    const reply = await robot.graph(method, path, body);
    assert.deepEqual([reply.status, reply.body.error.code], [403, "Authorization_RequestDenied"], `${method} ${path}`);
    assert.match(reply.body.error.message, /Insufficient privileges/);
  }
  const { tenantId } = service.admin;
  const assignment = {
    name: newGuid(),
    tenantId,
    principalId: robot.id,
    role: userAccessAdministratorRole,
    by: robot.id,
  };
  await service.database.transaction((trx) => putAssignment(trx, { ...assignment, scope: "" }));
  assert.equal((await robot.graph("POST", "/applications", { displayName: "x" })).status, 201);
  await admin("PATCH", `/servicePrincipals/${robot.id}`, { accountEnabled: false });
  assert.equal((await robot.graph("GET", "/servicePrincipals")).status, 401);
});

test("every change is told in the stream of events: who, what, and what was made", async () => {
  await using service = await testIdentity();
  const graph = await clientOf(service);
  const { body } = await graph("POST", "/groups", { displayName: "ops", mailNickname: "ops" });
  await graph("DELETE", `/groups/${body.id}`);
  await graph("DELETE", `/groups/${body.id}`);
  const rows = await service.database.kysely.selectFrom("events").selectAll().orderBy("position").execute();
  const told = rows
    .filter(({ type }) => type === "directory.changed")
    .map(({ subject, data }) => [subject, JSON.parse(data)]);
  const path = "/v1.0/groups";
  assert.deepEqual(told, [
    [path, { method: "POST", path, made: body.id }],
    [`${path}/${body.id}`, { method: "DELETE", path: `${path}/${body.id}`, made: null }],
  ]);
  const signIn = rows.find(({ type }) => type === "signIn.granted");
  assert.equal(signIn?.actor, service.admin.clientId);
  assert.doesNotMatch(JSON.stringify(rows), new RegExp(service.admin.clientSecret));
});

test("without a token, or with one for something else, the answer is 401 with a challenge", async () => {
  await using service = await testIdentity();
  const reply = await service.app.request("/v1.0/users");
  assert.equal(reply.status, 401);
  assert.match(reply.headers.get("www-authenticate") ?? "", /^Bearer /);
  const vault = await clientOf(service, await service.adminToken("https://vault.azure.net/.default"));
  assert.equal((await vault("GET", "/users")).status, 401);
});

test("lists come in pages that link to each other and lose nothing", async () => {
  await using service = await testIdentity();
  const graph = await clientOf(service);
  for (let count = 0; count < 7; count += 1) {
    await graph("POST", "/groups", { displayName: `g${count}`, mailNickname: `g${count}` });
    service.clock.advance(count % 2);
  }
  const seen: unknown[] = [];
  let path: string | undefined = `/groups?$top=3&$filter=${eq("startswith(displayName,'G')")}`;
  for (let pages = 0; path !== undefined; pages += 1) {
    assert.ok(pages < 4);
    const { status, body }: Reply = await graph("GET", path);
    assert.equal(status, 200);
    seen.push(...body.value.map((one) => one["displayName"]));
    path = body["@odata.nextLink"];
    if (path !== undefined) assert.match(path, /^https:\/\/localhost:8443\/v1\.0\/groups\?/);
  }
  assert.deepEqual([...seen].sort(), ["g0", "g1", "g2", "g3", "g4", "g5", "g6"]);
});

test("filters of any text are an answer or a 400, never a crash", async () => {
  await using service = await testIdentity();
  const graph = await clientOf(service);
  const piece = fc.constantFrom(
    "displayName",
    " eq ",
    "'a'",
    "(",
    ")",
    " and ",
    "not ",
    "startswith",
    ",",
    "any",
    "/",
    ":",
    "'",
    "x",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const { status } = await graph("GET", `/groups?$filter=${eq(pieces.join(""))}`);
      assert.ok(status === 200 || status === 400, `${pieces.join("")} -> ${status}`);
    }),
    { numRuns: 150 },
  );
  assert.equal((await graph("GET", `/groups?$filter=${"(".repeat(3000)}`)).status, 400);
});

test("bad bodies name the property; unknown addresses and objects are 404", async () => {
  await using service = await testIdentity();
  const graph = await clientOf(service);
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ["/applications", { displayName: "x", web: { redirectUris: ["javascript:alert(1)"] } }, /web\.redirectUris\.0/],
    ["/applications", { displayName: "x", keyCredentials: [{}] }, /Key credential/],
    ["/applications", {}, /displayName/],
    [
      "/users",
      { userPrincipalName: "no at sign", displayName: "x", passwordProfile: { password: "12345678" } },
      /userPrincipalName/,
    ],
    [
      "/users",
      { userPrincipalName: "a@b", displayName: "x", passwordProfile: { password: "short" } },
      /passwordProfile\.password/,
    ],
    ["/groups", { displayName: "x", mailNickname: "x", securityEnabled: false }, /securityEnabled/],
  ];
  for (const [path, body, expected] of cases) {
    const reply = await graph("POST", path, body);
    assert.equal(reply.status, 400, path);
    assert.match(reply.body.error.message, expected);
  }
  assert.equal((await graph("GET", `/groups/${newGuid()}`)).status, 404);
  assert.equal((await graph("GET", "/teams")).status, 404);
});

test("a managed identity is found by its client id and has no secret to sign in with", async () => {
  await using service = await testIdentity();
  const graph = await clientOf(service);
  const resourceId = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm";
  const identity = await service.database.transaction((trx) =>
    createManagedIdentity(trx, { tenantId: service.admin.tenantId, displayName: "vm", resourceId }),
  );
  const { body } = await graph("GET", `/servicePrincipals/${identity.id}`);
  assert.equal(body["servicePrincipalType"], "ManagedIdentity");
  assert.deepEqual(body["alternativeNames"], ["isExplicit=True", resourceId]);
  assert.equal((await graph("DELETE", `/servicePrincipals/${identity.id}`)).status, 400);
  const reply = await service.post("/adfs/oauth2/token", {
    grant_type: "client_credentials",
    client_id: identity.appId,
    client_secret: "x",
    scope: "https://management.azure.com/.default",
  });
  assert.equal(reply.status, 400);
});
