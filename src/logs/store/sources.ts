// The SQL that a query reads a table from: recent rows and Parquet files, as one.

import {
  fromMilliseconds,
  quoteName,
  quoteText,
  type ColumnSchema,
  type TableSource,
  type TimeBounds,
} from "../../kql/index.ts";
import { absentValue, sourceColumn } from "../rows/physical.ts";
import type { Part } from "./manifest.ts";
import { partsSource } from "./parts.ts";
import type { RecentTable } from "./recent.ts";
import type { StoreState } from "./state.ts";

/** From the year 1 to 1970. */
const epochMicroseconds = fromMilliseconds(0) / 10n;

export interface TimeRange {
  /** Milliseconds; from inclusive, to exclusive. */
  readonly from?: number;
  readonly to?: number;
}

/** The rows that a query may see. */
export interface Slice extends TimeRange {
  /** Lower case: only rows of this resource and of what stands below it. */
  readonly resource?: string | undefined;
}

export function tableSource(
  { manifest, generations, columns: known }: StoreState,
  folder: string,
  workspaces: readonly string[],
  table: string,
  slice: Slice,
  needed: TimeBounds = {},
): TableSource {
  const columns = unionColumns(workspaces.map((workspace) => known.of(workspace, table)));
  const asked = new Set(workspaces);
  const recent = workspaces.flatMap((workspace) =>
    generations.flatMap(({ tables }) => tables.get(`${workspace}/${table}`) ?? []),
  );
  const parts = manifest.parts.filter(
    (part) => asked.has(part.workspace) && part.table === table && overlaps(part, slice) && isNeeded(part, needed),
  );
  const selects = [...recentSelects(recent, columns, slice), ...partSelects(folder, parts, columns, slice)];
  if (selects.length === 0) selects.push(`${selectFrom("(SELECT 1)", columns, new Set(), {})} WHERE false`);
  return { from: unionOf(selects), columns: new Map(columns.map((column) => [column.name, sourceColumn(column)])) };
}

export function recentSelects(
  tables: readonly RecentTable[],
  columns: readonly ColumnSchema[],
  slice: Slice = {},
): string[] {
  return tables.map(({ from, columns: present }) => selectFrom(from, columns, present, slice));
}

/** Files with the same columns are read together. */
export function partSelects(
  folder: string,
  parts: readonly Part[],
  columns: readonly ColumnSchema[],
  slice: Slice = {},
): string[] {
  return [...Map.groupBy(parts, ({ isFilled, columns: own }) => [isFilled, ...own].join()).values()].map((alike) =>
    selectFrom(partsSource(folder, alike), columns, new Set(alike[0]?.columns), slice, alike[0]?.isFilled),
  );
}

export function unionOf(selects: readonly string[]): string {
  return `(${selects.join(" UNION ALL ")})`;
}

function selectFrom(
  from: string,
  columns: readonly ColumnSchema[],
  present: ReadonlySet<string>,
  { from: start, to: end, resource }: Slice,
  isFilled = true,
): string {
  const list = columns.map(({ name, type }) => {
    if (!present.has(name)) return `${absentValue(type)} AS ${quoteName(name)}`;
    if (isFilled || type !== "string") return quoteName(name);
    return `coalesce(${quoteName(name)}, '') AS ${quoteName(name)}`;
  });
  const bounds = [
    ...(start === undefined ? [] : [`TimeGenerated >= make_timestamp(${start * 1000})`]),
    ...(end === undefined ? [] : [`TimeGenerated < make_timestamp(${end * 1000})`]),
    ...(resource === undefined
      ? []
      : !present.has("_ResourceId")
        ? ["false"]
        : [`(_ResourceId = ${quoteText(resource)} OR starts_with(_ResourceId, ${quoteText(`${resource}/`)}))`]),
  ];
  return `SELECT ${list.join(", ")} FROM ${from}${bounds.length === 0 ? "" : ` WHERE ${bounds.join(" AND ")}`}`;
}

function overlaps(part: Part, { from, to }: TimeRange): boolean {
  return (from === undefined || part.to >= from * 1000) && (to === undefined || part.from < to * 1000);
}

/** A tick is a tenth of a microsecond. */
function isNeeded(part: Part, { from, to }: TimeBounds): boolean {
  const microseconds = (ticks: bigint): number => Number(ticks / 10n - epochMicroseconds);
  return (from === undefined || part.to >= microseconds(from)) && (to === undefined || part.from <= microseconds(to));
}

function unionColumns(lists: readonly (readonly ColumnSchema[])[]): ColumnSchema[] {
  return [...new Map(lists.flat().map((column) => [column.name, column])).values()];
}
