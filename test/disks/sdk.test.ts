// Disks, snapshots and restore points with Microsoft's JavaScript SDKs: Compute, and Storage for the download.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { startDiskRig } from "./support.ts";

test("the Compute SDK goes from an empty disk to a restored one, and Storage's reads pages of a point", async () => {
  await using rig = await startDiskRig();
  const { tenantId, clientId, clientSecret, subscriptionId } = rig.service.admin;
  // The SDK takes its certificate authorities from the environment at start: it has a process of its own.
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, "sdk-program.ts")], {
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: rig.service.ca,
      ENDPOINT: rig.service.endpoint,
      TENANT_ID: tenantId,
      CLIENT_ID: clientId,
      CLIENT_SECRET: clientSecret,
      SUBSCRIPTION_ID: subscriptionId,
    },
  });
  const size = 9 << 20;
  assert.deepEqual(JSON.parse(stdout), {
    empty: ["Succeeded", 1, "Unattached"],
    updated: [2, { a: "b" }],
    point: ["Succeeded", "CrashConsistent"],
    replicas: 2,
    inCollection: ["one"],
    diskPoints: 2,
    source: "web_b-data.qcow2",
    used: { statusCode: 409, code: "DiskRestorePointUsedByCustomer" },
    contentLength: size + 512,
    // The SDK's `count` is the last byte minus the first.
    ranges: [
      { offset: 5 << 20, count: (1 << 20) - 1 },
      { offset: size, count: 511 },
    ],
    page: [0, 2],
    revoked: "closed",
    restored: size,
    snapshot: ["Succeeded", true],
    granted: "string",
    listed: ["sdk-empty", "sdk-restored", "web_a-os.qcow2", "web_b-data.qcow2"],
    missing: { statusCode: 404, code: "ResourceNotFound" },
  });
});
