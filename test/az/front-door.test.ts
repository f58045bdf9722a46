// The real Azure CLI, signed in as its README says, on groups, tags, locks, providers, features,
// generic resources and the activity log.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { azEnvironment, azFails, azWith, type Az } from "../support/az.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
let az: Az;

before(async () => {
  service = await startTestService();
  az = azWith(await azEnvironment(service));
});

after(() => service[Symbol.asyncDispose]());

test("az is signed in to the subscription of the service", async () => {
  const account = await az("account", "show");
  assert.equal(account.id, service.admin.subscriptionId);
  assert.equal(account.tenantId, service.admin.tenantId);
  assert.equal(account.environmentName, "Holdfast");
  const token = await az("account", "get-access-token");
  assert.equal(token.accessToken.split(".").length, 3);
  const locations = await az("account", "list-locations");
  assert.ok(locations.some((location: { name: string }) => location.name === "local"));
  assert.ok(locations.some((location: { name: string }) => location.name === "eastus"));
});

test("a group is created, shown, listed, updated and deleted", async () => {
  const created = await az("group", "create", "--name", "Team-A", "--location", "East US", "--tags", "owner=ada");
  assert.equal(created.location, "eastus");
  assert.equal(created.properties.provisioningState, "Succeeded");
  const shown = await az("group", "show", "--name", "team-a");
  assert.equal(shown.id, `/subscriptions/${service.admin.subscriptionId}/resourceGroups/Team-A`);
  const updated = await az("group", "update", "--name", "Team-A", "--set", "tags.cost=low");
  assert.deepEqual(updated.tags, { owner: "ada", cost: "low" });
  await az("group", "create", "--name", "Team-B", "--location", "local");
  const listed = await az("group", "list", "--tag", "owner=ada");
  assert.deepEqual(
    listed.map((group: { name: string }) => group.name),
    ["Team-A"],
  );
  assert.equal(await az("group", "exists", "--name", "Team-B"), true);
  await az("group", "delete", "--name", "Team-B", "--yes");
  assert.equal(await az("group", "exists", "--name", "Team-B"), false);
  const failure = await azFails(az, "group", "show", "--name", "Team-B");
  assert.equal(failure.exitCode, 3);
  assert.match(failure.text, /ResourceGroupNotFound/);
});

test("a locked group refuses its deletion and says which lock it is", async () => {
  await az("group", "create", "--name", "locked", "--location", "local");
  const identity = await az("identity", "create", "--resource-group", "locked", "--name", "worker");
  await az("lock", "create", "--name", "keep", "--lock-type", "CanNotDelete", "--resource", identity.id);
  const failure = await azFails(az, "group", "delete", "--name", "locked", "--yes");
  assert.match(failure.text, /ScopeLocked/);
  assert.match(failure.text, /userAssignedIdentities\/worker/);
  assert.equal((await az("identity", "show", "--ids", identity.id)).name, "worker");
  await az("lock", "delete", "--ids", `${identity.id}/providers/Microsoft.Authorization/locks/keep`);
  await az("group", "delete", "--name", "locked", "--yes");
  assert.deepEqual(await az("resource", "list", "--name", "worker"), []);
});

test("resources are listed, shown, tagged and deleted by id, whatever their type", async () => {
  await az("group", "create", "--name", "things", "--location", "local");
  const identity = await az(
    "identity",
    "create",
    "--resource-group",
    "things",
    "--name",
    "thing-1",
    "--tags",
    "kind=test",
  );
  await az("identity", "create", "--resource-group", "things", "--name", "thing-2");
  const all = await az("resource", "list", "--resource-group", "things");
  assert.deepEqual(
    all.map((resource: { name: string }) => resource.name),
    ["thing-1", "thing-2"],
  );
  const tagged = await az("resource", "list", "--tag", "kind=test");
  assert.deepEqual(
    tagged.map((resource: { name: string }) => resource.name),
    ["thing-1"],
  );
  const shown = await az(
    "resource",
    "show",
    "--resource-group",
    "things",
    "--name",
    "thing-1",
    "--resource-type",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
  );
  assert.equal(shown.properties.principalId, identity.principalId);
  const retagged = await az("resource", "tag", "--ids", identity.id, "--tags", "kind=real");
  assert.deepEqual(retagged.tags, { kind: "real" });
  await az("resource", "delete", "--ids", identity.id);
  assert.equal((await azFails(az, "resource", "show", "--ids", identity.id)).exitCode, 3);
});

test("providers and features are registered and listed", async () => {
  await az("provider", "unregister", "--namespace", "Microsoft.Insights");
  assert.equal((await az("provider", "show", "--namespace", "Microsoft.Insights")).registrationState, "NotRegistered");
  await az("provider", "register", "--namespace", "Microsoft.Insights", "--wait");
  assert.equal((await az("provider", "show", "--namespace", "microsoft.insights")).registrationState, "Registered");
  const namespaces = (await az("provider", "list")).map((provider: { namespace: string }) => provider.namespace);
  assert.ok(namespaces.includes("Microsoft.Resources"));
  assert.equal(
    (await az("feature", "show", "--namespace", "Microsoft.Compute", "--name", "X")).properties.state,
    "NotRegistered",
  );
  await az("feature", "register", "--namespace", "Microsoft.Compute", "--name", "X");
  assert.equal(
    (await az("feature", "show", "--namespace", "Microsoft.Compute", "--name", "X")).properties.state,
    "Registered",
  );
  const features = await az("feature", "list", "--namespace", "Microsoft.Compute");
  assert.equal(features.length, 1);
});

test("the activity log says who did what, and its filters hold", async () => {
  await az("group", "create", "--name", "watched", "--location", "local");
  await azFails(az, "group", "create", "--name", "watched", "--location", "eastus");
  const events = await az("monitor", "activity-log", "list", "--resource-group", "watched", "--offset", "1h");
  assert.deepEqual(
    events.map((event: { operationName: { value: string }; status: { value: string } }) => [
      event.operationName.value,
      event.status.value,
    ]),
    [
      ["Microsoft.Resources/subscriptions/resourceGroups/write", "Failed"],
      ["Microsoft.Resources/subscriptions/resourceGroups/write", "Succeeded"],
    ],
  );
  assert.equal(events[0].caller, service.admin.clientId);
  const failed = await az(
    "monitor",
    "activity-log",
    "list",
    "--status",
    "Failed",
    "--resource-group",
    "watched",
    "--offset",
    "1h",
  );
  assert.equal(failed.length, 1);
  const one = await az(
    "monitor",
    "activity-log",
    "list",
    "--correlation-id",
    events[1].correlationId,
    "--offset",
    "1h",
  );
  assert.deepEqual(
    one.map((event: { eventDataId: string }) => event.eventDataId),
    [events[1].eventDataId],
  );
  const nobody = await az("monitor", "activity-log", "list", "--caller", "nobody@example.org", "--offset", "1h");
  assert.deepEqual(nobody, []);
});
