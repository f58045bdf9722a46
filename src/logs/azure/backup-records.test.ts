import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { exampleAlert, exampleInventory, exampleItems, exampleJob, exampleVault } from "../testing/example-vault.ts";
import { openLogsUnderTest, testWorkspace, type LogsUnderTest } from "../testing/open-logs.ts";
import { alertEntries, inventoryEntries, jobEntries, operationEntries } from "./backup-entries.ts";
import { backupRecords, type Destination } from "./backup-records.ts";

const now = Date.UTC(2026, 0, 10, 12);
const workspace = testWorkspace.customerId;
const diagnostics: Destination = {
  workspace,
  isDedicated: false,
  wants: (category) => category === "AzureBackupReport",
};
const dedicated: Destination = { workspace, isDedicated: true, wants: (category) => category !== "AzureBackupReport" };

const jobs = [
  exampleJob(1),
  exampleJob(2, { status: "Failed", errorCode: "UserErrorGuestAgentStatusUnavailable" }),
  exampleJob(3, { item: exampleItems.database, subType: "Log" }),
  exampleJob(4, { item: exampleItems.database, subType: "Full", isScheduled: false }),
  exampleJob(5, { item: exampleItems.folder, status: "CompletedWithWarnings" }),
  exampleJob(6, { item: exampleItems.folder }),
  exampleJob(7, {
    operation: "Restore",
    isScheduled: false,
    recovery: { destination: "web1", pointAt: Date.UTC(2026, 0, 9), pointLocation: "Cloud" },
  }),
];
const alerts = [
  exampleAlert("alert-1"),
  exampleAlert("f0000000-0000-4000-8000-00000000000a", { item: exampleItems.folder }),
];
const entries = [
  ...inventoryEntries(exampleInventory),
  ...jobs.flatMap((job) => jobEntries(job, exampleVault)),
  ...alerts.flatMap((alert) => alertEntries(alert, exampleVault)),
  ...operationEntries({
    at: now,
    operation: "Stop backup with delete data",
    management: "MAB",
    about: { item: "files" },
  }),
];

