// How a deployment ends that does not go well, and what Complete mode takes away.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineErrors } from "../../lib/errors.ts";
import { sleep } from "../../lib/time.ts";
import { templateErrors } from "./template-errors.ts";
import { deploy, failureOf, memoryAzure, subscriptionId } from "./testing/memory-azure.ts";

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg1`;
const thing = (name: string, more: object = {}): object => ({
  type: "Microsoft.Test/things",
  apiVersion: "2024-01-01",
  name,
  location: "westeurope",
  ...more,
});
const idOf = (name: string): string => `${group}/providers/Microsoft.Test/things/${name}`;
const errors = defineErrors({ QuotaExceeded: { status: 409 } });

test("after a failure nothing new begins, what runs ends, and each failure is told", async () => {
  const azure = memoryAzure();
  const gate = Promise.withResolvers<void>();
  azure.onPut = async (id) => {
    if (id.endsWith("bad")) {
      gate.resolve();
      throw errors.QuotaExceeded("No more things.");
    }
    await gate.promise;
  };
  const failure = await failureOf(
    deploy(azure, {
      template: {
        resources: [
          thing("bad"),
          thing("beside"),
          thing("child", { dependsOn: ["bad"] }),
          thing("later", { dependsOn: ["beside"] }),
        ],
      },
    }),
  );
  assert.equal(failure.code, "DeploymentFailed");
  assert.deepEqual(
    failure.details.map(({ code, target }) => [code, target]),
    [["QuotaExceeded", idOf("bad")]],
  );
  assert.ok(azure.resources.has(idOf("beside").toLowerCase()));
  assert.ok(!azure.puts.includes(idOf("child")));
  const states = Object.fromEntries(
    azure.operations.map(({ target, provisioningState, statusCode }) => [
      target?.name,
      [provisioningState, statusCode],
    ]),
  );
  assert.deepEqual(states["bad"], ["Failed", "Conflict"]);
});

test("an expression that fails while deploying names resource, line and column", async () => {
  const failure = await failureOf(
    deploy(memoryAzure(), {
      template: { resources: [thing("a"), thing("b", { properties: { x: "[reference('a').nothing]" } })] },
    }),
  );
  assert.match(
    failure.details[0]?.message ?? "",
    /^Unable to process template language expressions for resource '.*things\/b' at line '\d+' and column '5'. 'The language expression property 'nothing' doesn't exist, available properties are 'provisioningState'/,
  );
});

test("Complete mode deletes what the template does not name, deepest first", async () => {
  const azure = memoryAzure();
  for (const name of ["keep", "gone", "gone/parts/p", "keep/parts/p"])
    azure.resources.set(idOf(name).toLowerCase(), { id: idOf(name) });
  await deploy(azure, { mode: "Complete", template: { resources: [thing("keep")] } });
  assert.deepEqual(azure.deleted, [idOf("gone/parts/p"), idOf("gone")]);
});

test("a wait that was cut short by a cancel is recorded as canceled", async () => {
  const azure = memoryAzure();
  const controller = new AbortController();
  azure.onPut = async (_id, _body, signal) => {
    controller.abort(templateErrors.DeploymentCanceled("enough"));
    await sleep(60_000, signal);
  };
  await failureOf(deploy(azure, { template: { resources: [thing("waits")] } }, controller.signal));
  assert.deepEqual(
    azure.operations.map(({ provisioningState }) => provisioningState),
    ["Running", "Canceled"],
  );
});

test("cancelling stops before the next resource", async () => {
  const azure = memoryAzure();
  const controller = new AbortController();
  azure.onPut = async () => controller.abort(errors.QuotaExceeded("canceled"));
  const failure = await failureOf(
    deploy(azure, { template: { resources: [thing("one"), thing("two", { dependsOn: ["one"] })] } }, controller.signal),
  );
  assert.equal(failure.message, "canceled");
  assert.deepEqual(azure.puts, [idOf("one")]);
});
