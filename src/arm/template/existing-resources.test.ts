import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryAzure, outputsOf, subscriptionId } from "./testing/memory-azure.ts";

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg1`;
const thing = (name: string, more: object = {}): object => ({
  type: "Microsoft.Test/things",
  apiVersion: "2024-01-01",
  name,
  location: "westeurope",
  ...more,
});
const idOf = (name: string): string => `${group}/providers/Microsoft.Test/things/${name}`;

test("what is only read under a condition that is false is not looked at, and null for a parameter means its default", async () => {
  const azure = memoryAzure();
  const keyOf = "tryGet(parameters('key'), 'keyVaultResourceId')";
  const deployment = {
    template: {
      languageVersion: "2.0",
      parameters: {
        key: { type: "object", nullable: true },
        name: { type: "string", defaultValue: "by-default" },
      },
      resources: {
        "vault::key": {
          condition: "[not(empty(parameters('key')))]",
          existing: true,
          type: "Microsoft.Test/things/parts",
          apiVersion: "2024-01-01",
          subscriptionId: `[split(${keyOf}, '/')[2]]`,
          resourceGroup: `[split(${keyOf}, '/')[4]]`,
          name: `[format('{0}/{1}', last(split(${keyOf}, '/')), 'key')]`,
        },
        made: thing("[parameters('name')]", {
          properties: { uri: "[if(empty(parameters('key')), 'none', reference('vault::key').uri)]" },
          dependsOn: ["vault::key"],
        }),
      },
      outputs: { uri: { type: "string", value: "[reference('made').uri]" } },
    },
    parameters: { name: null },
  };
  assert.deepEqual(await outputsOf(deployment, azure), { uri: "none" });
  assert.deepEqual(azure.puts, [idOf("by-default")]);
});
