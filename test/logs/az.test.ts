// Workspaces, diagnostic settings, saved searches, rules and alerts by the real az.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import { azEnvironment, azWith, type Az } from "../support/az.ts";
import { projectRoot, startTestService, type TestService } from "../support/service.ts";

describe("logs by az", () => {
  let service: TestService;
  let az: Az;
  let folder = "";
  let vault = "";
  let workspace = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-az-logs-"));
    service = await startTestService();
    az = azWith(await azEnvironment(service));
    await az("group", "create", "-n", "ops", "-l", "local");
    await az("backup", "vault", "create", "-g", "ops", "-n", "main", "-l", "local");
    const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/ops/providers`;
    vault = `${group}/Microsoft.RecoveryServices/vaults/main`;
    workspace = `${group}/Microsoft.OperationalInsights/workspaces/central`;
  });
  after(async () => {
    await service[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  const file = async (name: string, content: object): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, JSON.stringify(content));
    return path;
  };
  const rest = async (method: string, path: string, body?: object) =>
    az(
      "rest",
      "--method",
      method,
      "--url",
      path,
      ...(body === undefined ? [] : ["--body", `@${await file("body", body)}`]),
    );

  test("a workspace is created, shown, listed, and gives its keys", async () => {
    const log = (...args: string[]) => az("monitor", "log-analytics", ...args);
    const made = await log("workspace", "create", "-g", "ops", "-n", "central", "--retention-time", "60");
    assert.equal(made.retentionInDays, 60);
    const listed = await log("workspace", "list", "-g", "ops");
    assert.deepEqual(
      listed.map(({ name }: { name: string }) => name),
      ["central"],
    );
    const keys = await log("workspace", "get-shared-keys", "-g", "ops", "-n", "central");
    assert.ok(keys.primarySharedKey.length > 40);
    const ofTable = ["-g", "ops", "--workspace-name", "central", "-n", "CoreAzureBackup"];
    const table = await log("workspace", "table", "show", ...ofTable);
    assert.equal(table.retentionInDays, 60);
    const keep = ["--retention-time", "45", "--total-retention-time", "45"];
    await log("workspace", "table", "update", ...ofTable, ...keep);
    const kept = await log("workspace", "table", "show", ...ofTable);
    assert.deepEqual([kept.retentionInDays, kept.totalRetentionInDays], [45, 45]);
  });

  test("a workspace tells its columns, and that no agents report to it", async () => {
    const names = ["-g", "ops", "-n", "central"];
    const ask = (...words: string[]) => az("monitor", "log-analytics", "workspace", ...words, ...names);
    const schema = (await ask("get-schema")).value as { name: string; type: string }[];
    assert.equal(schema.find(({ name }) => name === "TimeGenerated")?.type, "datetime");
    assert.deepEqual(await ask("list-management-groups"), []);
  });

  test("a diagnostic setting of a vault sends its records", async () => {
    const settings = (...args: string[]) => az("monitor", "diagnostic-settings", ...args);
    const categories = await settings("categories", "list", "--resource", vault);
    assert.ok(categories.value.some(({ name }: { name: string }) => name === "CoreAzureBackup"));
    // In any case: it is shown as the vault names it.
    const logs = JSON.stringify([{ category: "coreAzureBackup", enabled: true }]);
    const made = await settings(
      "create",
      "-n",
      "all",
      "--resource",
      vault,
      "--workspace",
      workspace,
      "--logs",
      logs,
      "--export-to-resource-specific",
      "true",
    );
    assert.equal(made.logAnalyticsDestinationType, "Dedicated");
    const shown = await settings("show", "-n", "all", "--resource", vault);
    assert.equal(shown.logs[0].category, "CoreAzureBackup");
    assert.equal((await settings("list", "--resource", vault)).length, 1);
    const rows = await waitFor(
      "the vault's record",
      async () => {
        const query = 'CoreAzureBackup | where OperationName == "Vault" | distinct VaultName';
        const { tables } = await rest("post", `${workspace}/query?api-version=2022-10-01`, { query });
        return tables[0].rows.length > 0 ? tables[0].rows : undefined;
      },
      120_000,
      200,
    );
    assert.deepEqual(rows, [["main"]]);
  });

  test("a saved search is a function", async () => {
    const searches = (...args: string[]) =>
      az("monitor", "log-analytics", "workspace", "saved-search", ...args, "-g", "ops", "--workspace-name", "central");
    await searches(
      "create",
      "-n",
      "vaults",
      "--category",
      "Backup",
      "--display-name",
      "Vaults",
      "--saved-query",
      "CoreAzureBackup | distinct VaultName",
      "--func-alias",
      "Vaults",
    );
    assert.equal((await searches("show", "-n", "vaults")).functionAlias, "Vaults");
    const { tables } = await rest("post", `${workspace}/query?api-version=2022-10-01`, { query: "Vaults | count" });
    assert.deepEqual(tables[0].rows, [[1]]);
  });

  test("the monitoring solution is deployed by a template, and each of its queries runs", async () => {
    const template = join(projectRoot, "docs/examples/backup-monitoring.json");
    const deployed = await az(
      "deployment",
      "group",
      "create",
      "-g",
      "ops",
      "-f",
      template,
      "-p",
      "workspaceName=central",
    );
    assert.equal(deployed.properties.provisioningState, "Succeeded");
    const [workbook] = await az("resource", "list", "-g", "ops", "--resource-type", "Microsoft.Insights/workbooks");
    const shown = await rest("get", `${workbook.id}?api-version=2022-04-01`);
    const document = JSON.parse(shown.properties.serializedData);
    const titles = document.items.flatMap((item: { content: { title?: string } }) => item.content.title ?? []);
    assert.deepEqual(titles, [
      "All backup jobs",
      "Restore jobs",
      "Active alerts",
      "Active data sources",
      "Vault storage",
    ]);
    const saved = await rest("get", `${workspace}/savedSearches?api-version=2020-08-01`);
    const queries = saved.value.filter(
      ({ properties }: { properties: { category: string } }) => properties.category === "Azure Backup",
    );
    assert.equal(queries.length, titles.length);
    for (const { properties } of queries) {
      const { tables } = await rest("post", `${workspace}/query?api-version=2022-10-01`, { query: properties.query });
      assert.ok(tables[0].columns.length > 0, properties.displayName);
    }
  });

  test("a rule is made and shown; alerts are listed", async () => {
    const rule = `${workspace.split("/providers")[0]}/providers/Microsoft.Insights/scheduledQueryRules/jobs?api-version=2021-08-01`;
    const made = await rest("put", rule, {
      location: "local",
      properties: {
        severity: 1,
        scopes: [workspace],
        evaluationFrequency: "PT5M",
        windowSize: "PT5M",
        criteria: {
          allOf: [
            {
              query: "AddonAzureBackupJobs | where JobStatus == 'Failed'",
              timeAggregation: "Count",
              operator: "GreaterThan",
              threshold: 0,
            },
          ],
        },
      },
    });
    assert.equal(made.properties.severity, 1);
    assert.equal((await rest("get", rule)).kind, "LogAlert");
    const alerts = `/subscriptions/${service.admin.subscriptionId}/providers/Microsoft.AlertsManagement/alerts?api-version=2019-05-05-preview`;
    assert.deepEqual((await rest("get", alerts)).value, []);
  });
});
