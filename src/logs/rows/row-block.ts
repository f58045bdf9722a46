// Rows of one table, column by column, each column one text: the form in which rows travel from their
// typing through the journal into DuckDB, which splits a text far faster than it takes values one by one.
//
// Values are separated by U+001F; U+001E alone stands for null. A value that has one of these
// characters is written with U+001D and a letter for each, and its column is marked as escaped.

import { quoteText, type ScalarType } from "../../kql/index.ts";
import { physicalType } from "./physical.ts";

export interface ColumnText {
  readonly name: string;
  readonly text: string;
  readonly isEscaped: boolean;
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

/** Rows are set in their order; those between are null. */
export function setValue(column: OpenColumn, row: number, value: StoredValue): void {
  const { values } = column;
  if (values.length < row) fill(values, row);
  if (typeof value === "string" && reserved.test(value)) {
    column.isEscaped = true;
    values[row] = value.replace(everyReserved, (found) => escapes[found as keyof typeof escapes]);
  } else values[row] = value;
}

export function closeColumn({ name, values, isEscaped }: OpenColumn, count: number): ColumnText {
  fill(values, count);
  return { name, text: values.join(separator), isEscaped };
}

function fill(values: StoredValue[], count: number): void {
  while (values.length < count) values.push(nullMark);
}

/** The same column of several blocks, one after the other. */
export function joinColumn(name: string, blocks: readonly RowBlock[]): ColumnText {
  const found = blocks.map(({ columns }) => columns.find((column) => column.name === name));
  const text = found
    .map((column, at) => column?.text ?? Array(blocks[at]?.count).fill(nullMark).join(separator))
    .join(separator);
  return { name, text, isEscaped: found.some((column) => column?.isEscaped) };
}

/** SQL that makes a list of values of a column's text, one row for each. */
export function splitText(text: string): string {
  return `unnest(string_split(${text}, chr(31)))`;
}

/** SQL of the value that one part of such a text stands for. */
export function readPart(part: string, type: ScalarType, isEscaped: boolean): string {
  const present = `nullif(${part}, chr(30))`;
  const sql = physicalType(type);
  if (type === "datetime") return `make_timestamp(${present}::BIGINT)`;
  if (sql !== "VARCHAR") return `${present}::${sql}`;
  if (!isEscaped) return present;
  return Object.entries(escapes).reduce(
    (value, [plain, written]) => `replace(${value}, ${quoteText(written)}, ${quoteText(plain)})`,
    present,
  );
}
