// Workspaces and the query API on a running service, with Microsoft's client and over plain HTTPS.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { after, before, describe, test } from "node:test";
import { holdfast, projectRoot, startTestService, type TestService } from "../support/service.ts";

const version = "?api-version=2022-10-01";

/** What every chart tells, beside what its query says. */
const noChart = {
  ...Object.fromEntries(
    "kind legend series xAxis xColumn xTitle yAxis yColumns ySplit yTitle anomalyColumns"
      .split(" ")
      .map((name) => [name, null]),
  ),
  yMin: "NaN",
  yMax: "NaN",
};

describe("logs on the wire", () => {
  let service: TestService;
  let group = "";
  let workspace = "";
  let customerId = "";
  before(async () => {
    service = await startTestService();
    group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/logs`;
    workspace = `${group}/providers/Microsoft.OperationalInsights/workspaces/central`;
    await service.call("PUT", `${group}?api-version=2021-04-01`, { body: { location: "local" } });
    await service.call(
      "POST",
      `/subscriptions/${service.admin.subscriptionId}/providers/Microsoft.OperationalInsights/register?api-version=2021-04-01`,
    );
  });
  after(() => service[Symbol.asyncDispose]());

  test("a workspace is made, read and made again", async () => {
    const made = await service.call("PUT", workspace + version, {
      body: { location: "local", properties: { retentionInDays: 60 } },
    });
    assert.equal(made.status, 201, made.text);
    customerId = made.json.properties.customerId;
    const again = await service.call("PUT", workspace + version, {
      body: { location: "local", properties: { retentionInDays: 60 } },
    });
    assert.equal(again.status, 200);
    assert.equal(again.json.properties.customerId, customerId);
    const keys = await service.call("POST", `${workspace}/sharedKeys${version}`);
    assert.equal(Buffer.from(keys.json.primarySharedKey, "base64").length, 64);
  });

  test("a table keeps its rows as long as it is told", async () => {
    const patched = await service.call("PATCH", `${workspace}/tables/AddonAzureBackupJobs${version}`, {
      body: { properties: { retentionInDays: 90 } },
    });
    assert.equal(patched.status, 200, patched.text);
    const tables = await service.call("GET", `${workspace}/tables${version}`);
    const days = new Map(
      tables.json.value.map((table: { name: string; properties: { retentionInDays: number } }) => [
        table.name,
        table.properties.retentionInDays,
      ]),
    );
    assert.equal(days.get("AddonAzureBackupJobs"), 90);
    assert.equal(days.get("CoreAzureBackup"), 60);
  });

  test("queries are answered at every address, with statistics and chart", async () => {
    const body = {
      query: "print t=datetime(2026-01-02 03:04:05.25), d=dynamic({'a':1}) | render table",
      timespan: "PT1H",
    };
    const headers = { Prefer: "wait=30,include-statistics=true,include-render=true" };
    for (const path of [
      `/v1/workspaces/${customerId}/query`,
      `/workspaces/${customerId}/query`,
      `${workspace}/query${version}`,
      `${workspace}/api/query${version}`,
    ]) {
      const { status, json, text } = await service.call("POST", path, { body, headers });
      assert.equal(status, 200, `${path}: ${text}`);
      assert.deepEqual(json.tables[0].rows, [["2026-01-02T03:04:05.25Z", '{"a":1}']]);
      assert.equal(json.render.visualization, "table");
      assert.ok(json.statistics.query.executionTime >= 0);
    }
    const got = await service.call("GET", `/v1/workspaces/${customerId}/query?query=${encodeURIComponent("print 1")}`);
    assert.deepEqual(got.json.tables[0].rows, [[1]]);
  });

  test("saved functions are called, other workspaces are named", async () => {
    const put = await service.call("PUT", `${workspace}/savedSearches/f?api-version=2020-08-01`, {
      body: {
        properties: {
          category: "c",
          displayName: "d",
          query: "AddonAzureBackupJobs | count | extend n = n",
          functionAlias: "JobCount",
          functionParameters: "n:int=5",
        },
      },
    });
    assert.equal(put.status, 200, put.text);
    const called = await service.call("POST", `/v1/workspaces/${customerId}/query`, { body: { query: "JobCount(7)" } });
    assert.deepEqual(called.json.tables?.[0].rows, [[0, 7]], called.text);
    const named = await service.call("POST", `/v1/workspaces/${customerId}/query`, {
      body: { query: "workspace('central').CoreAzureBackup | count" },
    });
    assert.deepEqual(named.json.tables?.[0].rows, [[0]], named.text);
  });

  test("errors say what is wrong, inside", async () => {
    const wrong = await service.call("POST", `/v1/workspaces/${customerId}/query`, {
      body: { query: "AddonAzureBackupJob | count" },
    });
    assert.equal(wrong.status, 400);
    assert.equal(wrong.json.error.code, "BadArgumentError");
    assert.equal(wrong.json.error.innererror.innererror.code, "SEM0100");
    assert.equal(
      (await service.call("POST", "/v1/workspaces/nowhere/query", { body: { query: "print 1" } })).status,
      404,
    );
    assert.equal(
      (await service.call("POST", `/v1/workspaces/${customerId}/query`, { body: { query: "print 1" }, token: "" }))
        .status,
      401,
    );
    assert.equal(
      (
        await service.call("POST", `/v1/workspaces/${customerId}/query`, {
          body: { query: "print 1", timespan: "soon" },
        })
      ).status,
      400,
    );
  });

  test("a batch answers each of its queries", async () => {
    const one = (id: string, query: string): object => ({
      id,
      workspace: customerId,
      method: "POST",
      path: "/query",
      body: { query },
    });
    const { json } = await service.call("POST", "/v1/$batch", {
      body: { requests: [one("a", "print 1"), one("b", "nothing")] },
    });
    assert.deepEqual(
      json.responses.map(({ id, status }: { id: string; status: number }) => [id, status]),
      [
        ["a", 200],
        ["b", 400],
      ],
    );
  });

  test("the activity log flows into the workspace that a setting names, and ./holdfast query shows it", async () => {
    const subscription = `/subscriptions/${service.admin.subscriptionId}`;
    const setting = `${subscription}/providers/Microsoft.Insights/diagnosticSettings/activity?api-version=2021-05-01-preview`;
    const body = { properties: { workspaceId: workspace, logs: [{ category: "Administrative", enabled: true }] } };
    const put = await service.call("PUT", setting, { body });
    assert.equal(put.status, 200, put.text);
    const second = `${group}/providers/Microsoft.OperationalInsights/workspaces/second`;
    await service.call("PUT", second + version, { body: { location: "local", properties: {} } });
    const also = await service.call("PUT", setting.replace("/activity?", "/also?"), {
      body: { properties: { ...body.properties, workspaceId: second } },
    });
    assert.equal(also.status, 200, also.text);
    assert.equal(
      (
        await service.call("PUT", setting, {
          body: { properties: { ...body.properties, logs: [{ category: "Nonsense", enabled: true }] } },
        })
      ).status,
      400,
    );
    await service.call("PUT", `${subscription}/resourceGroups/seen?api-version=2021-04-01`, {
      body: { location: "local" },
    });
    const query =
      "AzureActivity | where ResourceGroup =~ 'seen' | summarize n = count() by OperationNameValue, ActivityStatusValue";
    let rows: unknown[] = [];
    for (let attempt = 0; rows.length === 0 && attempt < 100; attempt += 1) {
      const { json, text } = await service.call("POST", `/v1/workspaces/${customerId}/query`, {
        body: { query, timespan: "PT1H" },
      });
      assert.ok(json.tables, text);
      rows = json.tables[0].rows;
    }
    assert.deepEqual(rows, [["MICROSOFT.RESOURCES/SUBSCRIPTIONS/RESOURCEGROUPS/WRITE", "Success", 1]]);
    const run = promisify(execFile);
    const { stdout } = await run(holdfast, ["query", "--data", service.data, "-w", "central", "-o", "csv", query]);
    assert.equal(
      stdout,
      "OperationNameValue,ActivityStatusValue,n\r\nMICROSOFT.RESOURCES/SUBSCRIPTIONS/RESOURCEGROUPS/WRITE,Success,1\r\n",
    );
    await assert.rejects(
      run(holdfast, ["query", "--data", service.data, "-w", "central", "AzureActivit"]),
      /AzureActivit/,
    );
  });

  const program = async (file: string): Promise<unknown> => {
    const { tenantId, clientId, clientSecret, subscriptionId } = service.admin;
    const env = {
      ...process.env,
      NODE_EXTRA_CA_CERTS: service.ca,
      ENDPOINT: service.endpoint,
      WORKSPACE: customerId,
      WORKSPACE_ID: workspace,
      TENANT_ID: tenantId,
      CLIENT_ID: clientId,
      CLIENT_SECRET: clientSecret,
      SUBSCRIPTION_ID: subscriptionId,
    };
    const { stdout } = await promisify(execFile)(process.execPath, [`${projectRoot}/test/logs/${file}`], { env });
    return JSON.parse(stdout);
  };

  test("Microsoft's client queries, sends batches and reads errors", async () => {
    assert.deepEqual(await program("sdk-program.ts"), {
      single: ["Success", [["2026-01-02T00:00:00.000Z", { a: 1 }]]],
      statistics: ["number", 1],
      chart: { ...noChart, visualization: "piechart", title: "Jobs", isQuerySorted: false, accumulate: false },
      plain: ["undefined", "undefined"],
      // A duration up to now, from a start, up to an end, between two; and a week that is long gone.
      timespans: [1, 1, 1, 1, 0],
      // By id, by name and by resource id: bare names mean all the workspaces together.
      workspaces: [
        2,
        2,
        2,
        [
          ["central", 1],
          ["second", 1],
        ],
      ],
      // This client calls every item that has an error partial, whether it has rows or not.
      batch: ["Success", "PartialFailure", "Success", "PartialFailure"],
      batchRows: [[[1]], [], [[1]], []],
      batchErrors: ["BadArgumentError", "PathNotFoundError"],
      batchMore: ["barchart", "number"],
      partial: ["PartialFailure", "PartialError", "ResourceLimit", 500_000],
      late: [504, "GatewayTimeout"],
      refused: [400, "BadArgumentError", "SEM0100"],
      resource: ["Success", [["SEEN"]]],
    });
  });

  test("Microsoft's monitor client makes, changes, lists and deletes a rule", async () => {
    assert.deepEqual(await program("rules-program.ts"), {
      made: ["by-program", 3, "LogAlert"],
      enabled: false,
      names: ["by-program"],
      gone: 404,
      setting: "by-program",
    });
  });
});
