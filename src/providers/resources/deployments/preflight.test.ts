// What a deployment is refused with before anything of it is made.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { temporaryDatabase } from "../../../db/testing/temporary-database.ts";
import { body, one, seed, thing, world, type Answer, type World } from "./testing/one-provider.ts";

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

test("a template with a type that is not here is refused whole, before anything is made", async () => {
  const nested = `{ type: "Microsoft.Resources/deployments", apiVersion: "2021-04-01", name: "inner", properties: { mode: "Incremental", template: { "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", contentVersion: "1.0.0.0", resources: [{ type: "Microsoft.Sql/servers", apiVersion: "2021-11-01", name: "s" }] } } }`;
  const strange = `{ type: "Microsoft.Test/nothings", apiVersion: "2024-01-01", name: "n" }`;
  const old = `{ type: "Microsoft.Test/things", apiVersion: "1999-01-01", name: "old" }`;
  const text = body(`${thing("never")}, ${strange}, ${old}, ${nested}`);
  const [validated, put] = [
    await azure.call("POST", `${one}/strange/validate`, text),
    await azure.call("PUT", `${one}/strange`, text),
  ];
  for (const { status, json } of [validated, put]) {
    assert.equal(status, 400);
    assert.equal(json["error"].code, "InvalidTemplateDeployment");
    assert.deepEqual(
      json["error"].details.map(({ code }: { code: string }) => code),
      ["InvalidResourceType", "InvalidApiVersionParameter", "InvalidResourceNamespace"],
    );
  }
  assert.ok(!azure.puts.includes("never"));
  assert.equal((await azure.call("GET", `${one}/strange`)).status, 404);
});

test("a deployment inside goes to no group where its writer may not deploy, even if it makes nothing there", async () => {
  const inner = `{ type: "Microsoft.Resources/deployments", apiVersion: "2021-04-01", name: "inner", resourceGroup: "forbidden", properties: { mode: "Incremental", expressionEvaluationOptions: { scope: "inner" }, template: { "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", contentVersion: "1.0.0.0", resources: [] } } }`;
  const { status, json } = await azure.call("POST", `${one}/elsewhere/validate`, body(inner));
  assert.ok(status >= 400);
  const details: Answer[] = json["error"].details;
  assert.ok(
    details.some(({ code, message }) => code === "AuthorizationFailed" && /deployments\/write/.test(message)),
    JSON.stringify(json),
  );
});

test("providers are asked about every body that is known beforehand, before anything is made", async () => {
  const sized = (name: string, size: string): string => thing(name, `, properties: { size: ${size} }`);
  const loop = sized("l", '"[add(copyIndex(), 12)]"').replace(
    'name: "l"',
    `name: "[concat('l', copyIndex())]", copy: { name: "l", count: 2 }`,
  );
  const late = sized("late", "\"[reference('never').size]\"");
  const { status, json } = await azure.call(
    "PUT",
    `${one}/wrong-bodies`,
    body(`${thing("never")}, ${loop}, ${sized("text", '"large"')}, ${late}`),
  );
  assert.equal(status, 400);
  assert.deepEqual(
    json["error"].details.map(({ code, target }: Answer) => [code, target.split("/").at(-1)]),
    [
      ["QuotaExceeded", "l1"],
      ["InvalidRequestContent", "text"],
    ],
  );
  assert.ok(!azure.puts.includes("never"));
});

test("a nested deployment needs a group that is there", async () => {
  const nested = `{ type: "Microsoft.Resources/deployments", apiVersion: "2021-04-01", name: "inner", resourceGroup: "nowhere", properties: { mode: "Incremental", template: { "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", contentVersion: "1.0.0.0", resources: [] } } }`;
  const { status, json } = await azure.call("PUT", `${one}/no-group`, body(`${thing("never")}, ${nested}`));
  assert.equal(status, 400);
  assert.deepEqual(
    json["error"].details.map(({ code }: Answer) => code),
    ["ResourceGroupNotFound"],
  );
  assert.ok(!azure.puts.includes("never"));
});

test("what the one who deploys may not write is told before anything is made", async () => {
  const { status, json } = await azure.call(
    "PUT",
    `${one}/not-allowed`,
    body(`${thing("never")}, ${thing("forbidden")}`),
  );
  assert.equal(status, 403);
  assert.equal(json["error"].code, "InvalidTemplateDeployment");
  assert.match(
    json["error"].message,
    /'Authorization failed for template resource 'forbidden' of type 'Microsoft.Test\/things'.*'Microsoft.Test\/things\/write'/,
  );
  assert.ok(!azure.puts.includes("never"));
});

test("a template that is wrong is refused before anything begins, with its line", async () => {
  const { status, json } = await azure.call(
    "PUT",
    `${one}/wrong`,
    body(thing("x", ', properties: { y: "[nosuch()]" }')),
  );
  assert.equal(status, 400);
  assert.equal(json["error"].code, "InvalidTemplate");
  assert.match(json["error"].message, /'x' at line '2' and column '\d+' is not valid: The template function 'nosuch'/);
  assert.equal((await azure.call("GET", `${one}/wrong`)).status, 404);
});
