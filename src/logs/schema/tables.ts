// Every table that a workspace has from the start.

import { azureActivity } from "./azure-activity.ts";
import { azureBackupTables } from "./azure-backup.ts";
import { azureDiagnostics } from "./azure-diagnostics.ts";
import type { LogTable } from "./log-table.ts";
import { workspaceTables } from "./workspace-tables.ts";

export const logTables: readonly LogTable[] = [
  ...azureBackupTables,
  azureDiagnostics,
  azureActivity,
  ...workspaceTables,
];

const byName = new Map(logTables.map((table) => [table.name, table]));

export function logTable(name: string): LogTable | undefined {
  return byName.get(name);
}
