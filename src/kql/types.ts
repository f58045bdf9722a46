// The types of KQL and the catalogue that a caller describes its tables with.

export const scalarTypes = [
  "bool",
  "int",
  "long",
  "real",
  "decimal",
  "string",
  "datetime",
  "timespan",
  "guid",
  "dynamic",
] as const;

export type ScalarType = (typeof scalarTypes)[number];

export interface ColumnSchema {
  readonly name: string;
  readonly type: ScalarType;
}

export interface TableSchema {
  readonly name: string;
  readonly columns: readonly ColumnSchema[];
}

/** A saved function: `parameters` as KQL writes them, without the parentheses. */
export interface FunctionSchema {
  readonly name: string;
  readonly parameters: string;
  readonly body: string;
  /** `a:long, b:string`: the columns of its table, where they are known. Finding them out takes as long as the rest. */
  readonly returns?: string;
}

export interface DatabaseSchema {
  readonly name: string;
  readonly tables: readonly TableSchema[];
  readonly functions: readonly FunctionSchema[];
}

const aliases: Readonly<Record<string, ScalarType>> = {
  bool: "bool",
  boolean: "bool",
  int: "int",
  int32: "int",
  long: "long",
  int64: "long",
  real: "real",
  double: "real",
  decimal: "decimal",
  string: "string",
  datetime: "datetime",
  date: "datetime",
  timespan: "timespan",
  time: "timespan",
  guid: "guid",
  uuid: "guid",
  uniqueid: "guid",
  dynamic: "dynamic",
};

/** The type that a name in KQL text stands for. */
export function typeNamed(name: string): ScalarType | undefined {
  return aliases[name.toLowerCase()];
}

export function isNumeric(type: ScalarType): boolean {
  return type === "int" || type === "long" || type === "real" || type === "decimal";
}

export function isInteger(type: ScalarType): boolean {
  return type === "int" || type === "long";
}
