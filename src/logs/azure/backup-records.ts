// Which rows a vault's diagnostic settings make of its records. Category and form must fit: the one
// old category goes only to AzureDiagnostics, the newer ones only to tables of their own. Any other
// pairing is accepted by Azure and delivers nothing.

import type { LogRecord } from "../rows/type-records.ts";
import type { Records } from "../rows/type-batch.ts";
import {
  dedicatedRecord,
  diagnosticsRecord,
  hasLegacyForm,
  legacyCategory,
  legacyTable,
  type BackupEntry,
} from "./backup-entry.ts";
import type { VaultFacts } from "./backup-facts.ts";

/** One diagnostic setting, with its workspace found. */
export interface Destination {
  readonly workspace: string;
  readonly isDedicated: boolean;
  wants(category: string): boolean;
}

/** For every workspace and table the rows, each once however many settings ask for it. */
export function backupRecords(
  entries: readonly BackupEntry[],
  vault: VaultFacts,
  destinations: readonly Destination[],
  at: number,
): Records[] {
  const batches = new Map<string, Batch>();
  const byWorkspace = Map.groupBy(destinations, ({ workspace }) => workspace);
  for (const [workspace, wanting] of byWorkspace) {
    const inDiagnostics = wanting.some((one) => !one.isDedicated && one.wants(legacyCategory));
    for (const entry of entries) {
      if (inDiagnostics && hasLegacyForm(entry))
        add(batches, workspace, legacyTable, diagnosticsRecord(entry, vault, workspace, at));
      if (wanting.some((one) => one.isDedicated && one.wants(entry.category)))
        add(batches, workspace, entry.category, dedicatedRecord(entry, vault, workspace, at));
    }
  }
  return [...batches.values()];
}

function add(batches: Map<string, Batch>, workspace: string, table: string, record: LogRecord): void {
  const key = `${workspace}/${table}`;
  const batch = batches.get(key) ?? { workspace, table, records: [] };
  batch.records.push(record);
  batches.set(key, batch);
}

interface Batch extends Records {
  readonly records: LogRecord[];
}
