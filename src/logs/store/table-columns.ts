// Which columns a table has in a workspace: those of its schema, and those that its data has brought.

import type { ColumnSchema } from "../../kql/index.ts";
import { logErrors } from "../errors.ts";
import { suffixType } from "../schema/azure-diagnostics.ts";
import { logTable } from "../schema/tables.ts";

export interface TableColumns {
  of(workspace: string, table: string): readonly ColumnSchema[];
  /** Takes note of columns that rows have; those that are known already stay as they are. */
  grow(workspace: string, table: string, names: readonly string[]): void;
  /** Grows whenever a table gets a column. */
  readonly version: number;
  /** What the manifest keeps: grown columns by `workspace/table`. */
  grown(): Record<string, string[]>;
}

export function createTableColumns(kept: Readonly<Record<string, readonly string[]>>): TableColumns {
  const grown = new Map(Object.entries(kept).map(([key, names]) => [key, names.flatMap(grownColumn)]));
  let version = 0;
  const of = (workspace: string, table: string): readonly ColumnSchema[] => {
    const known = logTable(table);
    if (known === undefined) throw logErrors.TableUnknown(`There is no table '${table}'.`);
    const more = grown.get(`${workspace}/${table}`);
    return more === undefined ? known.columns : [...known.columns, ...more];
  };
  return {
    of,
    grow: (workspace, table, names) => {
      if (logTable(table)?.grows !== true) return;
      const known = new Set(of(workspace, table).map(({ name }) => name));
      const added = names.filter((name) => !known.has(name));
      if (added.length === 0) return;
      const key = `${workspace}/${table}`;
      grown.set(key, [...(grown.get(key) ?? []), ...added.flatMap(grownColumn)]);
      version += 1;
    },
    get version() {
      return version;
    },
    grown: () => Object.fromEntries([...grown].map(([key, columns]) => [key, columns.map(({ name }) => name)])),
  };
}

function grownColumn(name: string): ColumnSchema[] {
  const type = suffixType(name);
  return type === undefined ? [] : [{ name, type }];
}
