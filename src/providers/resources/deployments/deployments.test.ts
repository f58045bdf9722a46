import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openDatabase } from "../../../db/database.ts";
import { temporaryDatabase } from "../../../db/testing/temporary-database.ts";
import { systemClock } from "../../../lib/clock.ts";
import { waitFor } from "../../../lib/time.ts";
import { templateLoader } from "./linked-templates.ts";
import { body, group, one, seed, thing, world, type Answer, type World } from "./testing/one-provider.ts";

let database: Awaited<ReturnType<typeof temporaryDatabase>>;
let azure: World;

before(async () => {
  database = await temporaryDatabase();
  await seed(database);
  azure = await world(database);
});

after(async () => {
  await azure[Symbol.asyncDispose]();
  await database.close();
});

test("a deployment as az sends it: 201, status, the record, its operations by both paths, and again as 200", async () => {
  const text = body(
    `${thing("a", ", properties: { size: \"[parameters('size')]\" }")}, ${thing("b", ', dependsOn: ["a"], properties: { of: "[reference(\'a\').size]" }')}`,
    '"parameters": { "size": { "type": "int" }, "pw": { "type": "securestring" } }, "outputs": { "of": { "type": "int", "value": "[reference(\'b\').of]" } },',
    '{"size": {"value": 3}, "pw": {"value": "hush-hush"}}',
  );
  assert.equal(
    (await azure.call("POST", `${one}/first/validate`, text)).json["properties"].validatedResources.length,
    2,
  );
  const put = await azure.call("PUT", `${one}/first`, text);
  assert.equal(put.status, 201, JSON.stringify(put.json));
  const statusPath = new URL(put.headers["Azure-AsyncOperation"] ?? "").pathname;
  const done = await azure.ended("first");
  assert.equal(
    (
      await waitFor(
        "status",
        async () => {
          const { json } = await azure.call("GET", statusPath);
          return json["status"] === "InProgress" ? undefined : json;
        },
        120_000,
        10,
      )
    )["status"],
    "Succeeded",
  );
  assert.deepEqual(done["properties"].outputs, { of: { type: "Int", value: 3 } });
  assert.deepEqual(done["properties"].parameters, { size: { type: "Int", value: 3 }, pw: { type: "SecureString" } });
  assert.deepEqual(
    done["properties"].outputResources.map(({ id }: { id: string }) => id.split("/").at(-1)),
    ["a", "b"],
  );
  assert.match(done["properties"].duration, /^PT[\d.]+S$/);
  for (const path of [`${one}/first/operations`, `${group}/deployments/first/operations`]) {
    const { json } = await azure.call("GET", path);
    assert.deepEqual(
      json["value"]
        .map((operation: Answer) => [
          operation.properties.targetResource?.resourceName,
          operation.properties.provisioningOperation,
          operation.properties.provisioningState,
        ])
        .sort(),
      [
        ["a", "Create", "Succeeded"],
        ["b", "Create", "Succeeded"],
        [undefined, "EvaluateDeploymentOutput", "Succeeded"],
      ].sort(),
    );
    assert.equal((await azure.call("GET", `${path}/${json["value"][0].operationId}`)).status, 200);
  }
  const rows = await database.kysely.selectFrom("resources").selectAll().execute();
  assert.ok(!JSON.stringify(rows).includes("hush-hush"));
  assert.equal((await azure.call("PUT", `${one}/first`, text)).status, 200);
  await azure.ended("first");
  assert.equal((await azure.call("HEAD", `${one}/first`)).status, 204);
  assert.equal(
    (await azure.call("GET", `${one}/?$filter=provisioningState eq 'Succeeded'&$top=5`)).json["value"].length,
    1,
  );
  assert.equal((await azure.call("POST", `${one}/first/exportTemplate`)).json["template"].contentVersion, "1.0.0.0");
  assert.equal((await azure.call("DELETE", `${one}/first`)).status, 204);
  assert.equal((await azure.call("GET", `${one}/first`)).json["error"].code, "DeploymentNotFound");
  assert.equal((await azure.call("HEAD", `${one}/first`)).status, 404);
});

