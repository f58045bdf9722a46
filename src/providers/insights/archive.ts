// Records in storage accounts, as Azure lays them out: a container for each category, a blob for each
// resource and hour, a line of JSON for each record.

import { findResource, type Reader } from "../../arm/resources/resource-store.ts";
import { appendBlock } from "../../blobs/append-block.ts";
import type { Blobs } from "../../blobs/blobs.ts";
import { isoTime } from "../../lib/clock.ts";
import { HoldfastError } from "../../lib/errors.ts";
import type { Records } from "../../logs/rows/type-batch.ts";
import type { DiagnosticSetting } from "./settings-of-resource.ts";

export interface Archive {
  /** Where a setting's records are kept, in the place of a workspace; undefined when it keeps none. */
  keyOf(reader: Reader, setting: DiagnosticSetting): Promise<string | undefined>;
  /** Keeps those of the batch that are for storage accounts, once however often they come; gives the others back. */
  keep(batch: readonly Records[], told: Told): Promise<Records[]>;
}

export interface Told {
  readonly resourceId: string;
  readonly at: number;
  /** The same for the same records. */
  readonly number: number;
}

const prefix = "storage/";

export function openArchive(
  blobs: Pick<Blobs, "store" | "ensureContainer">,
  report: (error: unknown) => void,
  signal: AbortSignal,
): Archive {
  const append = async (account: string, { table, records }: Records, told: Told): Promise<void> => {
    const category = table === "AzureActivity" ? "activity-logs" : `logs-${categoryOf(table, records)}`;
    const container = `insights-${category.toLowerCase()}`;
    const lines = records.map((record) => `${JSON.stringify(lineOf(record, told))}\n`).join("");
    const block = {
      id: Buffer.from(String(told.number).padStart(24, "0")).toString("base64"),
      contentType: "application/json",
      bytes: Buffer.from(lines, "utf8"),
    };
    await blobs.ensureContainer({ account, container });
    await appendBlock(blobs.store, { account, container, name: nameOf(told) }, block, signal);
  };
  return {
    keyOf: async (reader, { storageAccountId }) => {
      if (storageAccountId === undefined || storageAccountId === null) return undefined;
      const account = await findResource(reader, storageAccountId);
      return account === undefined ? undefined : `${prefix}${account.name}`;
    },
    keep: async (batch, told) => {
      const others: Records[] = [];
      for (const one of batch) {
        if (!one.workspace.startsWith(prefix)) {
          others.push(one);
          continue;
        }
        try {
          await append(one.workspace.slice(prefix.length), one, told);
        } catch (error) {
          // A blob that somebody leased, an account that is gone: the others are told all the same.
          if (!(error instanceof HoldfastError) || error.status >= 500) throw error;
          report(error);
        }
      }
      return others;
    },
  };
}

function nameOf({ resourceId, at }: Told): string {
  const [date = "", time = ""] = isoTime(at).split("T");
  const [year = "", month = "", day = ""] = date.split("-");
  return `resourceId=${resourceId.toUpperCase()}/y=${year}/m=${month}/d=${day}/h=${time.slice(0, 2)}/m=00/PT1H.json`;
}

function categoryOf(table: string, records: Records["records"]): string {
  const category = records[0]?.["Category"];
  return table === "AzureDiagnostics" && typeof category === "string" ? category : table;
}

/** What every record of Azure's has stands outside; the rest are its properties. */
function lineOf(record: Records["records"][number], { resourceId, at }: Told): object {
  const { TimeGenerated: time, OperationName, Category, TenantId: _workspace, ...properties } = record;
  return {
    time: isoTime(typeof time === "number" ? time : at),
    resourceId: resourceId.toUpperCase(),
    operationName: OperationName,
    category: Category,
    properties,
  };
}
