// Microsoft's JavaScript SDKs, unmodified: @azure/identity, arm-resources, arm-features, arm-monitor.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { projectRoot, startTestService, type TestService } from "../support/service.ts";

const execute = promisify(execFile);
let service: TestService;

before(async () => {
  service = await startTestService();
});

after(() => service[Symbol.asyncDispose]());

/** SDKs take their certificate authorities from the environment at start: each program is a process. */
async function runProgram(name: string): Promise<unknown> {
  const { stdout } = await execute(process.execPath, [`${projectRoot}/test/sdk/programs/${name}.ts`], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: service.ca, ENDPOINT: service.endpoint, ...asEnvironment() },
  });
  return JSON.parse(stdout);
}

function asEnvironment(): Record<string, string> {
  const { tenantId, clientId, clientSecret, subscriptionId } = service.admin;
  return { TENANT_ID: tenantId, CLIENT_ID: clientId, CLIENT_SECRET: clientSecret, SUBSCRIPTION_ID: subscriptionId };
}

test("arm-resources creates, lists in pages, tags and deletes groups", async () => {
  assert.deepEqual(await runProgram("resources"), {
    created: "Succeeded",
    listed: 25,
    tags: { a: "1", b: "2" },
    existsBefore: true,
    existsAfter: false,
    registered: "Registered",
    missing: { statusCode: 404, code: "ResourceGroupNotFound" },
  });
});

test("arm-features registers a feature", async () => {
  assert.deepEqual(await runProgram("features"), {
    before: "NotRegistered",
    after: "Registered",
    listed: ["Microsoft.Compute/Example"],
  });
});

test("arm-authorization finds a role, assigns it once, lists and deletes the assignment", async () => {
  assert.deepEqual(await runProgram("authorization"), {
    role: ["Backup Operator"],
    scope: true,
    listed: [true],
    twice: "RoleAssignmentExists",
    mine: [["*"]],
    gone: 404,
  });
});

test("arm-monitor keeps action groups; arm-resources tags a subscription, asks for a resource, and moves none", async () => {
  assert.deepEqual(await runProgram("monitor"), {
    created: ["alice Enabled", "https://example.com/hook"],
    disabled: false,
    receiver: "Conflict",
    twice: "InvalidRequestContent",
    listed: ["group"],
    exists: [true, false],
    tags: [{ a: "1", b: "2" }, { b: "2" }, {}],
    names: ["offered: one"],
    moved: "ResourceMoveNotSupported",
    metrics: 0,
  });
});