test("what a default value made once stays: newGuid() is the same in the record and in the resource", async () => {
  const defaults = '"parameters": { "id": { "type": "string", "defaultValue": "[newGuid()]" } },';
  await azure.call(
    "PUT",
    `${one}/pinned`,
    body(thing("pinned", ", properties: { id: \"[parameters('id')]\" }"), defaults),
  );
  const { properties } = await azure.ended("pinned");
  const made = await azure.call("GET", `${group}/providers/Microsoft.Test/things/pinned`);
  assert.equal(made.json["properties"].id, properties.parameters.id.value);
});

test("a provider's refusal fails the deployment with its code", async () => {
  await azure.call("PUT", `${one}/fails`, body(thing("bad1")));
  const { properties } = (await azure.ended("fails")) as { properties: Answer };
  assert.equal(properties.provisioningState, "Failed");
  assert.equal(properties.error.code, "DeploymentFailed");
  assert.deepEqual(
    [properties.error.details[0].code, properties.error.details[0].message],
    ["QuotaExceeded", "No more things."],
  );
});

test("what-if compares with what is there", async () => {
  const { json } = await azure.call(
    "POST",
    `${one}/ask/whatIf`,
    body(`${thing("a", ", properties: { size: 4 }")}, ${thing("new")}`),
  );
  assert.deepEqual(
    json["properties"].changes.map((change: Answer) => [change.resourceId.split("/").at(-1), change.changeType]),
    [
      ["a", "Modify"],
      ["new", "Create"],
      ["b", "Ignore"],
      ["pinned", "Ignore"],
    ],
  );
});

test("while a deployment runs it can't be replaced, and it can be cancelled", async () => {
  const gate = Promise.withResolvers<void>();
  azure.gates.set("slow", gate.promise);
  await azure.call("PUT", `${one}/long`, body(`${thing("slow")}, ${thing("never", ', dependsOn: ["slow"]')}`));
  await waitFor("the put", () => (azure.puts.includes("slow") ? true : undefined), 120_000, 10);
  assert.equal((await azure.call("PUT", `${one}/long`, body(thing("slow")))).json["error"].code, "DeploymentActive");
  assert.equal((await azure.call("POST", `${one}/long/cancel`)).status, 204);
  gate.resolve();
  assert.equal((await azure.ended("long"))["properties"].provisioningState, "Canceled");
  assert.ok(!azure.puts.includes("never"));
  assert.equal((await azure.call("POST", `${one}/long/cancel`)).json["error"].code, "DeploymentCannotBeCancelled");
});

test("a group is exported as a template that changes nothing when it is deployed again", async () => {
  const { status, json } = await azure.call(
    "POST",
    `${group}/exportTemplate`,
    '{"resources": ["*"], "options": "IncludeParameterDefaultValue"}',
  );
  assert.equal(status, 200, JSON.stringify(json));
  assert.equal(json["error"], undefined);
  assert.ok(json["template"].resources.length >= 2);
  const again = await azure.call(
    "POST",
    `${one}/again/whatIf`,
    JSON.stringify({ properties: { mode: "Complete", template: json["template"] } }),
  );
  assert.deepEqual(
    [...new Set(again.json["properties"].changes.map((change: Answer) => change.changeType))],
    ["NoChange"],
  );
});

