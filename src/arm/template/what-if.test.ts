import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, toPlain } from "../relaxed-json/json.ts";
import { templateHash } from "./template-hash.ts";
import { deploy, memoryAzure, requestOf, subscriptionId, type TestDeployment } from "./testing/memory-azure.ts";
import { newTreeBudget, validateDeployment } from "./validate.ts";
import { type ResultFormat, whatIf } from "./what-if.ts";

const id = (name: string): string =>
  `/subscriptions/${subscriptionId}/resourceGroups/rg1/providers/Microsoft.Test/things/${name}`;
const thing = (name: string, more: object = {}): object => ({
  type: "Microsoft.Test/things",
  apiVersion: "2024-01-01",
  name,
  location: "West Europe",
  ...more,
});

async function ask(test: TestDeployment, format: ResultFormat = "FullResourcePayloads") {
  const azure = memoryAzure();
  for (const name of ["same", "changed", "other"]) {
    azure.resources.set(id(name).toLowerCase(), {
      id: id(name),
      location: "westeurope",
      tags: { a: "1", b: "2" },
      properties: { size: 1, serverSays: true, list: [1, 2] },
    } as JsonObject);
  }
  const { signal } = new AbortController();
  const validated = await validateDeployment(requestOf(test), azure.host, newTreeBudget(), signal);
  return whatIf(validated, format, azure.host, signal);
}

const template = {
  resources: [
    thing("new", { properties: { x: "[reference('same').size]" } }),
    thing("same", { properties: { size: 1 } }),
    thing("changed", { tags: { a: "1" }, properties: { size: 2, list: [1, 3, 4], later: "[reference('same').size]" } }),
  ],
};

test("what-if tells new, same, changed with its delta, and what it leaves alone", async () => {
  const changes = await ask({ template });
  assert.deepEqual(
    changes.map(({ resourceId, changeType }) => [resourceId.split("/").at(-1), changeType]),
    [
      ["new", "Create"],
      ["same", "NoChange"],
      ["changed", "Modify"],
      ["other", "Ignore"],
    ],
  );
  assert.deepEqual(
    changes[2]?.delta?.map(({ path, propertyChangeType }) => [path, propertyChangeType]),
    [
      ["tags.b", "Delete"],
      ["properties.size", "Modify"],
      ["properties.list", "Array"],
    ],
  );
  assert.equal((changes[0]!.after as { properties: { x: string } }).properties.x, "[reference('same').size]");
});

test("a property that is null is not named by the template: it changes nothing and is not sent", async () => {
  const settings = { size: null, color: "red", parts: [null, { a: null, b: 1 }] };
  const nulls = { resources: [thing("same", { tags: null, properties: { size: "[null()]" } })] };
  const [same] = await ask({ template: nulls });
  assert.equal(same?.changeType, "NoChange");
  const azure = memoryAzure();
  const bodies: unknown[] = [];
  azure.onPut = async (_id, body) => {
    bodies.push(toPlain(body["properties"] ?? null));
  };
  await deploy(azure, { template: { resources: [thing("made", { properties: settings })] } });
  assert.deepEqual(bodies, [{ color: "red", parts: [null, { b: 1 }] }]);
});

test("with Complete mode what-if tells what would be deleted; with ResourceIdOnly only the ids", async () => {
  const changes = await ask({ template, mode: "Complete" }, "ResourceIdOnly");
  assert.deepEqual(
    changes.map(({ changeType }) => changeType),
    ["Deploy", "Deploy", "Deploy", "Delete"],
  );
});

test("the template's hash is of what it means, not of how it is spelled", () => {
  const one = { a: 1, metadata: { _generator: { version: "1" } } };
  assert.match(templateHash(one), /^\d{10,20}$/);
  assert.equal(templateHash({ ...one, metadata: { _generator: { version: "2" } } }), templateHash(one));
  assert.notEqual(templateHash({ a: 2 }), templateHash({ a: 1 }));
});
