// Principals, roles and what they are refused, by the real az.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { azEnvironment, azFails, azWith, type Az } from "../support/az.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
let environment: Record<string, string>;
let az: Az;

before(async () => {
  service = await startTestService();
  environment = await azEnvironment(service);
  az = azWith(environment);
});

after(() => service[Symbol.asyncDispose]());

test("roles are listed and assigned by name, shown and taken away", async () => {
  const [reader] = await az("role", "definition", "list", "--name", "Backup Reader");
  assert.equal(reader.name, "a795c7a0-d4a2-40c1-ae25-d81f01202912");
  const application = await az("ad", "sp", "create-for-rbac", "--name", "auditor", "--skip-assignment");
  await az("group", "create", "--name", "audited", "--location", "local");
  const scope = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/audited`;
  const made = await az(
    "role",
    "assignment",
    "create",
    "--assignee",
    application.appId,
    "--role",
    "Backup Reader",
    "--scope",
    scope,
  );
  assert.equal(made.scope, scope);
  const listed = await az("role", "assignment", "list", "--assignee", application.appId, "--scope", scope);
  assert.deepEqual(
    listed.map((one: { roleDefinitionName: string }) => one.roleDefinitionName),
    ["Backup Reader"],
  );
  await az(
    "role",
    "assignment",
    "delete",
    "--assignee",
    application.appId,
    "--role",
    "Backup Reader",
    "--scope",
    scope,
  );
  assert.deepEqual(await az("role", "assignment", "list", "--assignee", application.appId, "--scope", scope), []);
  const shown = await az("ad", "sp", "show", "--id", application.appId);
  assert.equal(shown.displayName, "auditor");
  const names = (await az("ad", "sp", "list", "--all")).map(
    (principal: { displayName: string }) => principal.displayName,
  );
  assert.ok(names.includes("auditor"));
});

test("a principal made by create-for-rbac signs in, may what its role says, and is refused the rest", async () => {
  await az("group", "create", "--name", "workshop", "--location", "local");
  const scope = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/workshop`;
  const made = await az("ad", "sp", "create-for-rbac", "--name", "worker", "--role", "Reader", "--scopes", scope);
  const folder = await mkdtemp(join(tmpdir(), "holdfast-az-"));
  try {
    const own = azWith({ ...environment, AZURE_CONFIG_DIR: folder });
    await own(
      "cloud",
      "register",
      "--name",
      "Holdfast",
      "--cloud-config",
      `@${join(service.data, "az", "cloud.json")}`,
    );
    await own("cloud", "set", "--name", "Holdfast");
    await own(
      "login",
      "--service-principal",
      "--username",
      made.appId,
      "--password",
      made.password,
      "--tenant",
      made.tenant,
    );
    assert.equal((await own("group", "show", "--name", "workshop")).name, "workshop");
    assert.deepEqual(
      (await own("group", "list")).map((group: { name: string }) => group.name),
      ["workshop"],
    );
    const write = await azFails(own, "group", "update", "--name", "workshop", "--set", "tags.a=b");
    assert.match(write.text, /AuthorizationFailed/);
    assert.match(write.text, /Microsoft.Resources\/subscriptions\/resourcegroups\/write/i);
    const other = await azFails(own, "group", "create", "--name", "elsewhere", "--location", "local");
    assert.match(other.text, /AuthorizationFailed/);
    const wrong = await azFails(
      own,
      "login",
      "--service-principal",
      "--username",
      made.appId,
      "--password",
      "wrong",
      "--tenant",
      made.tenant,
    );
    assert.match(wrong.text, /AADSTS7000215/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("users, groups and custom roles", async () => {
  const user = await az(
    "ad",
    "user",
    "create",
    "--display-name",
    "Ada",
    "--user-principal-name",
    "ada@holdfast.local",
    "--password",
    "Engine-1843-notes",
  );
  assert.equal(user.userPrincipalName, "ada@holdfast.local");
  const group = await az("ad", "group", "create", "--display-name", "Operators", "--mail-nickname", "operators");
  await az("ad", "group", "member", "add", "--group", "Operators", "--member-id", user.id);
  const members = await az("ad", "group", "member", "list", "--group", "Operators");
  assert.deepEqual(
    members.map((member: { id: string }) => member.id),
    [user.id],
  );
  const scope = `/subscriptions/${service.admin.subscriptionId}`;
  await az(
    "role",
    "assignment",
    "create",
    "--assignee-object-id",
    group.id,
    "--assignee-principal-type",
    "Group",
    "--role",
    "Backup Operator",
    "--scope",
    scope,
  );
  const all = await az("role", "assignment", "list", "--all");
  assert.ok(
    all.some(
      (one: { principalId: string; roleDefinitionName: string }) =>
        one.principalId === group.id && one.roleDefinitionName === "Backup Operator",
    ),
  );
  const role = JSON.stringify({
    Name: "Group watcher",
    Description: "Reads groups",
    Actions: ["Microsoft.Resources/subscriptions/resourceGroups/read"],
    AssignableScopes: [scope],
  });
  const custom = await az("role", "definition", "create", "--role-definition", role);
  assert.equal(custom.roleType, "CustomRole");
  await az("role", "definition", "delete", "--name", "Group watcher");
  assert.deepEqual(await az("role", "definition", "list", "--name", "Group watcher"), []);
});
