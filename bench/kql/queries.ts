// Typical queries of backup monitoring, each with the SQL that a careful person writes by hand.

export interface PairedQuery {
  readonly name: string;
  readonly kql: string;
  readonly sql: string;
}

/** The moment of the bench: rows end here and begin thirty days before. */
export const benchNow = Date.UTC(2026, 0, 31);

const since = (hours: number): string => `TIMESTAMP '2026-01-31' - INTERVAL ${hours} HOUR`;

export const pairedQueries: readonly PairedQuery[] = [
  {
    name: "one hour, newest 100",
    kql: "Records | where TimeGenerated > ago(1h) | top 100 by TimeGenerated",
    sql: `SELECT * FROM "Records" WHERE "TimeGenerated" > ${since(1)} ORDER BY "TimeGenerated" DESC LIMIT 100`,
  },
  {
    name: "count of a day",
    kql: "Records | where TimeGenerated > ago(1d) | count",
    sql: `SELECT count(*) FROM "Records" WHERE "TimeGenerated" > ${since(24)}`,
  },
  {
    name: "by hour and category over a day",
    kql: "Records | where TimeGenerated > ago(1d) | summarize count(), avg(DurationSeconds) by bin(TimeGenerated, 1h), Category",
    sql: `SELECT date_trunc('hour', "TimeGenerated"), "Category", count(*), avg("DurationSeconds") FROM "Records" WHERE "TimeGenerated" > ${since(24)} GROUP BY 1, 2`,
  },
  {
    name: "group by status, everything",
    kql: "Records | summarize count(), sum(Bytes), max(TimeGenerated) by Status",
    sql: `SELECT "Status", count(*), sum("Bytes")::BIGINT, max("TimeGenerated") FROM "Records" GROUP BY 1`,
  },
  {
    name: "group by item, everything",
    kql: "Records | summarize Jobs=count(), Failed=countif(Status == 'Failed') by ItemId",
    sql: `SELECT "ItemId", count(*), count(*) FILTER (WHERE "Status" = 'Failed') FROM "Records" GROUP BY 1`,
  },
  {
    name: "daily failures",
    kql: "Records | where Status == 'Failed' | summarize count() by bin(TimeGenerated, 1d) | order by TimeGenerated asc",
    sql: `SELECT date_trunc('day', "TimeGenerated"), count(*) FROM "Records" WHERE "Status" = 'Failed' GROUP BY 1 ORDER BY 1`,
  },
  {
    name: "last record of each item, a week",
    kql: "Records | where TimeGenerated > ago(7d) | summarize arg_max(TimeGenerated, Status, DurationSeconds) by ItemId",
    sql: `SELECT "ItemId", max("TimeGenerated"), arg_max("Status", "TimeGenerated"), arg_max("DurationSeconds", "TimeGenerated") FROM "Records" WHERE "TimeGenerated" > ${since(168)} GROUP BY 1`,
  },
  {
    name: "in a list",
    kql: "Records | where Category in ('CoreAzureBackup', 'AddonAzureBackupJobs') | summarize count() by Category",
    sql: `SELECT "Category", count(*) FROM "Records" WHERE "Category" IN ('CoreAzureBackup', 'AddonAzureBackupJobs') GROUP BY 1`,
  },
  {
    name: "has, a week",
    kql: "Records | where TimeGenerated > ago(7d) | where Message has 'timeout' | count",
    sql: `SELECT count(*) FROM "Records" WHERE "TimeGenerated" > ${since(168)} AND contains(lower("Message"), 'timeout') AND regexp_matches("Message", '(?i)(^|[^\\p{L}\\p{N}])timeout($|[^\\p{L}\\p{N}])')`,
  },
  {
    name: "contains, everything",
    kql: "Records | where Message contains 'disk 17' | count",
    sql: `SELECT count(*) FROM "Records" WHERE contains(lower("Message"), 'disk 17')`,
  },
  {
    name: "startswith",
    kql: "Records | where ItemId startswith_cs 'vm-1' | count",
    sql: `SELECT count(*) FROM "Records" WHERE starts_with("ItemId", 'vm-1')`,
  },
  {
    name: "distinct items",
    kql: "Records | distinct ItemId | count",
    sql: `SELECT count(*) FROM (SELECT DISTINCT "ItemId" FROM "Records")`,
  },
  {
    name: "dcount of items a day",
    kql: "Records | summarize dcount(ItemId) by bin(TimeGenerated, 1d)",
    sql: `SELECT date_trunc('day', "TimeGenerated"), count(DISTINCT "ItemId") FROM "Records" GROUP BY 1`,
  },
  {
    name: "case and sum",
    kql: "Records | extend Size = case(Bytes > 900000, 'large', Bytes > 100000, 'medium', 'small') | summarize count(), sum(Bytes) by Size",
    sql: `SELECT CASE WHEN "Bytes" > 900000 THEN 'large' WHEN "Bytes" > 100000 THEN 'medium' ELSE 'small' END, count(*), sum("Bytes")::BIGINT FROM "Records" GROUP BY 1`,
  },
  {
    name: "path into dynamic, a day",
    kql: "Records | where TimeGenerated > ago(1d) | summarize count() by Vault = tostring(Properties.vault)",
    sql: `SELECT coalesce("Properties"->>'$.vault', ''), count(*) FROM "Records" WHERE "TimeGenerated" > ${since(24)} GROUP BY 1`,
  },
  {
    name: "percentile by category, a day",
    kql: "Records | where TimeGenerated > ago(1d) | summarize percentile(DurationSeconds, 95) by Category",
    sql: `SELECT "Category", quantile_disc("DurationSeconds", 0.95) FROM "Records" WHERE "TimeGenerated" > ${since(24)} GROUP BY 1`,
  },
  {
    name: "join with the failed items, a day",
    kql: "Records | where TimeGenerated > ago(1d) | join kind=leftsemi (Records | where TimeGenerated > ago(1d) and Status == 'Failed' | distinct ItemId) on ItemId | count",
    sql: `SELECT count(*) FROM "Records" r SEMI JOIN (SELECT DISTINCT "ItemId" FROM "Records" WHERE "TimeGenerated" > ${since(24)} AND "Status" = 'Failed') f ON r."ItemId" = f."ItemId" WHERE r."TimeGenerated" > ${since(24)}`,
  },
  {
    name: "top ten items by bytes",
    kql: "Records | summarize Total = sum(Bytes) by ItemId | top 10 by Total",
    sql: `SELECT "ItemId", sum("Bytes")::BIGINT AS total FROM "Records" GROUP BY 1 ORDER BY total DESC LIMIT 10`,
  },
  {
    name: "between and not equal",
    kql: "Records | where TimeGenerated between (ago(3d) .. ago(1d)) and Status != 'Completed' | summarize count() by Status",
    sql: `SELECT "Status", count(*) FROM "Records" WHERE "TimeGenerated" BETWEEN ${since(72)} AND ${since(24)} AND "Status" <> 'Completed' GROUP BY 1`,
  },
  {
    name: "text of everything a day",
    kql: "Records | where TimeGenerated > ago(1d) | extend Label = strcat(Category, '/', Status) | summarize count() by Label",
    sql: `SELECT "Category" || '/' || "Status", count(*) FROM "Records" WHERE "TimeGenerated" > ${since(24)} GROUP BY 1`,
  },
];