test("nested deployments have records of their own", async () => {
  const inner = `{ "$schema": "https://x/deploymentTemplate.json#", contentVersion: "1.0.0.0", resources: [${thing("inside")}], outputs: { o: { type: "string", value: "in" } } }`;
  await azure.call(
    "PUT",
    `${one}/parent`,
    body(
      `{ type: "Microsoft.Resources/deployments", apiVersion: "2021-04-01", name: "child", properties: { mode: "Incremental", expressionEvaluationOptions: { scope: "inner" }, template: ${inner} } }`,
      '"outputs": { "o": { "type": "string", "value": "[reference(\'child\').outputs.o.value]" } },',
    ),
  );
  assert.deepEqual((await azure.ended("parent"))["properties"].outputs, { o: { type: "String", value: "in" } });
  assert.deepEqual((await azure.ended("child"))["properties"].outputs, { o: { type: "String", value: "in" } });
});

test("a deployment that the service left behind goes on at the next start, secrets included", async () => {
  const gate = Promise.withResolvers<void>();
  azure.gates.set("second", gate.promise);
  const text = body(
    `${thing("one")}, ${thing("second", ', dependsOn: ["one"], properties: { pw: "[parameters(\'pw\')]" }')}`,
    '"parameters": { "pw": { "type": "securestring" } },',
    '{"pw": {"value": "kept"}}',
  );
  await azure.call("PUT", `${one}/resumed`, text);
  await waitFor("the put", () => (azure.puts.includes("second") ? true : undefined), 120_000, 10);
  const stopping = azure[Symbol.asyncDispose]();
  gate.resolve();
  await stopping;
  await database.kysely.deleteFrom("leases").execute();
  const again = await openDatabase({ file: database.file, clock: systemClock });
  await using _closing = again;
  const before = azure;
  azure = await world(again);
  assert.equal((await azure.ended("resumed"))["properties"].provisioningState, "Succeeded");
  assert.ok(!azure.puts.includes("one"), "what had ended well is not done again");
  assert.ok(before.puts.includes("one"));
  assert.equal(
    (await azure.call("GET", `${group}/providers/Microsoft.Test/things/second`)).json["properties"].pw,
    "kept",
  );
  await azure[Symbol.asyncDispose]();
  azure = await world(database);
});

test("linked templates from this machine or the local link are refused", async () => {
  const load = templateLoader(false);
  const { signal } = new AbortController();
  for (const uri of [
    "http://127.0.0.1:9/x.json",
    "https://[::1]/x",
    "http://localhost:9/x.json",
    "file:///etc/passwd",
  ]) {
    await assert.rejects(async () => load(uri, signal), { code: "InvalidContentLink" }, uri);
  }
});

test("nothing is put into a group that is being deleted", async () => {
  const mark = (state: string) =>
    database.kysely.updateTable("resources").set({ state }).where("key", "=", group.toLowerCase()).execute();
  await mark("Deleting");
  const { status, json } = await azure.call("PUT", `${one}/late`, body(thing("late")));
  await mark("Succeeded");
  assert.deepEqual([status, json["error"].code], [409, "ResourceGroupBeingDeleted"]);
  assert.equal((await azure.call("GET", `${one}/late`)).status, 404);
});

test("a deployment inside another takes no running one's place", async () => {
  const gate = Promise.withResolvers<void>();
  azure.gates.set("held", gate.promise);
  assert.equal((await azure.call("PUT", `${one}/busy`, body(thing("held")))).status, 201);
  const inner = `{ "$schema": "https://x/deploymentTemplate.json#", contentVersion: "1.0.0.0", resources: [] }`;
  await azure.call(
    "PUT",
    `${one}/intruder`,
    body(
      `{ type: "Microsoft.Resources/deployments", apiVersion: "2021-04-01", name: "busy", properties: { mode: "Incremental", expressionEvaluationOptions: { scope: "inner" }, template: ${inner} } }`,
    ),
  );
  const refused = (await azure.ended("intruder"))["properties"];
  assert.equal(refused.provisioningState, "Failed");
  assert.equal(refused.error.details[0].code, "DeploymentActive", JSON.stringify(refused.error));
  gate.resolve();
  assert.equal((await azure.ended("busy"))["properties"].provisioningState, "Succeeded");
});
