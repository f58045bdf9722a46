// What happens to a vault's items and jobs, carried by the real engine, stream, store and KQL.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { putResource } from "../../arm/resources/resource-store.ts";
import { createJob } from "../../backup/jobs/create-job.ts";
import { JobFailure } from "../../backup/jobs/job-error.ts";
import { createJobEngine, type JobEngine } from "../../backup/jobs/job-engine.ts";
import { parsePolicy } from "../../backup/policy/parse-policy.ts";
import type { Policy } from "../../backup/policy/policy.ts";
import { renderPolicy } from "../../backup/policy/render-policy.ts";
import { seededPolicies } from "../../backup/policy/seeds.ts";
import { changeItem } from "../../backup/protection/change-item.ts";
import { tellOfItem } from "../../backup/protection/item-events.ts";
import { getItem } from "../../backup/protection/item.ts";
import { itemIdOf, itemNames } from "../../backup/protection/names.ts";
import { removePolicy, savePolicy } from "../../backup/vaults/policies.ts";
import { createVault, saveSettings, type Vault } from "../../backup/vaults/vaults.ts";
import { openBlobs, type Blobs } from "../../blobs/blobs.ts";
import { insertAccount } from "../../blobs/rows/account.ts";
import type { Database } from "../../db/database.ts";
import { temporaryDatabase } from "../../db/testing/temporary-database.ts";
import { disk } from "../../lib/files.ts";
import { newGuid, randomBytes } from "../../lib/random.ts";
import { secretBox } from "../../lib/secret-box.ts";
import { waitFor } from "../../lib/time.ts";
import { openLogs, type Logs } from "../../logs/logs.ts";
import { testWorkspace } from "../../logs/testing/open-logs.ts";
import { listAlerts } from "../../monitor/alerts.ts";
import { builtInAlerts } from "../../monitor/built-in.ts";
import { raiseBackupAlerts } from "../alertsmanagement/backup-alerts.ts";
import { openArchive } from "./archive.ts";
import { pushInventories, routeBackupRecords, type BackupRoutingOptions } from "./backup-routing.ts";
import { diagnosticSettingType } from "./settings-of-resource.ts";

const subscriptionId = "00000000-0000-4000-8000-000000000001";
const group = `/subscriptions/${subscriptionId}/resourceGroups/ops/providers`;
const vaultId = `${group}/Microsoft.RecoveryServices/vaults/main`;
const machineId = `/subscriptions/${subscriptionId}/resourceGroups/apps/providers/Microsoft.Compute/virtualMachines/web1`;
const itemId = itemIdOf(vaultId, machineId);
const by = { actor: "test", correlationId: "c" };

