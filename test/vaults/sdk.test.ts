// Vaults and policies by Microsoft's JavaScript SDKs, unmodified.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { projectRoot, startTestService } from "../support/service.ts";

const execute = promisify(execFile);

test("arm-recoveryservices and arm-recoveryservicesbackup create, set, list and delete", async () => {
  await using service = await startTestService();
  const { tenantId, clientId, clientSecret, subscriptionId } = service.admin;
  // SDKs take their certificate authorities from the environment at start: the program is a process.
  const { stdout } = await execute(process.execPath, [`${projectRoot}/test/vaults/programs/vaults.ts`], {
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: service.ca,
      ENDPOINT: service.endpoint,
      TENANT_ID: tenantId,
      CLIENT_ID: clientId,
      CLIENT_SECRET: clientSecret,
      SUBSCRIPTION_ID: subscriptionId,
    },
  });
  assert.deepEqual(JSON.parse(stdout), {
    made: ["v1", "SystemAssigned", "RS0", "Succeeded"],
    security: 30,
    tags: { a: "b" },
    listed: ["v1"],
    name: [false, "AlreadyExists"],
    usages: [
      ["ProtectedItemCount", 0],
      ["ProtectedItemCriticalCount", 0],
      ["ProtectedItemWarningCount", 0],
      ["IaaSVMProtectedItemCount", 0],
      ["IaaSVMProtectedItemCriticalCount", 0],
      ["IaaSVMProtectedItemWarningCount", 0],
      ["ManagedInstances", 0],
      ["InProgressJobsCount", 0],
      ["FailedJobsCount", 0],
    ],
    links: 3,
    integrityKey: "a2V5",
    config: ["Enabled", 30],
    stronger: "AlwaysON",
    storage: "LocallyRedundant",
    own: ["Own", "AzureIaasVM"],
    policies: ["DefaultPolicy", "EnhancedPolicy", "Own"],
    gone: 404,
    pin: 6,
    summaries: 1,
    left: 0,
  });
});
