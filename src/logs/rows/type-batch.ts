// Batches of records become rows. Tables whose columns are fixed are typed where the records come from,
// so that columns of text cross into the thread of logs, not objects, which cost several times as much.
// Tables that grow are typed in the thread: only it knows what columns they have.

import type { ColumnSchema } from "../../kql/index.ts";
import { logErrors } from "../errors.ts";
import { logTable } from "../schema/tables.ts";
import type { RowBlock } from "./row-block.ts";
import { typeRecords, type LogRecord } from "./type-records.ts";

export interface Records {
  /** The workspace's customer id. */
  readonly workspace: string;
  readonly table: string;
  readonly records: readonly LogRecord[];
}

const workspacePattern = /^[0-9a-f-]{36}$/;

/** A few records cross more cheaply as they are than as a text for each of their columns. */
const worthwhile = 20;

export function typeFixedTables(batch: readonly Records[], now: number): (Records | RowBlock)[] {
  return batch.flatMap((item): (Records | RowBlock)[] => {
    const schema = logTable(item.table);
    if (schema === undefined || schema.grows === true || item.records.length < worthwhile) return [item];
    return typeBatch(() => schema.columns, [item], now);
  });
}

export function typeBatch(
  columnsOf: (workspace: string, table: string) => readonly ColumnSchema[],
  batch: readonly (Records | RowBlock)[],
  now: number,
): RowBlock[] {
  const grownBefore = new Map<string, readonly ColumnSchema[]>();
  return batch.flatMap((item) => {
    if (!("records" in item)) return [item];
    const { workspace, table, records } = item;
    if (!workspacePattern.test(workspace))
      throw logErrors.RecordInvalid(`'${workspace}' is not the id of a workspace.`);
    const schema = logTable(table);
    if (schema === undefined) throw logErrors.TableUnknown(`There is no table '${table}'.`);
    const key = `${workspace}/${table}`;
    const known = grownBefore.get(key) ?? columnsOf(workspace, table);
    const typed = typeRecords(schema, known, records, now);
    grownBefore.set(key, [...known, ...typed.grown]);
    return records.length === 0 ? [] : [{ workspace, table, count: records.length, columns: typed.columns }];
  });
}