describe("records and alerts of what happens in a vault", () => {
  let folder = "";
  let database: Database;
  let logs: Logs;
  let blobs: Blobs;
  let routing: BackupRoutingOptions;
  let engine: JobEngine;
  let vault: Vault;
  const ending = new AbortController();
  const reported: unknown[] = [];
  let working: Promise<unknown> = Promise.resolve();

  const put = (id: string, properties: object): Promise<unknown> =>
    database.transaction((trx) =>
      putResource(trx, { id, properties }, { caller: { name: "t", principalType: "User" }, clock: database.clock }),
    );

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-routing-"));
    database = await temporaryDatabase();
    const report = (error: unknown): void => void reported.push(error);
    logs = openLogs({ folder: join(folder, "logs"), disk, memoryLimitMiB: 512, report });
    vault = await database.transaction((trx) => createVault(trx, { id: vaultId, location: "local" }, by));
    await setJobAlerts("Enabled");
    await put(testWorkspace.id, { customerId: testWorkspace.customerId, retentionInDays: 30 });
    await put(`${vaultId}/providers/${diagnosticSettingType}/old`, {
      workspaceId: testWorkspace.id,
      logs: [{ category: "AzureBackupReport", enabled: true }],
    });
    await put(`${vaultId}/providers/${diagnosticSettingType}/new`, {
      workspaceId: testWorkspace.id,
      logAnalyticsDestinationType: "Dedicated",
      logs: [{ categoryGroup: "allLogs", enabled: true }],
    });
    const now = database.clock.now();
    await database.kysely
      .insertInto("protected_items")
      .values({
        key: itemId.toLowerCase(),
        id: itemId,
        vault_key: vault.key,
        item_id: newGuid(),
        store_item: "web1",
        machine_key: machineId.toLowerCase(),
        machine_id: machineId,
        friendly_name: "web1",
        policy_key: "defaultpolicy",
        state: "IRPending",
        disks: null,
        last_run_at: now,
        last_backup_status: "",
        last_backup_at: null,
        last_error: null,
        point_count: 0,
        oldest_point_at: null,
        newest_point_at: null,
        purge_at: null,
        deleted_at: null,
        soft_delete_days: null,
        created_at: now,
        changed_at: now,
      })
      .execute();
    engine = createJobEngine({
      database,
      holder: "node",
      limits: { server: 4, vault: 4, host: 4 },
      report,
      lookAgainMilliseconds: 20,
      retry: { attempts: 1, interruptions: 1, firstDelayMilliseconds: 1 },
    });
    engine.register("Backup", {
      run: async ({ job, setProperty }) => {
        const { failure } = job.input as { failure?: "UserErrorFsFreezeFailed" | "UserErrorVmNotFoundV2" };
        if (failure !== undefined) throw new JobFailure(failure, "It went wrong.");
        setProperty("Backup Size", "12 MB");
      },
    });
    engine.register("Restore", {
      run: async () => {
        throw new JobFailure("UserErrorFsFreezeFailed", "It went wrong.");
      },
    });
    engine.start();
    blobs = await openBlobs({
      database,
      secretBox: secretBox(randomBytes(32)),
      folder: join(folder, "blobs"),
      origin: () => "https://localhost",
      report,
    });
    const archive = openArchive(blobs, report, ending.signal);
    routing = { database, logs, archive, holder: "node", report };
    const options = routing;
    working = Promise.all([routeBackupRecords(options, ending.signal), raiseBackupAlerts(options, ending.signal)]);
    // Both begin with what happens from now on.
    await waitFor(
      "the subscribers",
      async () =>
        (await database.kysely.selectFrom("event_subscribers").selectAll().execute()).length === 2 ? true : undefined,
      120_000,
    );
  });
  after(async () => {
    ending.abort();
    await working;
    await engine[Symbol.asyncDispose]();
    await logs[Symbol.asyncDispose]();
    await blobs[Symbol.asyncDispose]();
    await database.close();
    await rm(folder, { recursive: true, force: true });
    assert.deepEqual(reported, []);
  });

  const setJobAlerts = (state: string): Promise<unknown> =>
    put(vaultId, { monitoringSettings: { azureMonitorAlertSettings: { alertsForAllJobFailures: state } } });
  const backUp = (failure?: string): Promise<{ readonly id: string }> => {
    const { item, container } = itemNames(machineId);
    return database.transaction((trx) =>
      createJob(trx, {
        vault,
        operation: "Backup",
        item: { key: itemId.toLowerCase(), name: item, container },
        isUserTriggered: false,
        input: failure === undefined ? {} : { failure },
        by,
      }),
    );
  };
  const rows = async (text: string): Promise<unknown[][]> => {
    const workspaces = [{ ...testWorkspace, functions: [] }];
    const { tables } = await logs.query({ text, workspaces, slice: {} }, async () => assert.fail());
    return (tables[0]?.rows ?? []).map((row) =>
      row.map((value) => (typeof value === "bigint" ? Number(value) : value)),
    );
  };
  const until = (text: string, expected: unknown[][]): Promise<void> =>
    waitFor(
      text,
      async () => (JSON.stringify(await rows(text)) === JSON.stringify(expected) ? true : undefined),
      120_000,
      100,
    ).then(
      () => {},
      async () => assert.deepEqual(await rows(text), expected),
    );
  const alerts = async (): Promise<string[]> =>
    (await listAlerts(database.kysely, { subscriptionId, from: 0, to: database.clock.now() + 1 }))
      .map(({ rule }) => rule)
      .sort();

  test("jobs are told when they end, in both forms, and the published queries find them", async () => {
    await backUp();
    await backUp("UserErrorFsFreezeFailed");
    await until("AddonAzureBackupJobs | summarize n = count() by JobStatus, JobFailureCode | sort by JobStatus asc", [
      ["Completed", "Success", 1],
      ["Failed", "UserErrorFsFreezeFailed", 1],
    ]);
    assert.deepEqual(
      await rows(
        'AddonAzureBackupJobs | where JobStatus == "Completed" | project DataTransferredInMB, AdHocOrScheduledJob, BackupItemFriendlyName, BackupManagementType',
      ),
      [[12, "Scheduled", "web1", "IaaSVM"]],
    );
    await pushInventories(routing);
    const successful = `AzureDiagnostics
| where Category == "AzureBackupReport"
| where SchemaVersion_s == "V2"
| extend JobOperationSubType_s = columnifexists("JobOperationSubType_s", "")
| where OperationName == "Job" and JobOperation_s == "Backup" and JobStatus_s == "Completed" and JobOperationSubType_s != "Log" and JobOperationSubType_s != "Recovery point_Log"
| join kind=inner
(
    AzureDiagnostics
    | where Category == "AzureBackupReport"
    | where OperationName == "BackupItem"
    | where SchemaVersion_s == "V2"
    | where BackupItemType_s == "VM" and BackupManagementType_s == "IaaSVM"
    | distinct BackupItemUniqueId_s, BackupItemFriendlyName_s
    | project BackupItemUniqueId_s , BackupItemFriendlyName_s
)
on BackupItemUniqueId_s
| extend Vault= Resource
| project-away Resource
| project Vault, BackupItemFriendlyName_s1, JobFailureCode_s`;
    assert.deepEqual(await rows(successful), [["MAIN", "web1", "Success"]]);
  });

  test("a failed backup raises an alert, which is told as a record; one whose machine is gone does not", async () => {
    await waitFor("the alert", async () => ((await alerts()).length > 0 ? true : undefined), 120_000);
    await until("AddonAzureBackupAlerts | project AlertType, AlertSeverity, AlertStatus", [
      ["Backup Failure", "Critical", "Active"],
    ]);
    await backUp("UserErrorVmNotFoundV2");
    await until("AddonAzureBackupJobs | count", [[3]]);
    await setJobAlerts("Disabled");
    await backUp("UserErrorFsFreezeFailed");
    await until("AddonAzureBackupJobs | count", [[4]]);
    assert.deepEqual(await alerts(), ["Backup Failure"]);
  });

  test("what threatens the data raises security alerts that nobody can switch off", async () => {
    const now = database.clock.now();
    const deletion = { at: now, purgeAt: now + 14 * 86_400_000, days: 14 };
    const item = { ...(await getItem(database.kysely, itemId.toLowerCase())), deletion };
    await database.transaction(async (trx) => tellOfItem(trx, "item.deleted", item, by));
    await database.transaction(async (trx) => {
      vault = await saveSettings(
        trx,
        vault,
        { ...vault.settings, softDelete: { state: "Disabled", retentionDays: 14 } },
        by,
      );
    });
    await waitFor("the alerts", async () => ((await alerts()).length >= 3 ? true : undefined), 120_000);
    assert.deepEqual(await alerts(), ["Backup Failure", "Delete Backup Data", "Soft Delete Disabled for Vault"]);
    await until("AzureBackupOperations | project OperationType", [["Stop backup with delete data"]]);
    await until('CoreAzureBackup | where OperationName == "BackupItem" | distinct BackupItemProtectionState', [
      ["InitialBackupPending"],
    ]);
  });

  test("a policy that is deleted is told as deleted, under the same id", async () => {
    const { DefaultPolicy: policy } = seededPolicies;
    assert.ok(policy !== undefined);
    await database.transaction((trx) => savePolicy(trx, vault, "Gone", policy, by));
    await database.transaction((trx) => removePolicy(trx, vault, "Gone", by));
    const latest =
      'where PolicyName == "Gone" | summarize arg_max(TimeGenerated, State) by PolicyUniqueId | project State';
    await until(`AddonAzureBackupPolicy | ${latest}`, [["Deleted"]]);
    await until('AzureBackupOperations | where OperationType == "Delete policy" | count', [[1]]);
  });

  test("every built-in alert is reached by its cause", async () => {
    const change = (settings: Partial<Vault["settings"]>): Promise<void> =>
      database.transaction(async (trx) => {
        vault = await saveSettings(trx, vault, { ...vault.settings, ...settings }, by);
      });
    const guard = {
      resourceGuardResourceId: `${group}/Microsoft.DataProtection/resourceGuards/guard`,
      lastUpdatedTime: "2026-01-01T00:00:00Z",
    };
    await change({ guard, enhancedSecurity: "Enabled" });
    await change({ guard: undefined, enhancedSecurity: "Disabled" });

    const { DefaultPolicy: policy } = seededPolicies;
    assert.ok(policy?.management === "AzureIaasVM");
    const keep = (days: number): Policy => {
      const wire = structuredClone(renderPolicy(policy)) as {
        retentionPolicy: { dailySchedule: { retentionDuration: { count: number } } };
      };
      wire.retentionPolicy.dailySchedule.retentionDuration.count = days;
      return parsePolicy(wire);
    };
    const save = (name: string, days: number): Promise<unknown> =>
      database.transaction((trx) => savePolicy(trx, vault, name, keep(days), by));
    await save("Long", 40);
    await save("Long", 50);
    await save("Short", 20);
    await save("Short", 15);
    const item = await getItem(database.kysely, itemId.toLowerCase());
    const choose = async (name: string): Promise<void> => {
      await database.transaction(async (trx) =>
        changeItem(trx, await getItem(trx, item.key), { policy_key: name }, "item.changed", by),
      );
    };
    await choose("long");
    await choose("short");

    const now = database.clock.now();
    const deleted = { ...item, deletion: { at: now, purgeAt: now, days: 14 } };
    await database.transaction(async (trx) => tellOfItem(trx, "item.purge-upcoming", deleted, by));
    await database.transaction(async (trx) => tellOfItem(trx, "item.purged", deleted, by));

    await setJobAlerts("Enabled");
    const { item: name, container } = itemNames(machineId);
    await database.transaction((trx) =>
      createJob(trx, {
        vault,
        operation: "Restore",
        item: { key: item.key, name, container },
        isUserTriggered: true,
        input: {},
        by,
      }),
    );
    await waitFor(
      "the last alert",
      async () => ((await alerts()).includes("Restore Failure") ? true : undefined),
      120_000,
    );
    const names = await alerts();
    assert.deepEqual(
      names,
      Object.values(builtInAlerts)
        .map((alert) => alert.name)
        .sort(),
    );
    const told = await listAlerts(database.kysely, { subscriptionId, from: 0, to: database.clock.now() + 1 });
    assert.match(
      told.find(({ rule }) => rule === "Modify Protection with Shorter Retention")?.description ?? "",
      /^The policy Short in place of Long keeps points for less long \(.*50 Days to 15 Days\): web1\.$/,
    );
  });

  test("a storage account is given the records of each hour, line by line and each once", async () => {
    const id = `${group}/Microsoft.Storage/storageAccounts/kept`;
    await database.transaction((trx) =>
      insertAccount(trx, blobs.store.secretBox, { name: "kept", scope: id, allowsSharedKey: true, admitted: "all" }),
    );
    await put(id, {});
    await put(`${vaultId}/providers/${diagnosticSettingType}/kept`, {
      storageAccountId: id,
      logs: [{ category: "AddonAzureBackupJobs", enabled: true }],
    });
    const ids = [(await backUp()).id, (await backUp()).id];
    await until(`AddonAzureBackupJobs | where JobUniqueId in ("${ids.join('", "')}") | count`, [[2]]);
    const kept = await database.kysely
      .selectFrom("blobs")
      .select(["container", "name"])
      .where("account", "=", "kept")
      .execute();
    const lines: string[] = [];
    for (const { container, name } of kept) {
      assert.equal(container, "insights-logs-addonazurebackupjobs");
      assert.match(
        name,
        /^resourceId=\/SUBSCRIPTIONS\/.*\/VAULTS\/MAIN\/y=\d{4}\/m=\d\d\/d=\d\d\/h=\d\d\/m=00\/PT1H\.json$/,
      );
      const { body } = await blobs.read({ account: "kept", container, name }, ending.signal);
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece);
      const text = Buffer.concat(pieces).toString("utf8");
      lines.push(...text.trim().split("\n"));
    }
    const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const jobIds = told.map(({ properties }) => (properties as { JobUniqueId: string }).JobUniqueId);
    assert.deepEqual(
      jobIds.filter((id) => ids.includes(id)),
      ids,
    );
    for (const { time, resourceId, category } of told) {
      assert.ok(!Number.isNaN(Date.parse(String(time))));
      assert.equal(resourceId, vaultId.toUpperCase());
      assert.equal(category, "AddonAzureBackupJobs");
    }
  });
});
