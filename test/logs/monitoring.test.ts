// Diagnostic settings of vaults, rules and alerts on a running service whose clock the test moves.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import { startTestService, type TestService } from "../support/service.ts";

const rulesVersion = "?api-version=2021-08-01";
const alertsVersion = "api-version=2019-05-05-preview";
const patience = 120_000;

describe("monitoring of vaults", () => {
  let service: TestService;
  let folder = "";
  let clockFile = "";
  let offset = 0;
  let subscription = "";
  let group = "";
  let workspace = "";
  let vault = "";
  let customerId = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-clock-"));
    clockFile = join(folder, "offset");
    await writeFile(clockFile, "0");
    service = await startTestService({
      args: ["--test-clock", clockFile],
      env: { HOLDFAST_ALLOW_TEST_CLOCK: "1" },
    });
    subscription = `/subscriptions/${service.admin.subscriptionId}`;
    group = `${subscription}/resourceGroups/ops`;
    workspace = `${group}/providers/Microsoft.OperationalInsights/workspaces/central`;
    vault = `${group}/providers/Microsoft.RecoveryServices/vaults/main`;
    for (const name of ["OperationalInsights", "RecoveryServices", "Insights", "AlertsManagement"])
      await service.call("POST", `${subscription}/providers/Microsoft.${name}/register?api-version=2021-04-01`);
    await put(`${group}?api-version=2021-04-01`, { location: "local" });
    customerId = (await put(`${workspace}?api-version=2022-10-01`, { location: "local" })).properties.customerId;
    await put(`${vault}?api-version=2023-04-01`, {
      location: "local",
      sku: { name: "Standard" },
      properties: { publicNetworkAccess: "Enabled" },
    });
  });
  after(async () => {
    await service[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely
  const put = async (path: string, body: object): Promise<any> => {
    const { status, json, text } = await service.call("PUT", path, { body });
    assert.ok(status === 200 || status === 201, `${path}: ${status} ${text}`);
    return json;
  };
  const rows = async (query: string, path = `/v1/workspaces/${customerId}/query`): Promise<unknown[][]> => {
    const { json, text } = await service.call("POST", path, { body: { query } });
    assert.ok(json.tables, text);
    return json.tables[0].rows;
  };
  const rowsOf = (query: string, path?: string): Promise<unknown[][]> =>
    waitFor(query, async () => ((found) => (found.length > 0 ? found : undefined))(await rows(query, path)), patience);
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely
  const alertsOf = async (filter: string): Promise<any[]> => {
    const path = `${subscription}/providers/Microsoft.AlertsManagement/alerts?${alertsVersion}&includeContext=true&${filter}`;
    const { status, json, text } = await service.call("GET", path);
    assert.equal(status, 200, text);
    return json.value;
  };
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely
  const someAlerts = (filter: string, count: number): Promise<any[]> =>
    waitFor(
      `${count} alerts with ${filter}`,
      async () => ((found) => (found.length >= count ? found : undefined))(await alertsOf(filter)),
      patience,
    );
  const freshToken = async (): Promise<string> => {
    const { clientId, clientSecret, tenantId } = service.admin;
    const form = { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret };
    const { json } = await service.call("POST", `/${tenantId}/oauth2/v2.0/token`, {
      text: new URLSearchParams({ ...form, scope: `${service.endpoint}/.default` }).toString(),
      token: "",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
    });
    return json.access_token;
  };
  const advance = async (seconds: number): Promise<void> => {
    offset += seconds;
    await writeFile(clockFile, String(offset));
  };

  test("a setting of a vault brings its whole inventory, each form to its own tables", async () => {
    const setting = `${vault}/providers/Microsoft.Insights/diagnosticSettings`;
    const version = "?api-version=2021-05-01-preview";
    await put(`${setting}/legacy${version}`, {
      properties: { workspaceId: workspace, logs: [{ category: "AzureBackupReport", enabled: true }] },
    });
    await put(`${setting}/dedicated${version}`, {
      properties: {
        workspaceId: workspace,
        logAnalyticsDestinationType: "Dedicated",
        logs: [{ categoryGroup: "allLogs", enabled: true }],
      },
    });
    assert.deepEqual(
      await rowsOf('CoreAzureBackup | where OperationName == "Vault" | distinct VaultName, StorageReplicationType'),
      [["main", "GeoRedundant"]],
    );
    assert.deepEqual(
      await rowsOf('AzureDiagnostics | where OperationName == "Policy" | summarize dcount(PolicyUniqueId_g)'),
      [[3]],
    );
    const names = await rowsOf("_AzureBackup_GetPolicies() | project Name | sort by Name asc");
    assert.deepEqual(names.flat(), ["DefaultPolicy", "EnhancedPolicy", "HourlyLogBackup"]);
  });

  test("a resource's logs are asked at the resource", async () => {
    const query = 'CoreAzureBackup | where OperationName == "Vault" | distinct VaultName';
    for (const path of [
      `/v1${vault}/query`,
      `/v1/${vault}/query`,
      `/${vault}/query`,
      `/v1${group}/query`,
      `/v1${subscription}/query`,
    ])
      assert.deepEqual(await rowsOf(query, path), [["main"]], path);
    const arm = await service.call(
      "POST",
      `${vault}/providers/microsoft.insights/logs?api-version=2018-08-01-preview`,
      {
        body: { query },
      },
    );
    assert.deepEqual(arm.json.tables?.[0].rows, [["main"]], arm.text);
    const missing = await service.call("POST", `/v1${group}/providers/Microsoft.RecoveryServices/vaults/x/query`, {
      body: { query },
    });
    assert.equal(missing.status, 404, missing.text);
  });

  test("metadata tells tables, columns and functions", async () => {
    const { status, json, text } = await service.call("GET", `/v1/workspaces/${customerId}/metadata`);
    assert.equal(status, 200, text);
    const jobs = json.tables.find(({ name }: { name: string }) => name === "AddonAzureBackupJobs");
    assert.ok(jobs.columns.some((column: { name: string; type: string }) => column.type === "real"));
    assert.ok(json.functions.some(({ name }: { name: string }) => name === "_AzureBackup_GetJobs"));
  });

  test("a policy that is changed is told at once, and shorter retention raises a security alert", async () => {
    const policy = `${vault}/backupPolicies/DefaultPolicy?api-version=2023-04-01`;
    const { json } = await service.call("GET", policy);
    json.properties.retentionPolicy.dailySchedule.retentionDuration.count = 10;
    const changed = await service.call("PUT", policy, { body: { properties: json.properties } });
    assert.equal(changed.status, 200, changed.text);
    await rowsOf('AddonAzureBackupPolicy | where PolicyName == "DefaultPolicy" and DailyRetentionDuration == 10');
    const [alert] = await someAlerts("monitorService=Azure%20Backup&severity=Sev0", 1);
    assert.equal(alert.properties.essentials.alertRule, "Modify Policy with Shorter Retention");
    assert.equal(alert.properties.essentials.targetResourceType, "microsoft.recoveryservices/vaults");
    assert.equal(alert.properties.context.category, "Security");
    assert.deepEqual(await rowsOf("AddonAzureBackupAlerts | project AlertType, AlertSeverity, AlertStatus"), [
      ["Modify Policy with Shorter Retention", "Critical", "Active"],
    ]);
  });

  test("people change an alert's state; its history and the records tell", async () => {
    const [{ id }] = await alertsOf("monitorService=Azure%20Backup");
    const changed = await service.call("POST", `${id}/changestate?${alertsVersion}&newState=Closed`, {
      body: { comments: "looked at" },
    });
    assert.equal(changed.status, 200, changed.text);
    assert.equal(changed.json.properties.essentials.alertState, "Closed");
    const history = await service.call("GET", `${id}/history?${alertsVersion}`);
    const events = history.json.properties.modifications.map(
      ({ modificationEvent, comments }: Record<string, string>) => [modificationEvent, comments],
    );
    assert.deepEqual(events, [
      ["AlertCreated", ""],
      ["StateChange", "looked at"],
    ]);
    await rowsOf('AddonAzureBackupAlerts | where AlertStatus == "Resolved"');
    const summary = await service.call(
      "GET",
      `${subscription}/providers/Microsoft.AlertsManagement/alertsSummary?${alertsVersion}&groupby=severity,alertState`,
    );
    const [first] = summary.json.properties.values;
    assert.deepEqual([first.name, first.count, first.values.at(-1)], ["Sev0", 1, { name: "Closed", count: 1 }]);
    const wrong = await service.call("POST", `${id}/changestate?${alertsVersion}&newState=Gone`);
    assert.equal(wrong.status, 400);
  });

  const rule = (name: string): string => `${group}/providers/Microsoft.Insights/scheduledQueryRules/${name}`;
  const ruleBody = (query: string, more: object = {}): object => ({
    location: "local",
    properties: {
      severity: 2,
      scopes: [workspace],
      evaluationFrequency: "PT5M",
      windowSize: "PT5M",
      autoMitigate: false,
      criteria: { allOf: [{ query, timeAggregation: "Count", operator: "GreaterThan", threshold: 0 }] },
      ...more,
    },
  });

  test("a rule with a query that cannot be run is refused, unless it says so", async () => {
    const refused = await service.call("PUT", rule("wrong") + rulesVersion, {
      body: ruleBody("AddonAzureBackupJob | count"),
    });
    assert.equal(refused.status, 400, refused.text);
    assert.match(refused.text, /AddonAzureBackupJobs/);
    for (const more of [
      { evaluationFrequency: "PT7M" },
      { severity: 9 },
      { muteActionsDuration: "PT5M", autoMitigate: true },
    ]) {
      const answer = await service.call("PUT", rule("wrong") + rulesVersion, { body: ruleBody("print 1", more) });
      assert.equal(answer.status, 400, answer.text);
    }
    await put(rule("wrong") + rulesVersion, ruleBody("AddonAzureBackupJob | count", { skipQueryValidation: true }));
    const patched = await service.call("PATCH", rule("wrong") + rulesVersion, {
      body: { Properties: { skipQueryValidation: false } },
    });
    assert.equal(patched.status, 400, "however the names are spelled");
  });

  test("rules of both generations are evaluated on time, each record in one window", async () => {
    const query = 'AzureBackupOperations | where OperationType == "Modify policy"';
    await put(rule("present") + rulesVersion, ruleBody(query));
    await put(`${rule("seed")}?api-version=2018-04-16`, {
      location: "local",
      properties: {
        enabled: "true",
        source: { query, dataSourceId: workspace, queryType: "ResultCount" },
        schedule: { frequencyInMinutes: 5, timeWindowInMinutes: 5 },
        action: { severity: "1", trigger: { thresholdOperator: "GreaterThan", threshold: 0 } },
      },
    });
    const policy = `${vault}/backupPolicies/DefaultPolicy?api-version=2023-04-01`;
    const { json } = await service.call("GET", policy);
    const before = (await rows(query)).length;
    json.properties.retentionPolicy.dailySchedule.retentionDuration.count = 20;
    await service.call("PUT", policy, { body: { properties: json.properties } });
    await waitFor("the record", async () => ((await rows(query)).length > before ? true : undefined), patience);
    await advance(310);
    const fired = await someAlerts("monitorCondition=Fired&monitorService=Log%20Alerts%20V2", 1);
    assert.equal(fired[0].properties.essentials.severity, "Sev2");
    assert.equal(fired[0].properties.essentials.alertRule.toLowerCase(), rule("present").toLowerCase());
    assert.equal(fired[0].properties.context.condition.allOf[0].metricValue, 1);
    const legacy = await someAlerts("monitorService=Log%20Analytics", 1);
    assert.equal(legacy[0].properties.context.ResultCount, 1);
    // Two windows later: nothing new happened, so nothing fires again.
    await advance(610);
    await put(rule("last") + rulesVersion, ruleBody("print 1"));
    await advance(310);
    await someAlerts(`alertRule=${encodeURIComponent(rule("last"))}`, 1);
    assert.equal((await alertsOf("monitorService=Log%20Analytics")).length, 1);
    assert.equal((await alertsOf(`alertRule=${encodeURIComponent(rule("present"))}`)).length, 1);
  });

  test("a rule over a group asks what the group's resources log", async () => {
    const criteria = {
      allOf: [
        {
          query: 'AzureBackupOperations | where OperationType == "Modify policy"',
          timeAggregation: "Count",
          operator: "GreaterThan",
          threshold: 0,
          resourceIdColumn: "_ResourceId",
        },
      ],
    };
    for (const [name, scope] of Object.entries({ group, subscription })) {
      await put(rule(name) + rulesVersion, ruleBody("print 1", { scopes: [scope], criteria }));
    }
    const policy = `${vault}/backupPolicies/DefaultPolicy?api-version=2023-04-01`;
    const { json } = await service.call("GET", policy);
    json.properties.retentionPolicy.dailySchedule.retentionDuration.count = 22;
    const before = (await rows("AzureBackupOperations")).length;
    await service.call("PUT", policy, { body: { properties: json.properties } });
    await waitFor(
      "the record",
      async () => ((await rows("AzureBackupOperations")).length > before ? true : undefined),
      patience,
    );
    await advance(310);
    for (const name of ["group", "subscription"]) {
      const [alert] = await someAlerts(`alertRule=${encodeURIComponent(rule(name))}`, 1);
      assert.equal(alert.properties.essentials.targetResource.toLowerCase(), vault.toLowerCase());
    }
  });

  test("a stateful rule has one alert for each vault, resolved when it is quiet", async () => {
    const body = ruleBody('print Vault = "a", On = now() < datetime(2100-01-01) | where On', {
      autoMitigate: true,
      evaluationFrequency: "PT1M",
      criteria: {
        allOf: [
          {
            query:
              'range n from 1 to 2 step 1 | extend Vault = strcat("vault", n), Quiet = toscalar(AzureBackupOperations | where OperationType == "Modify policy" | count) == 0 | where not(Quiet)',
            timeAggregation: "Count",
            operator: "GreaterThan",
            threshold: 0,
            dimensions: [{ name: "Vault", operator: "Include", values: ["vault1", "vault2"] }],
          },
        ],
      },
    });
    const policy = `${vault}/backupPolicies/DefaultPolicy?api-version=2023-04-01`;
    const { json } = await service.call("GET", policy);
    await put(rule("stateful") + rulesVersion, body);
    json.properties.retentionPolicy.dailySchedule.retentionDuration.count = 25;
    await service.call("PUT", policy, { body: { properties: json.properties } });
    await advance(70);
    const filter = `alertRule=${encodeURIComponent(rule("stateful"))}`;
    const fired = await someAlerts(filter, 2);
    assert.equal(fired.length, 2);
    const values = fired.map(({ properties }) => properties.context.condition.allOf[0].dimensions[0].value).sort();
    assert.deepEqual(values, ["vault1", "vault2"]);
    await advance(1200);
    const resolved = await someAlerts(`${filter}&monitorCondition=Resolved`, 2);
    assert.ok(resolved[0].properties.essentials.monitorConditionResolvedDateTime);
    assert.equal((await alertsOf(filter)).length, 2);
  });

  test("once a day everything is told again", async () => {
    const query = 'CoreAzureBackup | where OperationName == "Vault" | where TimeGenerated > ago(1d) | count';
    await advance(2 * 86_400);
    const count = async (): Promise<true | undefined> => {
      // The administrator's token has run out on the way.
      const token = await freshToken();
      const { json } = await service.call("POST", `/v1/workspaces/${customerId}/query`, { body: { query }, token });
      return json.tables?.[0].rows[0][0] > 0 ? true : undefined;
    };
    await waitFor("the daily records", count, patience);
  });
});
