// Queries as Microsoft's pages on backup reports and on Log Analytics write them, with the first row of
// each answer.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openLogsUnderTest, testWorkspace, type LogsUnderTest } from "../testing/open-logs.ts";

const now = Date.UTC(2026, 0, 15, 12);
const hour = 3_600_000;
const workspace = testWorkspace.customerId;
const vault =
  "/SUBSCRIPTIONS/AAAAAAAA-1111-2222-3333-444444444444/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.RECOVERYSERVICES/VAULTS/V";

const jobs = Array.from({ length: 20 }, (_, n) => ({
  TimeGenerated: now - n * 5 * hour,
  ResourceId: `${vault}${n % 2}`,
  OperationName: "Job",
  JobOperation: n % 5 === 0 ? "Restore" : "Backup",
  JobStatus: n % 4 === 0 ? "Failed" : "Completed",
  JobFailureCode: n % 4 === 0 ? "UserErrorX" : "Success",
  JobOperationSubType: n % 7 === 0 ? "Recovery point_Log" : "",
  BackupItemUniqueId: `local;vm${n % 3}`,
  BackupManagementType: "IaaSVM",
  JobUniqueId: `j${n}`,
  JobStartDateTime: now - (n * 5 + 1) * hour,
  JobDurationInSecs: 100 * n,
  DataTransferredInMB: n * 1.5,
  VaultUniqueId: `local;v${n % 2}`,
}));
const diagnostics = jobs.map(({ TimeGenerated, JobStatus, JobFailureCode }) => ({
  TimeGenerated,
  Category: "AzureBackupReport",
  ResourceType: "VAULTS",
  Resource: "V0",
  OperationName: "Job",
  JobStatus_s: JobStatus,
  JobFailureCode_s: JobFailureCode,
  JobStartDateTime_s: "2026-01-15 10:00:00",
  JobDurationInSecs_s: "30",
}));
const items = jobs.slice(0, 3).map(({ TimeGenerated, BackupItemUniqueId, VaultUniqueId }, n) => ({
  TimeGenerated,
  OperationName: "BackupItem",
  BackupItemUniqueId,
  BackupItemFriendlyName: `vm${n}`,
  VaultUniqueId,
  VaultTags: '{"owner":"ops"}',
}));