describe("records of Azure Backup", () => {
  let logs: LogsUnderTest;
  before(async () => {
    logs = await openLogsUnderTest(now);
    // Twice, as the daily push does: whoever reads takes the latest of each.
    for (const at of [now - 3_600_000, now])
      await logs.store.append(backupRecords(entries, exampleVault, [diagnostics, dedicated], at));
  });
  after(() => logs[Symbol.asyncDispose]());

  const named = (rows: Record<string, unknown>[], column: string): unknown[] =>
    [...new Set(rows.map((row) => row[column]))].sort();

  const jobQuery = (condition: string, item: string): string => `AzureDiagnostics
| where Category == "AzureBackupReport"
| where SchemaVersion_s == "V2"
| extend JobOperationSubType_s = columnifexists("JobOperationSubType_s", "")
| where OperationName == "Job" and JobOperation_s == "Backup" and JobStatus_s == "Completed" and ${condition}
| join kind=inner
(
    AzureDiagnostics
    | where Category == "AzureBackupReport"
    | where OperationName == "BackupItem"
    | where SchemaVersion_s == "V2"
    | where ${item}
    | distinct BackupItemUniqueId_s, BackupItemFriendlyName_s
    | project BackupItemUniqueId_s , BackupItemFriendlyName_s
)
on BackupItemUniqueId_s
| extend Vault= Resource
| project-away Resource`;
  const noLog = 'JobOperationSubType_s != "Log" and JobOperationSubType_s != "Recovery point_Log"';

  test("the published queries over AzureDiagnostics find the right jobs", async () => {
    const byStatus = (status: string) =>
      logs.rows(`AzureDiagnostics
| where Category == "AzureBackupReport"
| where SchemaVersion_s == "V2"
| where OperationName == "Job" and JobOperation_s == "Backup"
| where JobStatus_s == "${status}"`);
    assert.deepEqual(
      named(await byStatus("Completed"), "JobUniqueId_g"),
      [1, 3, 4, 6].map((number) => exampleJob(number).id),
    );
    const failed = await byStatus("Failed");
    assert.deepEqual(named(failed, "JobFailureCode_s"), ["UserErrorGuestAgentStatusUnavailable"]);
    assert.deepEqual(named(failed, "ResourceProvider"), ["MICROSOFT.RECOVERYSERVICES"]);
    assert.deepEqual(named(failed, "_ResourceId"), [exampleVault.id.toLowerCase()]);
    const machines = await logs.rows(
      jobQuery(noLog, 'BackupItemType_s == "VM" and BackupManagementType_s == "IaaSVM"'),
    );
    assert.deepEqual(named(machines, "JobUniqueId_g"), [exampleJob(1).id]);
    assert.deepEqual(named(machines, "BackupItemFriendlyName_s1"), ["web1"]);
    assert.deepEqual(named(machines, "Vault"), ["MAIN"]);
    const databases = await logs.rows(
      jobQuery(
        'JobOperationSubType_s == "Log"',
        'BackupItemType_s == "SQLDataBase" and BackupManagementType_s == "AzureWorkload"',
      ),
    );
    assert.deepEqual(named(databases, "JobUniqueId_g"), [exampleJob(3).id]);
    const agents = await logs.rows(
      jobQuery(noLog, 'BackupItemType_s == "FileFolder" and BackupManagementType_s == "MAB"'),
    );
    assert.deepEqual(named(agents, "JobUniqueId_g"), [exampleJob(6).id]);
  });

  test("numbers and times of AzureDiagnostics are texts; ids of agents' alerts go to a column of their own", async () => {
    const [job] = await logs.rows(
      `AzureDiagnostics | where OperationName == "Job" and JobUniqueId_g == "${exampleJob(1).id}" | take 1`,
    );
    assert.equal(job?.["JobDurationInSecs_s"], "300");
    assert.equal(job?.["DataTransferredInMB_s"], "512");
    assert.equal(job?.["JobStartDateTime_s"], "2026-01-10T02:30:00.000Z");
    assert.equal(job?.["AdHocOrScheduledJob_s"], "Scheduled");
    const perKind = await logs.rows(
      'AzureDiagnostics | where OperationName == "Alert" | summarize s = dcountif(AlertUniqueId_s, AlertUniqueId_s != ""), g = dcountif(AlertUniqueId_g, isnotempty(AlertUniqueId_g))',
    );
    assert.deepEqual(perKind, [{ s: 1, g: 1 }]);
  });

  test("the tables of their own have typed columns", async () => {
    const [job] = await logs.rows(
      `AddonAzureBackupJobs | where JobUniqueId == "${exampleJob(7).id}" | summarize arg_max(TimeGenerated, *) by JobUniqueId`,
    );
    assert.equal(job?.["JobDurationInSecs"], 300);
    assert.equal(job?.["RecoveryJobRPDateTime"], "2026-01-09T00:00:00.0000000Z");
    assert.equal(job?.["VaultUniqueId"], `local;${exampleVault.guid}`);
    const [policy] = await logs.rows(
      'AddonAzureBackupPolicy | where OperationName == "Policy" | summarize arg_max(TimeGenerated, *) by PolicyUniqueId',
    );
    assert.equal(policy?.["DailyRetentionDuration"], 30);
    assert.equal(policy?.["BackupTimes"], "02:30");
    assert.equal(policy?.["MonthlyRetentionWeeksOfTheMonth"], "First");
    const [stored] = await logs.rows(
      'AddonAzureBackupStorage | where OperationName == "StorageAssociation" | summarize arg_max(TimeGenerated, *) by BackupItemUniqueId | summarize MB = sum(StorageConsumedInMBs)',
    );
    assert.equal(stored?.["MB"], 3 * 3072);
    assert.deepEqual(named(await logs.rows("AzureBackupOperations"), "OperationType"), [
      "Stop backup with delete data",
    ]);
  });

  test("every kind of record is there in both forms", async () => {
    const dedicatedKinds = await logs.rows(
      "union CoreAzureBackup, AddonAzureBackup* | summarize by Category, OperationName | sort by Category asc, OperationName asc | project Kind = strcat(Category, ' ', OperationName)",
    );
    assert.deepEqual(named(dedicatedKinds, "Kind"), [
      "AddonAzureBackupAlerts Alert",
      "AddonAzureBackupJobs Job",
      "AddonAzureBackupPolicy Policy",
      "AddonAzureBackupPolicy PolicyAssociation",
      "AddonAzureBackupProtectedInstance ProtectedInstance",
      "AddonAzureBackupStorage Storage",
      "AddonAzureBackupStorage StorageAssociation",
      "CoreAzureBackup BackupItem",
      "CoreAzureBackup BackupItemAssociation",
      "CoreAzureBackup BackupItemFrontEndSizeConsumption",
      "CoreAzureBackup ProtectedContainer",
      "CoreAzureBackup ProtectedContainerAssociation",
      "CoreAzureBackup RecoveryPoint",
      "CoreAzureBackup Vault",
    ]);
    const legacy = await logs.rows("AzureDiagnostics | summarize by OperationName");
    assert.equal(legacy.length, dedicatedKinds.length);
  });

  test("a category in the wrong form delivers nothing", () => {
    const wrong: Destination[] = [
      { workspace, isDedicated: true, wants: (category) => category === "AzureBackupReport" },
      { workspace, isDedicated: false, wants: (category) => category !== "AzureBackupReport" },
    ];
    assert.deepEqual(backupRecords(entries, exampleVault, wrong, now), []);
  });

  test("two settings that ask for the same deliver it once", () => {
    const count = (destinations: Destination[]): number =>
      backupRecords(entries, exampleVault, destinations, now).reduce((sum, { records }) => sum + records.length, 0);
    assert.equal(count([dedicated, dedicated]), count([dedicated]));
  });

  test("the functions of reports give their columns", async () => {
    const instances = await logs.rows(
      '_AzureBackup_GetBackupInstances(BackupSolutionList="Azure Virtual Machine Backup,Azure Backup Agent") | sort by FriendlyName asc | project FriendlyName, ProtectionInfo, SourceSizeInMBs, VaultStore_StorageConsumptionInMBs, LatestRecoveryPoint, PolicyName, VaultName',
    );
    assert.deepEqual(
      instances.map((row) => [row["FriendlyName"], row["ProtectionInfo"], row["SourceSizeInMBs"]]),
      [
        ["C:\\", "Protected", 10_240],
        ["web1", "Protected", 10_240],
      ],
    );
    assert.deepEqual(
      await logs.rows(
        '_AzureBackup_GetJobs(datetime(2026-01-10), datetime(2026-01-11), "*", "*", "*", "*", true, "*", "*", "Failed,CompletedWithWarnings") | sort by UniqueId asc | project Status, ErrorTitle, DurationInSecs',
      ),
      [
        { Status: "Failed", ErrorTitle: "UserErrorGuestAgentStatusUnavailable", DurationInSecs: 300 },
        { Status: "CompletedWithWarnings", ErrorTitle: "Success", DurationInSecs: 300 },
      ],
    );
    // By when they began, not by when they were told.
    assert.deepEqual(await logs.rows("_AzureBackup_GetJobs(datetime(2026-01-10 06:00), datetime(2026-01-11))"), []);
    assert.deepEqual(await logs.rows('_AzureBackup_GetVaults(VaultLocationList="elsewhere")'), []);
    assert.deepEqual(named(await logs.rows("_AzureBackup_GetVaults()"), "Name"), ["main"]);
    assert.deepEqual(named(await logs.rows("_AzureBackup_GetPolicies()"), "Name"), ["Nightly"]);
    assert.equal((await logs.rows("_AzureBackup_GetBillingGroups()")).length, 3);
    const range = "datetime(2026-01-10), datetime(2026-01-11)";
    assert.equal(
      (await logs.rows(`_AzureBackup_GetBackupInstancesTrends(${range}, AggregationType="Daily")`)).length,
      3,
    );
    assert.equal(
      (await logs.rows(`_AzureBackup_GetBillingGroupsTrends(${range}, AggregationType="Weekly")`)).length,
      3,
    );
  });

  test("every function gives the columns that it says it gives", async () => {
    for (const { name, parameters, returns } of testWorkspace.functions) {
      const range = parameters.startsWith("RangeStart:datetime,") ? "datetime(2026-01-10), datetime(2026-01-11)" : "";
      const columns = await logs.rows(
        `${name}(${range}) | getschema | project c = strcat(ColumnName, ":", ColumnType)`,
      );
      assert.equal(columns.map(({ c }) => c).join(", "), returns, name);
    }
  });

  test("given a range, the functions tell every record in it; without all fields, nothing of sizes and points", async () => {
    const range = "datetime(2026-01-10), datetime(2026-01-11)";
    const times = (call: string): Promise<unknown[]> =>
      logs.rows(call).then((rows) => rows.map((row) => [row["FriendlyName"] ?? row["Name"], row["TimeGenerated"]]));
    const told = ["2026-01-10T11:00:00.0000000Z", "2026-01-10T12:00:00.0000000Z"];
    assert.deepEqual((await times(`_AzureBackup_GetVaults(${range})`)).toSorted(), [
      ["main", told[0]],
      ["main", told[1]],
    ]);
    assert.equal((await times(`_AzureBackup_GetBackupInstances(${range})`)).length, 6);
    assert.equal((await times(`_AzureBackup_GetBillingGroups(${range})`)).length, 6);
    assert.deepEqual(await times("_AzureBackup_GetVaults()"), [["main", told[1]]]);
    const lean = await logs.rows('_AzureBackup_GetBackupInstances(BackupInstanceName="web1", DisplayAllFields=false)');
    assert.deepEqual(
      lean.map((row) => [
        row["FriendlyName"],
        row["SourceSizeInMBs"],
        row["VaultStore_StorageConsumptionInMBs"],
        row["LatestRecoveryPoint"],
      ]),
      [["web1", null, null, null]],
    );
  });

  test("a vault that logs only to AzureDiagnostics is seen by the functions when they are told to look there", async () => {
    await using legacy = await openLogsUnderTest(now);
    await legacy.store.append(backupRecords(entries, exampleVault, [diagnostics], now));
    const both = async (call: (exclude: boolean) => string, ...columns: string[]): Promise<void> => {
      const shown = (rows: Record<string, unknown>[]): string[] =>
        rows.map((row) => JSON.stringify(columns.map((column) => row[column]))).sort();
      assert.deepEqual(shown(await legacy.rows(call(false))), shown(await logs.rows(call(true))), call(false));
    };
    const range = "datetime(2026-01-10), datetime(2026-01-11)";
    await both(
      (exclude) => `_AzureBackup_GetVaults(ExcludeLegacyEvent=${exclude})`,
      "UniqueId",
      "Name",
      "Location",
      "SubscriptionId",
      "Type",
    );
    await both(
      (exclude) => `_AzureBackup_GetPolicies(ExcludeLegacyEvent=${exclude})`,
      "UniqueId",
      "Name",
      "BackupSolution",
    );
    await both(
      (exclude) => `_AzureBackup_GetJobs(${range}, ExcludeLegacyEvent=${exclude}, ExcludeLog=false)`,
      "UniqueId",
      "Operation",
      "Status",
      "StartTime",
      "DurationInSecs",
      "DataTransferredInMBs",
      "BackupSolution",
      "RestoreJobRPDateTime",
    );
    await both(
      (exclude) => `_AzureBackup_GetBackupInstances(ExcludeLegacyEvent=${exclude})`,
      "UniqueId",
      "FriendlyName",
      "ProtectionInfo",
      "LatestRecoveryPoint",
      "SourceSizeInMBs",
      "VaultStore_StorageConsumptionInMBs",
      "VaultUniqueId",
    );
    await both(
      (exclude) => `_AzureBackup_GetBillingGroups(ExcludeLegacyEvent=${exclude})`,
      "UniqueId",
      "Type",
      "BackupSolution",
    );
    await both(
      (exclude) => `_AzureBackup_GetBackupInstancesTrends(${range}, ExcludeLegacyEvent=${exclude})`,
      "UniqueId",
      "TimeGenerated",
      "VaultStore_StorageConsumptionInMBs",
    );
    assert.deepEqual(await legacy.rows("_AzureBackup_GetVaults()"), []);
    // In both forms at once, each is told once.
    assert.equal(
      (await logs.rows(`_AzureBackup_GetJobs(${range}, ExcludeLegacyEvent=false, ExcludeLog=false)`)).length,
      7,
    );
  });

  test("a resource sees its own rows only", async () => {
    assert.equal((await logs.rows("CoreAzureBackup | take 1", { resource: exampleVault.id.toLowerCase() })).length, 1);
    assert.equal((await logs.rows("CoreAzureBackup | take 1", { resource: "/subscriptions/other" })).length, 0);
  });
});
