// A table of a workspace. Rows are typed when they come in, so a query never meets a value of another type.

import type { ColumnSchema, ScalarType } from "../../kql/index.ts";

export interface LogTable {
  readonly name: string;
  readonly columns: readonly ColumnSchema[];
  /** Columns that are named after their type appear with their first value. */
  readonly grows?: boolean;
}

/** Column names, separated by white space, by type. */
export function typedColumns(byType: Partial<Record<ScalarType, string>>): ColumnSchema[] {
  return Object.entries(byType).flatMap(([type, names]) =>
    names
      .trim()
      .split(/\s+/)
      .map((name) => ({ name, type: type as ScalarType })),
  );
}