const samples: Readonly<Record<string, unknown>> = {
  'AddonAzureBackupJobs | where JobOperation=="Backup" | summarize arg_max(TimeGenerated,*) by JobUniqueId | where JobStatus=="Completed" | count':
    { Count: 12 },
  'AddonAzureBackupJobs | where JobOperation == "Backup" | summarize arg_max(TimeGenerated,*) by JobUniqueId | where JobOperationSubType != "Log" and JobOperationSubType != "Recovery point_Log" | summarize Failed=countif(JobStatus=="Failed"), Total=count() by BackupItemUniqueId | extend Rate = round(100.0*Failed/Total, 2) | order by Rate desc, BackupItemUniqueId asc':
    { BackupItemUniqueId: "local;vm1", Failed: 2, Total: 5, Rate: 40 },
  'let Events = AzureDiagnostics | where Category == "AzureBackupReport"; Events | where OperationName == "Job" and JobStatus_s=="Failed" and not(JobFailureCode_s has "UserError") | count':
    { Count: 5 },
  "let vms = CoreAzureBackup | where OperationName == \"BackupItem\" | summarize arg_max(TimeGenerated, *) by BackupItemUniqueId | project BackupItemUniqueId, BackupItemFriendlyName; AddonAzureBackupJobs | join kind=leftouter hint.strategy=broadcast vms on BackupItemUniqueId | summarize Fails = countif(JobStatus == 'Failed') by BackupItemFriendlyName1 | sort by Fails desc, BackupItemFriendlyName1 asc":
    { BackupItemFriendlyName1: "vm0", Fails: 2 },
  "let Start = startofday(ago(3d)); let End = endofday(now()); AddonAzureBackupJobs | where TimeGenerated between (Start .. End) | summarize Jobs=count(), Data=sum(DataTransferredInMB), P95=percentile(JobDurationInSecs, 95) by bin(TimeGenerated, 1d), JobStatus | order by TimeGenerated asc, JobStatus asc":
    { TimeGenerated: "2026-01-12T00:00:00.0000000Z", JobStatus: "Completed", Jobs: 3, Data: 63, P95: 1500 },
  "AddonAzureBackupJobs | make-series n=count() default=0 on TimeGenerated from startofday(ago(7d)) to now() step 1d by JobStatus | sort by JobStatus asc | project JobStatus, avg=series_stats_dynamic(n).avg":
    { JobStatus: "Completed", avg: 1.875 },
  "union withsource=T isfuzzy=true AddonAzureBackupJobs, CoreAzureBackup, NoSuchTable | summarize count() by T | sort by T asc":
    { T: "AddonAzureBackupJobs", count_: 20 },
  'search in (AddonAzureBackupJobs, CoreAzureBackup) "vm1" | summarize count() by $table | sort by $table asc': {
    $table: "AddonAzureBackupJobs",
    count_: 7,
  },
  'AddonAzureBackupJobs | extend Vault = tostring(split(ResourceId, "/")[8]), Sub = extract("(?i)/subscriptions/([^/]+)/", 1, ResourceId) | summarize dcount(BackupItemUniqueId) by Vault, Sub | sort by Vault asc':
    { Vault: "V0", Sub: "AAAAAAAA-1111-2222-3333-444444444444", dcount_BackupItemUniqueId: 3 },
  "CoreAzureBackup | extend t = parse_json(VaultTags) | mv-expand kind=array t | summarize count() by key=tostring(t[0]), value=tostring(t[1])":
    { key: "owner", value: "ops", count_: 3 },
  "AddonAzureBackupJobs | summarize count() by JobStatus, VaultUniqueId | evaluate pivot(JobStatus, sum(count_)) | sort by VaultUniqueId asc":
    { VaultUniqueId: "local;v0", Completed: 5, Failed: 5 },
  "AddonAzureBackupJobs | sort by BackupItemUniqueId asc, TimeGenerated asc | extend gap = iff(BackupItemUniqueId == prev(BackupItemUniqueId), TimeGenerated - prev(TimeGenerated), timespan(null)) | summarize max(gap) by BackupItemUniqueId | sort by BackupItemUniqueId asc":
    { BackupItemUniqueId: "local;vm0", max_gap: "15:00:00" },
  'AddonAzureBackupJobs | where JobStatus in~ ("failed","CompletedWithWarnings") | summarize Codes = make_bag(bag_pack(JobFailureCode, 1)) by VaultUniqueId':
    { VaultUniqueId: "local;v0", Codes: { UserErrorX: 1 } },
  "AzureDiagnostics | where Category == 'AzureBackupReport' | extend Start = todatetime(JobStartDateTime_s), Dur = toint(JobDurationInSecs_s) | project End = datetime_add('second', Dur, Start) | take 1":
    { End: "2026-01-15T10:00:30.0000000Z" },
  '_AzureBackup_GetJobs(datetime(2026-01-01), datetime(2026-01-31)) | where Status == "Failed" | count': { Count: 4 },
  "let f = (t:(TimeGenerated:datetime), s:timespan) { t | where TimeGenerated > ago(s) }; f(AddonAzureBackupJobs, 1d) | count":
    { Count: 5 },
  "AddonAzureBackupJobs | summarize LastSeen=max(TimeGenerated) by BackupItemUniqueId | where LastSeen < ago(9h) | extend hours=datetime_diff('hour', now(), LastSeen) | project BackupItemUniqueId, hours":
    { BackupItemUniqueId: "local;vm2", hours: 10 },
  'AddonAzureBackupJobs | where * has "UserErrorX" | count': { Count: 5 },
  "AddonAzureBackupJobs | summarize count() by JobStatus | as X | extend pct = 100.0*count_/toscalar(X | summarize sum(count_)) | sort by pct asc":
    { JobStatus: "Failed", count_: 5, pct: 25 },
  'AddonAzureBackupJobs | mv-apply x = split(BackupItemUniqueId, ";") to typeof(string) on (where x startswith "vm" | project vm=x) | summarize count() by vm | sort by vm asc':
    { vm: "vm0", count_: 7 },
  'AddonAzureBackupJobs | sort by TimeGenerated asc | scan declare (streak:long=0) with (step s: true => streak = iff(JobStatus == "Completed", s.streak + 1, 0);) | summarize max(streak)':
    { max_streak: 3 },
};

describe("Microsoft's sample queries", () => {
  let logs: LogsUnderTest;
  before(async () => {
    logs = await openLogsUnderTest(now);
    await logs.store.append([
      { workspace, table: "AddonAzureBackupJobs", records: jobs.slice(0, 10) },
      { workspace, table: "CoreAzureBackup", records: items },
      { workspace, table: "AzureDiagnostics", records: diagnostics },
    ]);
    // Some of the rows lie in files, day by day, and some in memory.
    await logs.store.seal();
    await logs.store.append([{ workspace, table: "AddonAzureBackupJobs", records: jobs.slice(10) }]);
  });
  after(() => logs[Symbol.asyncDispose]());

  for (const [query, first] of Object.entries(samples)) {
    test(query, async () => {
      assert.deepEqual((await logs.rows(query))[0], first);
    });
  }
});
