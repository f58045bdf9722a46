// Queries that people run as alerts, in runbooks and in Microsoft's audit workbooks, over the records of
// a vault as they are really written, and what each has to find there.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { alertEntries, inventoryEntries, jobEntries } from "../azure/backup-entries.ts";
import { backupRecords, type Destination } from "../azure/backup-records.ts";
import { exampleAlert, exampleInventory, exampleItems, exampleJob, exampleVault } from "../testing/example-vault.ts";
import { openLogsUnderTest, testWorkspace, type LogsUnderTest } from "../testing/open-logs.ts";

const now = Date.UTC(2026, 0, 10, 12);
const workspace = testWorkspace.customerId;
const destinations: readonly Destination[] = [
  { workspace, isDedicated: false, wants: (category) => category === "AzureBackupReport" },
  { workspace, isDedicated: true, wants: (category) => category !== "AzureBackupReport" },
];
const entries = [
  ...inventoryEntries(exampleInventory),
  ...[
    exampleJob(1),
    exampleJob(2, { status: "Failed", errorCode: "UserErrorGuestAgentStatusUnavailable" }),
    exampleJob(3, { item: exampleItems.database, subType: "Log" }),
    exampleJob(4, { item: exampleItems.folder, status: "CompletedWithWarnings" }),
  ].flatMap((job) => jobEntries(job, exampleVault)),
  ...alertEntries(exampleAlert("alert-1"), exampleVault),
];

/** What the workbooks hand to the functions: lists as dynamic values, names out of an array. */
const workbookNames = `
let RangeStart = startofday(datetime(2026-01-03)); let RangeEnd = startofday(datetime(2026-01-11));
let Subscriptions = todynamic(replace("/subscriptions/", "", @"/subscriptions/${exampleVault.subscriptionId}"));
let Locations = todynamic(@"*"); let VaultList = "*"; let VaultTypeList = "*"; let ExcludeLegacyEvent = true;
let BackupSolutionList = "*"; let ItemArray = split("*;*", ";"); let ItemArray_length = array_length(ItemArray);
let BackupInstanceName = iff(ItemArray_length == 2, ItemArray[1], ItemArray[0]);
let DatasourceSetName = iff(ItemArray_length == 2, ItemArray[0], "");`;

