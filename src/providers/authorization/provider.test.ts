// The provider behind the whole service, asked by Microsoft's own SDK and by hand.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { AuthorizationManagementClient } from "@azure/arm-authorization";
import { ClientSecretCredential } from "@azure/identity";
import { newGuid } from "../../lib/random.ts";
import { startTestService, type Answer, type TestService } from "../../../test/support/service.ts";

let service: TestService;
let client: AuthorizationManagementClient;
let subscription: string;
let group: string;
const reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const version = "?api-version=2022-04-01";

before(async () => {
  service = await startTestService();
  const { tenantId, clientId, clientSecret, subscriptionId } = service.admin;
  const tlsOptions = { ca: await readFile(service.ca, "utf8") };
  const options = { authorityHost: service.endpoint, disableInstanceDiscovery: true, tlsOptions };
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, options);
  client = new AuthorizationManagementClient(credential, subscriptionId, {
    $host: service.endpoint,
    endpoint: service.endpoint,
    tlsOptions,
  });
  subscription = `/subscriptions/${subscriptionId}`;
  group = `${subscription}/resourceGroups/Team`;
  await service.call("PUT", `${group}?api-version=2021-04-01`, { body: { location: "local" } });
});
after(() => service[Symbol.asyncDispose]());

/** Object id of a new service principal. */
async function newRobot(): Promise<string> {
  const app = await service.call("POST", "/v1.0/applications", { body: { displayName: `robot ${newGuid()}` } });
  return (await service.call("POST", "/v1.0/servicePrincipals", { body: { appId: app.json.appId } })).json.id as string;
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const put = (scope: string, properties: Readonly<Record<string, unknown>>, name: string = newGuid()): Promise<Answer> =>
  service.call("PUT", `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}${version}`, {
    body: { properties },
  });

test("the SDK assigns a role, finds the assignment in every way that it has, and takes it away", async () => {
  const principalId = await newRobot();
  const name = newGuid();
  const roleDefinitionId = `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${reader}`;
  // The scope in another spelling comes back in the stored one.
  const made = await client.roleAssignments.create(group.toLowerCase(), name, { roleDefinitionId, principalId });
  const id = `${group}/providers/Microsoft.Authorization/roleAssignments/${name}`;
  assert.equal(made.id, id);
  assert.equal(made.scope, group);
  assert.equal(made.principalType, "ServicePrincipal");
  assert.equal(made.roleDefinitionId, roleDefinitionId);
  assert.equal((await client.roleAssignments.get(group, name)).id, id);
  assert.equal((await client.roleAssignments.getById(id.slice(1))).id, id);
  const filter = `principalId eq '${principalId}'`;
  const ids = async (found: AsyncIterable<{ id?: string }>): Promise<unknown[]> =>
    (await all(found)).map((one) => one.id);
  assert.deepEqual(await ids(client.roleAssignments.listForSubscription({ filter })), [id]);
  assert.deepEqual(
    await ids(client.roleAssignments.listForResourceGroup("Team", { filter: `assignedTo('${principalId}')` })),
    [id],
  );
  assert.ok(!(await ids(client.roleAssignments.listForScope(subscription, { filter: "atScope()" }))).includes(id));
  assert.ok((await ids(client.roleAssignments.listForScope(group, { filter: "atScope()" }))).includes(id));
  assert.equal((await client.roleAssignments.delete(group, name)).id, id);
  assert.equal((await client.roleAssignments.delete(group, name)).id, undefined);
  await assert.rejects(client.roleAssignments.get(group, name), { code: "RoleAssignmentNotFound", statusCode: 404 });
});

test("a long list comes in pages, each assignment once", async () => {
  const principals = [await newRobot(), await newRobot(), await newRobot()];
  const roleDefinitionId = `/providers/Microsoft.Authorization/roleDefinitions/${reader}`;
  for (const principalId of principals) assert.equal((await put(group, { roleDefinitionId, principalId })).status, 201);
  const seen: string[] = [];
  let next = `${group}/providers/Microsoft.Authorization/roleAssignments${version}&$top=1`;
  for (let pages = 0; next !== "" && pages < 20; pages += 1) {
    const page = await service.call("GET", next);
    assert.equal(page.json.value.length, 1);
    seen.push(page.json.value[0].properties.principalId);
    next = page.json.nextLink === undefined ? "" : page.json.nextLink.slice(service.endpoint.length);
  }
  assert.equal(seen.filter((id) => principals.includes(id)).length, 3);
  assert.equal(new Set(seen).size, seen.length);
});

test("at the root an assignment's scope is /, and its role has the spelling of where it is looked at from", async () => {
  const root = await service.call(
    "GET",
    `/providers/Microsoft.Authorization/roleAssignments${version}&$filter=atScope()`,
  );
  assert.equal(root.status, 200);
  const owner = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
  for (const { id, name, properties } of root.json.value) {
    assert.equal(id, `/providers/Microsoft.Authorization/roleAssignments/${name}`);
    assert.equal(properties.scope, "/");
    assert.equal(properties.roleDefinitionId, `/providers/Microsoft.Authorization/roleDefinitions/${owner}`);
  }
  const seen = await service.call("GET", `${subscription}/providers/Microsoft.Authorization/roleAssignments${version}`);
  const definitions = await service.call(
    "GET",
    `${subscription}/providers/Microsoft.Authorization/roleDefinitions${version}`,
  );
  const known = new Set(definitions.json.value.map((one: { id: string }) => one.id));
  for (const { properties } of seen.json.value)
    assert.ok(known.has(properties.roleDefinitionId), properties.roleDefinitionId);
});

test("role definitions are filtered by name and type, and shown by GUID at any scope", async () => {
  const named = await all(client.roleDefinitions.list(group, { filter: "roleName eq 'backup operator'" }));
  assert.deepEqual(
    named.map(({ name }) => name),
    ["00c29273-979b-4161-815c-10b084fb9324"],
  );
  assert.deepEqual(await all(client.roleDefinitions.list(group, { filter: "type eq 'CustomRole'" })), []);
  assert.ok((await all(client.roleDefinitions.list(group, { filter: "atScopeAndBelow()" }))).length > 20);
  assert.equal((await client.roleDefinitions.get(subscription, reader)).roleName, "Reader");
  assert.equal(
    (await service.call("GET", `/providers/Microsoft.Authorization/roleDefinitions/${reader.toUpperCase()}${version}`))
      .status,
    200,
  );
  await assert.rejects(client.roleDefinitions.get(subscription, newGuid()), {
    code: "RoleDefinitionDoesNotExist",
    statusCode: 404,
  });
});

test("a custom role is made, changed, seen only where it can be assigned, and deleted", async () => {
  const name = newGuid();
  const definition = {
    roleName: `Watcher ${name}`,
    description: "watches",
    roleType: "CustomRole",
    permissions: [{ actions: ["Microsoft.Compute/*/read"] }],
    assignableScopes: [group],
  };
  const made = await client.roleDefinitions.createOrUpdate(group, name, definition);
  assert.equal(made.roleType, "CustomRole");
  assert.deepEqual(made.permissions?.[0]?.notActions, []);
  const changed = await client.roleDefinitions.createOrUpdate(group, name, { ...definition, description: "stares" });
  assert.equal(changed.description, "stares");
  const names = async (scope: string, filter: string): Promise<unknown[]> =>
    (await all(client.roleDefinitions.list(scope, { filter }))).map((one) => one.name);
  assert.ok((await names(group, "type eq 'CustomRole'")).includes(name));
  assert.ok(!(await names(subscription, "type eq 'CustomRole'")).includes(name));
  assert.ok((await names(subscription, "atScopeAndBelow() and type eq 'CustomRole'")).includes(name));
  await assert.rejects(client.roleDefinitions.createOrUpdate(group, newGuid(), definition), {
    code: "RoleDefinitionWithSameNameExists",
  });
  await assert.rejects(client.roleDefinitions.createOrUpdate(group, reader, definition), {
    code: "RoleDefinitionUpdateNotPermitted",
  });
  assert.equal((await client.roleDefinitions.delete(group, name)).name, name);
  assert.equal(
    (await service.call("DELETE", `${group}/providers/Microsoft.Authorization/roleDefinitions/${name}${version}`))
      .status,
    204,
  );
});

test("what cannot be assigned is refused with Azure's code, and nothing is written", async () => {
  const principalId = await newRobot();
  const role = (name: string): string => `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${name}`;
  const good = { roleDefinitionId: role(reader), principalId };
  const cases: readonly (readonly [Readonly<Record<string, unknown>>, number, string])[] = [
    [{ ...good, principalId: newGuid() }, 400, "PrincipalNotFound"],
    [{ ...good, principalId: "nobody" }, 400, "InvalidPrincipalId"],
    [{ ...good, principalType: "User" }, 400, "UnmatchedPrincipalType"],
    [{ ...good, roleDefinitionId: role(newGuid()) }, 404, "RoleDefinitionDoesNotExist"],
    [{ ...good, roleDefinitionId: "Reader" }, 400, "InvalidRoleDefinitionId"],
    [{ ...good, condition: "@Resource[x] StringEquals 'y'", conditionVersion: "2.0" }, 400, "InvalidRequestContent"],
    [{ roleDefinitionId: role(reader) }, 400, "InvalidRequestContent"],
  ];
  for (const [properties, status, code] of cases) {
    const reply = await put(group, properties);
    assert.deepEqual([reply.status, reply.json.error.code], [status, code], reply.text);
  }
  assert.equal((await put(group, good, "not-a-guid")).status, 400);
  const filter = `&$filter=principalId eq '${principalId}'`;
  const listed = await service.call(
    "GET",
    `${subscription}/providers/Microsoft.Authorization/roleAssignments${version}${encodeURI(filter)}`,
  );
  assert.deepEqual(listed.json.value, []);
  assert.equal((await put(group, good)).status, 201);
  const twin = await put(group, good);
  assert.deepEqual(
    [twin.status, twin.json.error.code, twin.json.error.message],
    [409, "RoleAssignmentExists", "The role assignment already exists."],
  );
});

test("only the description of an assignment can change", async () => {
  const principalId = await newRobot();
  const roleDefinitionId = `/providers/Microsoft.Authorization/roleDefinitions/${reader}`;
  const name = newGuid();
  assert.equal((await put(group, { roleDefinitionId, principalId }, name)).status, 201);
  const described = await put(group, { roleDefinitionId, principalId, description: "for the audit" }, name);
  assert.deepEqual([described.status, described.json.properties.description], [201, "for the audit"]);
  const moved = await put(group, { roleDefinitionId, principalId: await newRobot() }, name);
  assert.equal(moved.json.error.code, "RoleAssignmentUpdateNotPermitted");
});

test("everybody sees his own permissions; what never exists here is an empty list", async () => {
  const permissions = await all(client.permissions.listForResourceGroup("Team"));
  assert.deepEqual(
    permissions.map(({ actions }) => actions),
    [["*"]],
  );
  assert.deepEqual(await all(client.denyAssignments.listForScope(group)), []);
  assert.deepEqual(await all(client.classicAdministrators.list()), []);
});

test("provider operations name the actions that the routes ask for", async () => {
  const metadata = await client.providerOperationsMetadataOperations.get("microsoft.authorization");
  const operations = metadata.resourceTypes?.flatMap((type) => type.operations ?? []).map(({ name }) => name) ?? [];
  for (const verb of ["read", "write", "delete"])
    assert.ok(operations.includes(`Microsoft.Authorization/roleAssignments/${verb}`));
  const everything = await all(client.providerOperationsMetadataOperations.list());
  assert.ok(everything.length > 3);
  const types = everything.flatMap((provider) => provider.resourceTypes ?? []);
  for (const type of types) assert.ok(type.name !== "" && (type.operations ?? []).length > 0, type.name);
  assert.ok(types.some(({ name }) => name === "subscriptions/resourceGroups"));
});
