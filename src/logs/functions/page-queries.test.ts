// Queries on backups as public pages, workbooks and runbooks write them, each beside a few lines of plain
// JavaScript over the same records that say what the answer is.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  now,
  day,
  iso,
  startOfDay,
  groups,
  latest,
  sum,
  since,
  round,
  rowsText,
  type Rows,
} from "../testing/answers.ts";
import {
  machines,
  jobs,
  items,
  storage,
  alerts,
  legacy,
  legacyItems,
  activity,
  vaultId,
  machineOf,
  settled,
} from "../testing/backup-fleet.ts";
import { openLogsUnderTest, testWorkspace, type LogsUnderTest } from "../testing/open-logs.ts";

const workspace = testWorkspace.customerId;

/** The order counts where the query sorts. */
const cases: readonly (readonly [query: string, answer: () => Rows])[] = [
  [
    'AddonAzureBackupJobs | where JobOperation=="Backup" | summarize arg_max(TimeGenerated,*) by JobUniqueId | where JobStatus=="Completed" | project JobUniqueId, JobStatus',
    () =>
      latest(
        jobs.filter(({ JobOperation }) => JobOperation === "Backup"),
        ({ JobUniqueId }) => JobUniqueId,
      )
        .filter(({ JobStatus }) => JobStatus === "Completed")
        .map(({ JobUniqueId, JobStatus }) => ({ JobUniqueId, JobStatus })),
  ],
  [
    'AddonAzureBackupJobs | summarize arg_max(TimeGenerated,*) by JobUniqueId | where JobOperation=="Backup" and JobStatus=="Failed" | join kind=inner (CoreAzureBackup | where OperationName == "BackupItem" | where BackupItemType=="VM" and BackupManagementType=="IaaSVM" | distinct BackupItemUniqueId, BackupItemFriendlyName) on BackupItemUniqueId | project BackupItemFriendlyName1, JobFailureCode',
    () =>
      settled()
        .filter((job) => job.JobOperation === "Backup" && job.JobStatus === "Failed")
        .filter((job) => machineOf(job.BackupItemUniqueId).type === "VM")
        .map((job) => ({
          BackupItemFriendlyName1: machineOf(job.BackupItemUniqueId).name,
          JobFailureCode: job.JobFailureCode,
        })),
  ],
  [
    'CoreAzureBackup | where OperationName == "BackupItem" | distinct BackupItemUniqueId, BackupItemFriendlyName | join kind=leftouter (AddonAzureBackupStorage | where OperationName == "StorageAssociation" | summarize arg_max(TimeGenerated, *) by BackupItemUniqueId | project BackupItemUniqueId , StorageConsumedInMBs) on BackupItemUniqueId | project BackupItemUniqueId , BackupItemFriendlyName , StorageConsumedInMBs | sort by StorageConsumedInMBs desc',
    () =>
      machines
        .map((machine) => ({
          BackupItemUniqueId: machine.id,
          BackupItemFriendlyName: machine.name,
          StorageConsumedInMBs:
            latest(storage, (one) => one.BackupItemUniqueId).find((one) => one.BackupItemUniqueId === machine.id)
              ?.StorageConsumedInMBs ?? null,
        }))
        .sort((a, b) => (b.StorageConsumedInMBs ?? -1) - (a.StorageConsumedInMBs ?? -1)),
  ],
  [
    'AddonAzureBackupJobs | where TimeGenerated > ago(24h) | where JobStatus == "Failed" | project TimeGenerated, BackupItemUniqueId, JobFailureCode | order by TimeGenerated desc',
    () =>
      since(jobs, day)
        .filter(({ JobStatus }) => JobStatus === "Failed")
        .sort((a, b) => b.TimeGenerated - a.TimeGenerated)
        .map((job) => ({
          TimeGenerated: iso(job.TimeGenerated),
          BackupItemUniqueId: job.BackupItemUniqueId,
          JobFailureCode: job.JobFailureCode,
        })),
  ],
  [
    "AddonAzureBackupJobs | summarize Total = count(), Failed = countif(JobStatus == 'Failed') by VaultName | extend SuccessRate = round(100.0 * (Total - Failed) / Total, 2)",
    () =>
      groups(jobs, ({ VaultName }) => VaultName).map(([VaultName, some]) => {
        const Failed = some.filter(({ JobStatus }) => JobStatus === "Failed").length;
        return {
          VaultName,
          Total: some.length,
          Failed,
          SuccessRate: round((100 * (some.length - Failed)) / some.length, 2),
        };
      }),
  ],
  [
    "AddonAzureBackupJobs | where TimeGenerated >= startofday(ago(7d)) and TimeGenerated < startofday(now()) | summarize count() by bin(TimeGenerated, 1d), JobStatus | sort by TimeGenerated asc, JobStatus asc",
    () =>
      groups(
        jobs.filter(
          ({ TimeGenerated }) => TimeGenerated >= startOfDay(now - 7 * day) && TimeGenerated < startOfDay(now),
        ),
        (job) => `${iso(startOfDay(job.TimeGenerated))}|${job.JobStatus}`,
      )
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, some]) => ({
          TimeGenerated: key.split("|")[0],
          JobStatus: key.split("|")[1],
          count_: some.length,
        })),
  ],
  [
    "AddonAzureBackupJobs | extend Hours = JobDurationInSecs / 3600.0 | where Hours > 1 | summarize LongJobs = count(), Longest = max(Hours) by Machine = tostring(split(BackupItemUniqueId, ';')[-1])",
    () =>
      groups(
        jobs.filter(({ JobDurationInSecs }) => JobDurationInSecs > 3600),
        (job) => machineOf(job.BackupItemUniqueId).name,
      ).map(([Machine, some]) => ({
        Machine,
        LongJobs: some.length,
        Longest: Math.max(...some.map((job) => job.JobDurationInSecs)) / 3600,
      })),
  ],
  [
    'AddonAzureBackupJobs | where JobFailureCode startswith "UserError" | summarize Machines = dcount(BackupItemUniqueId), Last = max(TimeGenerated) by JobFailureCode',
    () =>
      groups(
        jobs.filter(({ JobFailureCode }) => JobFailureCode.startsWith("UserError")),
        ({ JobFailureCode }) => JobFailureCode,
      ).map(([JobFailureCode, some]) => ({
        JobFailureCode,
        Machines: new Set(some.map((job) => job.BackupItemUniqueId)).size,
        Last: iso(Math.max(...some.map((job) => job.TimeGenerated))),
      })),
  ],
  [
    "let Protected = CoreAzureBackup | where OperationName == 'BackupItem' | summarize arg_max(TimeGenerated, *) by BackupItemUniqueId | where BackupItemProtectionState == 'Protected'; let Recent = AddonAzureBackupJobs | where TimeGenerated > ago(1d) and JobOperation == 'Backup' and JobStatus startswith 'Completed' | distinct BackupItemUniqueId; Protected | join kind=leftanti Recent on BackupItemUniqueId | project BackupItemFriendlyName",
    () => {
      const recent = new Set(
        since(jobs, day)
          .filter((job) => job.JobOperation === "Backup" && job.JobStatus.startsWith("Completed"))
          .map((job) => job.BackupItemUniqueId),
      );
      return latest(items, (item) => item.BackupItemUniqueId)
        .filter((item) => item.BackupItemProtectionState === "Protected" && !recent.has(item.BackupItemUniqueId))
        .map(({ BackupItemFriendlyName }) => ({ BackupItemFriendlyName }));
    },
  ],
  [
    "AddonAzureBackupJobs | top 5 by DataTransferredInMB desc | project DataTransferredInMB",
    () =>
      jobs
        .map(({ DataTransferredInMB }) => ({ DataTransferredInMB }))
        .sort((a, b) => b.DataTransferredInMB - a.DataTransferredInMB)
        .slice(0, 5),
  ],
  [
    "AddonAzureBackupStorage | summarize StoredMB = max(StorageConsumedInMBs) by BackupItemUniqueId, Day = startofday(TimeGenerated) | summarize GB = round(sum(StoredMB) / 1024, 3) by Day | sort by Day asc",
    () =>
      groups(storage, ({ TimeGenerated }) => iso(startOfDay(TimeGenerated)))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([Day, some]) => ({ Day, GB: round(sum(some.map((one) => one.StorageConsumedInMBs)) / 1024, 3) })),
  ],
  [
    "AddonAzureBackupStorage | summarize Oldest = arg_min(TimeGenerated, StorageConsumedInMBs), Newest = arg_max(TimeGenerated, StorageConsumedInMBs) by BackupItemUniqueId | project Growth = StorageConsumedInMBs1 - StorageConsumedInMBs",
    () =>
      machines.slice(0, 5).map(({ id }) => {
        const own = storage.filter((one) => one.BackupItemUniqueId === id);
        const byTime = own.toSorted((a, b) => a.TimeGenerated - b.TimeGenerated);
        return { Growth: (byTime.at(-1)?.StorageConsumedInMBs ?? 0) - (byTime[0]?.StorageConsumedInMBs ?? 0) };
      }),
  ],
  [
    "AddonAzureBackupAlerts | summarize arg_max(TimeGenerated, *) by AlertUniqueId | where AlertStatus == 'Active' | summarize count() by AlertSeverity",
    () =>
      groups(
        latest(alerts, ({ AlertUniqueId }) => AlertUniqueId).filter(({ AlertStatus }) => AlertStatus === "Active"),
        ({ AlertSeverity }) => AlertSeverity,
      ).map(([AlertSeverity, some]) => ({ AlertSeverity, count_: some.length })),
  ],
  [
    'AzureDiagnostics | where Category == "AzureBackupReport" | where SchemaVersion_s == "V2" | extend JobOperationSubType_s = columnifexists("JobOperationSubType_s", "") | where OperationName == "Job" and JobOperation_s == "Backup" and JobStatus_s == "Completed" and JobOperationSubType_s != "Log" and JobOperationSubType_s != "Recovery point_Log" | join kind=inner (AzureDiagnostics | where Category == "AzureBackupReport" | where OperationName == "BackupItem" | where SchemaVersion_s == "V2" | where BackupItemType_s == "VM" and BackupManagementType_s == "IaaSVM" | distinct BackupItemUniqueId_s, BackupItemFriendlyName_s | project BackupItemUniqueId_s , BackupItemFriendlyName_s) on BackupItemUniqueId_s | extend Vault= Resource | project-away Resource | project BackupItemFriendlyName_s1, Vault',
    () =>
      legacy
        .filter((row) => row.JobOperation_s === "Backup" && row.JobStatus_s === "Completed")
        .filter((row) => row.JobOperationSubType_s !== "Log" && machineOf(row.BackupItemUniqueId_s).type === "VM")
        .map((row) => ({
          BackupItemFriendlyName_s1: machineOf(row.BackupItemUniqueId_s).name,
          Vault: row.Resource,
        })),
  ],
  [
    'AzureDiagnostics | where Category == "AzureBackupReport" | where JobOperation_s == "Backup" and JobStatus_s == "Completed" and JobStartDateTime_s contains "Z" | extend SourceName = extract("([^;]+$)", 1, BackupItemUniqueId_s) | extend JobMinutes = todouble(JobDurationInSecs_s) / 60 | project SourceName, JobMinutes | order by JobMinutes desc',
    () =>
      legacy
        .filter((row) => row.JobOperation_s === "Backup" && row.JobStatus_s === "Completed")
        .map((row) => ({
          SourceName: machineOf(row.BackupItemUniqueId_s).name,
          JobMinutes: Number(row.JobDurationInSecs_s) / 60,
        }))
        .sort((a, b) => b.JobMinutes - a.JobMinutes),
  ],
  [
    'AzureDiagnostics | where Category == "AzureBackupReport" and OperationName == "Job" | extend Started = todatetime(JobStartDateTime_s), MB = todecimal(DataTransferredInMB_s) | where Started between (ago(5d) .. ago(1d)) | summarize Jobs = count(), First = min(Started), Moved = toreal(sum(MB)) by tolower(Resource)',
    () =>
      groups(
        legacy.filter(({ JobStartDateTime_s: at }) => {
          const started = Date.parse(at);
          return started >= now - 5 * day && started <= now - day;
        }),
        ({ Resource }) => Resource.toLowerCase(),
      ).map(([Column1, some]) => ({
        Column1,
        Jobs: some.length,
        First: iso(Math.min(...some.map((row) => Date.parse(row.JobStartDateTime_s)))),
        Moved: sum(some.map((row) => Number(row.DataTransferredInMB_s))),
      })),
  ],
  [
    'AzureDiagnostics | where ResourceProvider == "MICROSOFT.RECOVERYSERVICES" and JobStatus_s in ("Failed", "CompletedWithWarnings") | summarize make_set(JobStatus_s) by Resource | extend Kinds = array_length(set_JobStatus_s) | project Resource, Kinds',
    () =>
      groups(
        legacy.filter(({ JobStatus_s }) => JobStatus_s === "Failed" || JobStatus_s === "CompletedWithWarnings"),
        ({ Resource }) => Resource,
      ).map(([Resource, some]) => ({ Resource, Kinds: new Set(some.map((row) => row.JobStatus_s)).size })),
  ],
  [
    "let RangeStart = startofday(ago(30d)); let UnderDiagnostics = (){ AzureDiagnostics | where TimeGenerated >= RangeStart | where Category == 'AzureBackupReport' and OperationName == 'Job' and SchemaVersion_s == 'V2' | summarize arg_max(TimeGenerated, *) by ResourceId | project ResourceId = tolower(ResourceId), Category }; let UnderSpecific = (){ AddonAzureBackupJobs | where TimeGenerated >= RangeStart | summarize arg_max(TimeGenerated, *) by ResourceId | project ResourceId = tolower(ResourceId), Category = 'Specific' }; let Combined = (){ union isfuzzy = true (UnderDiagnostics() ), (UnderSpecific() ) | distinct ResourceId, Category}; Combined | summarize Kinds = count() by ResourceId",
    () => ["Main", "Second"].map((name) => ({ ResourceId: vaultId(name).toLowerCase(), Kinds: 2 })),
  ],
  [
    'AzureActivity | where OperationNameValue has "RECOVERYSERVICES/VAULTS" and Caller != "Microsoft.RecoveryServices" | extend Entity = tostring(parse_json(Properties)["Entity Name"]) | summarize count() by Entity, ActivityStatusValue',
    () =>
      groups(
        activity.filter((row) => /RECOVERYSERVICES/.test(row.OperationNameValue) && row.Caller.includes("@")),
        (row) => `${JSON.parse(row.Properties)["Entity Name"]}|${row.ActivityStatusValue}`,
      ).map(([key, some]) => ({
        Entity: key.split("|")[0],
        ActivityStatusValue: key.split("|")[1],
        count_: some.length,
      })),
  ],
  [
    'AzureActivity | where TimeGenerated > ago(2d) | project Caller, OperationNameValue, ActivityStatusValue | where Caller has "@" | summarize dcount(OperationNameValue) by Caller',
    () =>
      groups(
        since(activity, 2 * day).filter(({ Caller }) => Caller.includes("@")),
        ({ Caller }) => Caller,
      ).map(([Caller, some]) => ({
        Caller,
        dcount_OperationNameValue: new Set(some.map((row) => row.OperationNameValue)).size,
      })),
  ],
  [
    "AzureActivity | extend p = todynamic(Properties) | where isnotempty(p.message) | project Caller, Message = toupper(p.message), Day = dayofweek(TimeGenerated)",
    () =>
      activity
        .filter((_, n) => n % 4 === 0)
        .map((row) => ({
          Caller: row.Caller,
          Message: "NO AGENT",
          Day: ((days) => (days === 0 ? "00:00:00" : `${days}.00:00:00`))(new Date(row.TimeGenerated).getUTCDay()),
        })),
  ],
  [
    "AzureActivity | summarize Calls = count() by Caller = case(Caller startswith 'user0', 'first', Caller has 'user1', 'second', 'service'), ResourceGroup | order by Calls desc, Caller asc, ResourceGroup asc",
    () =>
      groups(
        activity,
        ({ Caller, ResourceGroup }) =>
          `${Caller.startsWith("user0") ? "first" : Caller.startsWith("user1") ? "second" : "service"}|${ResourceGroup}`,
      )
        .sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1))
        .map(([key, some]) => ({ Caller: key.split("|")[0], ResourceGroup: key.split("|")[1], Calls: some.length })),
  ],
];

describe("queries of public pages answer what plain JavaScript says", () => {
  let logs: LogsUnderTest;
  before(async () => {
    logs = await openLogsUnderTest(now);
    await logs.store.append([
      { workspace, table: "AddonAzureBackupJobs", records: jobs.slice(0, 50) },
      { workspace, table: "CoreAzureBackup", records: items },
      { workspace, table: "AzureDiagnostics", records: [...legacy, ...legacyItems] },
    ]);
    await logs.store.seal();
    await logs.store.append([
      { workspace, table: "AddonAzureBackupJobs", records: jobs.slice(50) },
      { workspace, table: "AddonAzureBackupStorage", records: storage },
      { workspace, table: "AddonAzureBackupAlerts", records: alerts },
      { workspace, table: "AzureActivity", records: activity },
    ]);
  });
  after(() => logs[Symbol.asyncDispose]());

  for (const [query, answer] of cases) {
    test(query, async () => {
      const isOrdered = /\b(?:sort|order|top \d+) by\b/.test(query);
      const expected = rowsText(answer(), isOrdered);
      assert.ok(expected.length > 0, "nothing is compared");
      assert.deepEqual(rowsText(await logs.rows(query), isOrdered), expected);
    });
  }
});
