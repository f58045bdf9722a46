// Who may ask which logs, and what becomes of a workspace that is deleted.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { newGuid } from "../../src/lib/random.ts";
import { clientFor, type Client, type TestClient } from "../support/client.ts";
import { startTestService, type TestService } from "../support/service.ts";

const version = "?api-version=2022-10-01";

describe("access to logs", () => {
  const reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
  let service: TestService;
  let admin: TestClient;
  let subscription = "";
  let group = "";
  let workspace = "";
  let vault = "";
  let customerId = "";

  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely
  const put = async (path: string, body: object): Promise<any> => {
    const { status, json, text } = await service.call("PUT", path, { body });
    assert.ok(status === 200 || status === 201, `${path}: ${status} ${text}`);
    return json;
  };
  before(async () => {
    service = await startTestService();
    admin = await clientFor({ ...service, ...service.admin }, service.data);
    subscription = `/subscriptions/${service.admin.subscriptionId}`;
    group = `${subscription}/resourceGroups/ops`;
    workspace = `${group}/providers/Microsoft.OperationalInsights/workspaces/central`;
    vault = `${group}/providers/Microsoft.RecoveryServices/vaults/main`;
    for (const name of ["OperationalInsights", "RecoveryServices", "Insights"])
      await service.call("POST", `${subscription}/providers/Microsoft.${name}/register?api-version=2021-04-01`);
    await put(`${group}?api-version=2021-04-01`, { location: "local" });
    customerId = (await put(workspace + version, { location: "local" })).properties.customerId;
    await put(`${vault}?api-version=2023-04-01`, { location: "local", properties: {} });
    await put(`${vault}/providers/Microsoft.Insights/diagnosticSettings/all?api-version=2021-05-01-preview`, {
      properties: { workspaceId: workspace, logs: [{ categoryGroup: "allLogs", enabled: true }] },
    });
  });
  after(() => service[Symbol.asyncDispose]());

  const ask = (principal: Client, path: string, query: string) => principal.call("POST", path, { body: { query } });
  const ofWorkspace = (): string => `/v1/workspaces/${customerId}/query`;

  test("a workspace that is closed to queries answers nobody outside, by whatever path", async () => {
    const settle = (access: string) =>
      put(workspace + version, { location: "local", properties: { publicNetworkAccessForQuery: access } });
    await settle("Disabled");
    try {
      for (const path of [ofWorkspace(), `/v1${vault}/query`, `${workspace}/query${version}`]) {
        const { status, text } = await ask(service, path, "print 1");
        assert.equal(status, 403, `${path}: ${text}`);
        assert.match(text, /publicNetworkAccessForQuery/);
      }
    } finally {
      await settle("enabled");
    }
    assert.equal((await ask(service, ofWorkspace(), "print 1")).status, 200);
  });

  test("who has no role is refused, everywhere", async () => {
    const nobody = await admin.createPrincipal("nobody");
    for (const path of [ofWorkspace(), `/v1${vault}/query`, `${workspace}/query${version}`]) {
      const { status, text } = await ask(nobody, path, "print 1");
      assert.equal(status, 403, `${path}: ${text}`);
    }
    const batch = await nobody.call("POST", "/v1/$batch", {
      body: {
        requests: [{ id: "a", workspace: customerId, method: "POST", path: "/query", body: { query: "print 1" } }],
      },
    });
    assert.equal(batch.json.responses[0].status, 403);
    const metadata = await nobody.call("GET", `/v1/workspaces/${customerId}/metadata`);
    assert.equal(metadata.status, 403);
  });

  test("a reader of the vault asks its logs at the vault, not the workspace", async () => {
    const ofVault = await admin.createPrincipal("vault reader");
    await admin.assign(ofVault.principalId, reader, vault);
    assert.equal((await ask(ofVault, `/v1${vault}/query`, "CoreAzureBackup | count")).status, 200);
    assert.equal((await ask(ofVault, ofWorkspace(), "CoreAzureBackup | count")).status, 403);
    const named = await ask(ofVault, `/v1${vault}/query`, `workspace('${customerId}').CoreAzureBackup | count`);
    assert.equal(named.status, 403, named.text);
  });

  test("a role for one table shows that table only", async () => {
    const clerk = await admin.createPrincipal("clerk");
    const permissions = ["read", "query/read", "query/AddonAzureBackupJobs/read"].map(
      (name) => `Microsoft.OperationalInsights/workspaces/${name}`,
    );
    const role = newGuid();
    await put(`${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role}?api-version=2022-04-01`, {
      properties: {
        roleName: "Job clerk",
        type: "CustomRole",
        permissions: [{ actions: permissions }],
        assignableScopes: [subscription],
      },
    });
    await admin.assign(clerk.principalId, role, workspace);
    assert.equal((await ask(clerk, ofWorkspace(), "AddonAzureBackupJobs | count")).status, 200);
    const other = await ask(clerk, ofWorkspace(), "CoreAzureBackup | count");
    assert.equal(other.status, 400);
    assert.equal(other.json.error.innererror.innererror.code, "SEM0100");
    const everything = await ask(clerk, ofWorkspace(), "union withsource=T * | summarize by T");
    assert.equal(everything.status, 200, everything.text);
    assert.deepEqual(
      everything.json.tables[0].rows.flat().filter((name: string) => name !== "AddonAzureBackupJobs"),
      [],
    );
  });

  test("a deleted workspace is listed, and comes back with its id, functions and records", async () => {
    await put(`${workspace}/savedSearches/one?api-version=2020-08-01`, {
      properties: { category: "c", displayName: "d", query: "print 1", functionAlias: "One" },
    });
    const keys = await service.call("POST", `${workspace}/sharedKeys${version}`);
    assert.equal((await service.call("DELETE", workspace + version)).status, 200);
    const gone = await service.call("POST", ofWorkspace(), { body: { query: "print 1" } });
    assert.equal(gone.status, 404);
    const list = `${subscription}/providers/Microsoft.OperationalInsights/deletedWorkspaces${version}`;
    assert.equal((await service.call("GET", list)).json.value[0].name, "central");
    const back = await put(workspace + version, { location: "local" });
    assert.equal(back.properties.customerId, customerId);
    assert.deepEqual((await service.call("POST", `${workspace}/sharedKeys${version}`)).json, keys.json);
    assert.deepEqual((await service.call("POST", ofWorkspace(), { body: { query: "One()" } })).json.tables[0].rows, [
      [1],
    ]);
    assert.deepEqual((await service.call("GET", list)).json.value, []);
    assert.equal((await service.call("DELETE", `${workspace}${version}&force=true`)).status, 200);
    const anew = await put(workspace + version, { location: "local" });
    assert.notEqual(anew.properties.customerId, customerId);
  });
});
