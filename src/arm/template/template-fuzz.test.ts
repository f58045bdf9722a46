// Templates with parts torn out or replaced: each deploys or is refused by name, and nothing hangs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { HoldfastError } from "../../lib/errors.ts";
import { seededRandom } from "../../lib/random.ts";
import { deploy, memoryAzure } from "./testing/memory-azure.ts";

const replacements: readonly unknown[] = [
  null,
  1,
  -1,
  "",
  "[",
  "[]",
  "[[x]",
  true,
  [],
  {},
  ["a"],
  { name: 1 },
  { copy: 1 },
  { copy: [{ name: "c", count: 2, input: "[copyIndex('c')]" }] },
  "[copyIndex()]",
  "[parameters('p')]",
  "[variables('v')]",
  "[reference('a').x]",
  "[resourceGroup().location]",
  "[createObject('a', 1)]",
  "[json('{\"__proto__\":1}')]",
  "[listKeys('a', '1')]",
];

function template(): object {
  return {
    parameters: { p: { type: "string", defaultValue: "z" } },
    variables: { v: "[parameters('p')]", copy: [{ name: "w", count: 2, input: "[copyIndex('w')]" }] },
    functions: [
      {
        namespace: "n",
        members: {
          f: { parameters: [{ name: "a", type: "string" }], output: { type: "string", value: "[parameters('a')]" } },
        },
      },
    ],
    resources: [
      { type: "M.T/t", apiVersion: "1", name: "a", properties: { x: 1 }, tags: {}, condition: true, dependsOn: [] },
      {
        type: "M.T/t",
        apiVersion: "1",
        name: "[concat('b', copyIndex())]",
        copy: { name: "l", count: 2, mode: "serial", batchSize: 1 },
        properties: { y: "[reference('a').x]" },
        dependsOn: ["a"],
        resources: [{ type: "s", apiVersion: "1", name: "c", scope: "x" }],
      },
      {
        type: "Microsoft.Resources/deployments",
        apiVersion: "1",
        name: "n",
        resourceGroup: "other",
        properties: {
          mode: "Incremental",
          expressionEvaluationOptions: { scope: "inner" },
          parameters: { q: { value: 1 } },
          template: {
            $schema: "https://x/deploymentTemplate.json#",
            contentVersion: "1",
            parameters: { q: { type: "int" } },
            resources: [],
          },
        },
      },
    ],
    outputs: { o: { type: "string", value: "[n.f(variables('v'))]", condition: true } },
  };
}

function mutate(value: object, random: () => number): void {
  const places: [Record<string, unknown>, string][] = [];
  const collect = (container: unknown): void => {
    if (typeof container !== "object" || container === null) return;
    for (const name of Object.keys(container)) {
      places.push([container as Record<string, unknown>, name]);
      collect((container as Record<string, unknown>)[name]);
    }
  };
  collect(value);
  const [container, name] = places[Math.floor(random() * places.length)]!;
  if (random() < 0.15) delete container[name];
  else container[name] = structuredClone(replacements[Math.floor(random() * replacements.length)]);
}

test("a torn template deploys or is refused by name", async () => {
  const random = seededRandom(42);
  const runs = process.env["HOLDFAST_TEST_LONG"] === "1" ? 50_000 : 1_500;
  let deployed = 0;
  for (let run = 0; run < runs; run += 1) {
    const torn = template();
    for (let count = 1 + Math.floor(random() * 3); count > 0; count -= 1) mutate(torn, random);
    try {
      await deploy(memoryAzure(), { template: torn });
      deployed += 1;
    } catch (error) {
      assert.ok(
        error instanceof HoldfastError,
        `${error instanceof Error ? error.stack : String(error)}\n${JSON.stringify(torn)}`,
      );
    }
  }
  assert.ok(deployed > runs / 50, `${deployed} of ${runs} deployed`);
});