const cases: Readonly<Record<string, readonly [query: string, rows: readonly Record<string, unknown>[]]>> = {
  "an alert on failed jobs names the vault and the machine by their places in the ids": [
    `AddonAzureBackupJobs
     | where JobFailureCode != "Success" and AdHocOrScheduledJob == "Scheduled" and JobStatus == "Failed"
     | project RSV_Name = tostring(split(ResourceId, "/VAULTS/", 1)), Resource = tostring(split(BackupItemUniqueId, ";", 4)), Group = tostring(split(BackupItemUniqueId, ";")[3]), JobFailureCode`,
    [
      {
        RSV_Name: '["MAIN"]',
        Resource: '["web1"]',
        Group: "apps",
        JobFailureCode: "UserErrorGuestAgentStatusUnavailable",
      },
    ],
  ],
  "an agent's item is told by vault, machine and what it backs up": [
    `CoreAzureBackup | where OperationName == "BackupItem" and BackupManagementType == "MAB"
     | extend data = split(BackupItemUniqueId, ";") | project Region = tostring(data[0]), MachineName = tostring(data[2])`,
    [{ Region: "local", MachineName: "laptop" }],
  ],
  "a vault that writes to tables of its own needs no move from AzureDiagnostics": [
    `let Old = (){ AzureDiagnostics | where Category == "AzureBackupReport" and OperationName == "Vault" and SchemaVersion_s == "V2" | summarize arg_max(TimeGenerated, *) by ResourceId | project ResourceId, Category };
     let New = (){ CoreAzureBackup | where OperationName == "Vault" | summarize arg_max(TimeGenerated, *) by ResourceId | project ResourceId, Category };
     let Both = (){ union isfuzzy = true (Old() ), (New() ) | distinct ResourceId, Category };
     Both | where Category == "AzureBackupReport"
     | join kind = leftanti (Both | where Category == "CoreAzureBackup") on ResourceId | count`,
    [{ Count: 0 }],
  ],
  "the last state of each source, whatever strategy the query advises": [
    `AzureDiagnostics | where Category == "AzureBackupReport" | where ProtectionState_s != "" or BackupItemFriendlyName_s != ""
     | summarize hint.strategy = partitioned arg_max(TimeGenerated, *) by BackupItemFriendlyName_s | distinct BackupItemFriendlyName_s | sort by BackupItemFriendlyName_s asc`,
    [
      { BackupItemFriendlyName_s: "C:\\" },
      { BackupItemFriendlyName_s: "orders" },
      { BackupItemFriendlyName_s: "web1" },
    ],
  ],
  "the workbook of job history counts jobs by their status": [
    `${workbookNames}
     let JobStatusList = todynamic(@"*"); let SearchItem = "";
     _AzureBackup_GetJobs(RangeStart, RangeEnd, Subscriptions, Locations, VaultList, VaultTypeList, ExcludeLegacyEvent, BackupSolutionList, todynamic(@"Backup"), JobStatusList, "*", DatasourceSetName, BackupInstanceName, false)
     | where BackupInstanceFriendlyName contains iff(isnotempty(SearchItem), SearchItem, BackupInstanceFriendlyName)
     | summarize count() by Status | sort by Status asc`,
    [
      { Status: "Completed", count_: 2 },
      { Status: "CompletedWithWarnings", count_: 1 },
      { Status: "Failed", count_: 1 },
    ],
  ],
  "the workbook's list of subscriptions is that of the sources": [
    `${workbookNames}
     _AzureBackup_GetBackupInstances(RangeStart, RangeEnd, "*", "*", VaultList, VaultTypeList, ExcludeLegacyEvent, BackupSolutionList, "*", DatasourceSetName, BackupInstanceName, false)
     | distinct tostring(split(tostring(todynamic(DatasourceResourceId)), "/")[2])`,
    [{ DatasourceResourceId_2: exampleVault.subscriptionId }],
  ],
  "a function without parentheses is called too": [
    `_AzureBackup_GetBackupInstances | summarize Count = countif(ProtectionInfo == "Protected") by DatasourceType | sort by DatasourceType asc | take 1`,
    [{ DatasourceType: "FileFolder", Count: 1 }],
  ],
  "what has had no good backup for two days": [
    `CoreAzureBackup | where OperationName == "BackupItem" | summarize arg_max(TimeGenerated, *) by BackupItemUniqueId
     | where BackupItemProtectionState == "Protected"
     | join kind=leftanti (AddonAzureBackupJobs | where TimeGenerated > ago(48h) | where JobOperation == "Backup" and JobStatus == "Completed" | distinct BackupItemUniqueId) on BackupItemUniqueId
     | project BackupItemFriendlyName, VaultName = tolower(split(ResourceId, "/")[-1])`,
    [{ BackupItemFriendlyName: "C:\\", VaultName: "main" }],
  ],
  "a resource id is taken apart by parse": [
    `AddonAzureBackupJobs | parse ResourceId with "/" Subscriptions "/" id "/" RG "/" ResourceGroup "/" Provid "/" Services "/" safe "/" Vault
     | where ResourceGroup in~ ("ops") | summarize Items = dcount(BackupItemUniqueId) by Vault = tolower(Vault)`,
    [{ Vault: "main", Items: 3 }],
  ],
  "machine and vault are taken out of the ids by patterns": [
    `AddonAzureBackupJobs | where JobStatus == "Failed" and JobOperation == "Backup"
     | distinct vm = tolower(extract("(iaasvmcontainerv2;.+?;)(.+)", 2, BackupItemUniqueId)), vault = extract("(microsoft.recoveryservices/vaults/)(.+)", 2, tolower(ResourceId))`,
    [{ vm: "web1", vault: "main" }],
  ],
  "alerts find their item and its container through three joins": [
    `AddonAzureBackupAlerts | summarize arg_max(TimeGenerated, *) by BackupItemUniqueId | where AlertStatus != "Resolved" and BackupItemUniqueId != ""
     | join kind=inner (CoreAzureBackup | where OperationName == "BackupItemAssociation" | summarize arg_max(TimeGenerated, *) by BackupItemUniqueId | project BackupItemUniqueId, Container = ProtectedContainerUniqueId) on BackupItemUniqueId
     | join kind=inner (CoreAzureBackup | where OperationName == "ProtectedContainer" | summarize arg_max(TimeGenerated, *) by ProtectedContainerUniqueId | project Container = ProtectedContainerUniqueId, Name = ProtectedContainerFriendlyName) on Container
     | project Name, AlertType, AlertSeverity`,
    [{ Name: "web1", AlertType: "Backup", AlertSeverity: "Critical" }],
  ],
};

describe("queries of runbooks and workbooks", () => {
  let logs: LogsUnderTest;
  before(async () => {
    logs = await openLogsUnderTest(now);
    await logs.store.append(backupRecords(entries, exampleVault, destinations, now - 3_600_000));
  });
  after(() => logs[Symbol.asyncDispose]());

  for (const [what, [query, rows]] of Object.entries(cases)) {
    test(what, async () => {
      assert.deepEqual(await logs.rows(query), rows);
    });
  }
});
