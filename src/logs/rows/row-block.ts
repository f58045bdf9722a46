// Rows of one table, column by column, each column one text: the form in which rows travel from their
// typing through the journal into DuckDB, which splits a text far faster than it takes values one by one.
//
// Values are separated by U+001F; U+001E alone stands for null. A value that has one of these
// characters is written with U+001D and a letter for each, and its column is marked as escaped. A
// string is never null in KQL: where a record has none, the empty one is kept.

import { quoteText, type ScalarType } from "../../kql/index.ts";
import { physicalType } from "./physical.ts";

export interface ColumnText {
  readonly name: string;
  readonly text: string;
  readonly isEscaped: boolean;
}

/** What a column of several blocks is in SQL's eyes. */
export interface JoinedColumn extends ColumnText {
  readonly type: ScalarType;
  /** Whether there are marks of null where an empty string should be: in journals of before that rule. */
  readonly hasNullStrings: boolean;
}

export interface RowBlock {
  /** The workspace's customer id. */
  readonly workspace: string;
  readonly table: string;
  readonly count: number;
  readonly columns: readonly ColumnText[];
}

export type StoredValue = string | number | boolean;

const separator = "\u001F";
const nullMark = "\u001E";
const escapes = { "\u001E": "\u001De", "\u001F": "\u001Df", "\u001D": "\u001Dd" } as const;
// oxlint-disable-next-line no-control-regex -- these are what it is about
const reserved = /[\u001D-\u001F]/;
// oxlint-disable-next-line no-control-regex -- these are what it is about
const everyReserved = /[\u001D-\u001F]/g;

/** A column that is being filled. */
export interface OpenColumn {
  readonly name: string;
  readonly type: ScalarType;
  readonly values: StoredValue[];
  isEscaped: boolean;
}

export function openColumn(name: string, type: ScalarType): OpenColumn {
  return { name, type, values: [], isEscaped: false };
}

/** Rows are set in their order; those between have no value. */
export function setValue(column: OpenColumn, row: number, value: StoredValue): void {
  const { values } = column;
  if (values.length < row) fill(column, row);
  if (typeof value === "string" && reserved.test(value)) {
    column.isEscaped = true;
    values[row] = value.replace(everyReserved, (found) => escapes[found as keyof typeof escapes]);
  } else values[row] = value;
}

export function closeColumn(column: OpenColumn, count: number): ColumnText {
  fill(column, count);
  const { name, values, isEscaped } = column;
  return { name, text: values.join(separator), isEscaped };
}

function fill({ values, type }: OpenColumn, count: number): void {
  const absent = absentMark(type);
  while (values.length < count) values.push(absent);
}

const absentMark = (type: ScalarType): string => (type === "string" ? "" : nullMark);

/** The same column of several blocks, one after the other. */
export function joinColumn(name: string, type: ScalarType, blocks: readonly RowBlock[]): JoinedColumn {
  const found = blocks.map(({ columns }) => columns.find((column) => column.name === name));
  const text = found
    .map((column, at) => column?.text ?? Array(blocks[at]?.count).fill(absentMark(type)).join(separator))
    .join(separator);
  const hasNullStrings = type === "string" && text.includes(nullMark);
  return { name, type, text, isEscaped: found.some((column) => column?.isEscaped), hasNullStrings };
}

/** SQL that makes a list of values of a column's text, one row for each. */
export function splitText(text: string): string {
  return `unnest(string_split(${text}, chr(31)))`;
}

/** SQL of the value that one part of such a text stands for. */
export function readPart(part: string, { type, isEscaped, hasNullStrings }: JoinedColumn): string {
  const sql = physicalType(type);
  const text = hasNullStrings ? `replace(${part}, chr(30), '')` : part;
  const present = type === "string" ? text : `nullif(${part}, chr(30))`;
  if (type === "datetime") return `make_timestamp(${present}::BIGINT)`;
  if (sql !== "VARCHAR") return `${present}::${sql}`;
  if (!isEscaped) return present;
  return Object.entries(escapes).reduce(
    (value, [plain, written]) => `replace(${value}, ${quoteText(written)}, ${quoteText(plain)})`,
    present,
  );
}
