// What watches the service and tells of it, all the time: records into workspaces, built-in alerts,
// scheduled rules.

import type { Blobs } from "../blobs/blobs.ts";
import type { Database } from "../db/database.ts";
import type { Access } from "../identity/access/access.ts";
import type { Logs } from "../logs/logs.ts";
import { dropOldAlerts } from "../monitor/alerts.ts";
import { runRules } from "../monitor/rules/run-rules.ts";
import { runPeriodically } from "../monitor/schedule.ts";
import { raiseBackupAlerts } from "../providers/alertsmanagement/backup-alerts.ts";
import { raiseAlert } from "../providers/alertsmanagement/processing-rules.ts";
import { openArchive } from "../providers/insights/archive.ts";
import { pushInventories, routeBackupRecords } from "../providers/insights/backup-routing.ts";
import { routeDiagnostics } from "../providers/insights/diagnostic-routing.ts";
import { askForRule, findRule } from "../providers/insights/scheduled-query-rules.ts";
import { forgetDeletedWorkspaces } from "../providers/operationalinsights/deleted-workspaces.ts";
import type { Log } from "./log.ts";

export interface MonitoringParts {
  readonly database: Database;
  readonly access: Access;
  readonly logs: Logs;
  readonly blobs: Blobs;
  readonly holder: string;
  readonly log: Log;
}

const dayMilliseconds = 86_400_000;
const alertDays = 30;

/** Works until `signal`; resolves when all of it has ended. */
export async function runMonitoring(
  { database, access, logs, blobs, holder, log }: MonitoringParts,
  signal: AbortSignal,
): Promise<void> {
  const reporting = (what: string) => ({
    database,
    holder,
    report: (error: unknown) => log.error({ err: error }, `${what}; it is tried again`),
  });
  const services = { database, access, logs };
  const archive = openArchive(blobs, reporting("records were not kept in a storage account").report, signal);
  await Promise.all([
    routeDiagnostics({ ...reporting("diagnostics were not routed"), logs, archive }, signal),
    routeBackupRecords({ ...reporting("records of backups were not written"), logs, archive }, signal),
    raiseBackupAlerts(reporting("alerts of backups were not raised"), signal),
    runRules(
      {
        ...reporting("rules were not evaluated"),
        ruleOf: (key) => findRule(services, key),
        ask: (rule, text, from, end, held) => askForRule(services, rule, text, from, end, held),
        fire: raiseAlert,
      },
      signal,
    ),
    runPeriodically(
      reporting("the daily records were not written"),
      {
        name: "inventories",
        everyMilliseconds: dayMilliseconds,
        run: () => pushInventories({ database, logs, archive }),
      },
      signal,
    ),
    runPeriodically(
      reporting("old alerts and deleted workspaces were not removed"),
      {
        name: "old-alerts",
        everyMilliseconds: dayMilliseconds,
        run: () =>
          database.transaction(async (trx) => {
            await dropOldAlerts(trx, database.clock.now() - alertDays * dayMilliseconds);
            await forgetDeletedWorkspaces(trx);
          }),
      },
      signal,
    ),
  ]);
}
