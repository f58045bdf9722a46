// union: which tables, and which columns they have together.

import { semantic } from "../../errors.ts";
import { columnOf, literal, type Column, type Expression } from "../../plan/expression.ts";
import { relation } from "../../plan/relation.ts";
import { child, items, kindOf, nameOf, parametersOf, spanOf, wordOf, type SyntaxNode } from "../../syntax/node.ts";
import type { ScalarType } from "../../types.ts";
import { nullLiteral } from "../functions.ts";
import { didYouMean, wildcard } from "../names.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { isTabular } from "../tabular.ts";

export interface Source {
  readonly name: string;
  readonly bound: Bound;
}

export function bindUnion(session: Session, node: SyntaxNode, scope: Scope, input?: Bound): Bound {
  const parameters = parametersOf(node);
  const fuzzy = parameters.get("isfuzzy");
  const isFuzzy = fuzzy !== undefined && wordOf(fuzzy).toLowerCase() === "true";
  const kind = parameters.get("kind");
  const withSource = parameters.get("withsource") ?? parameters.get("with_source");
  const sources: Source[] = input === undefined ? [] : [{ name: "union_arg0", bound: input }];
  for (const item of items(node, "Expressions")) {
    sources.push(...sourcesOf(session, item, scope, isFuzzy, sources.length));
  }
  const first = sources[0];
  if (first === undefined) throw semantic("None of the tables of this union exists.", spanOf(node));
  const inner = kind !== undefined && wordOf(kind).toLowerCase() === "inner";
  return unite(session, sources, inner, withSource === undefined ? undefined : wordOf(withSource));
}

export function sourcesOf(session: Session, node: SyntaxNode, scope: Scope, isFuzzy: boolean, index: number): Source[] {
  const kind = kindOf(node);
  if (kind === "ParenthesizedExpression") return sourcesOf(session, child(node, "Expression"), scope, isFuzzy, index);
  const isName = kind === "NameReference";
  if (isName && nameOf(node).includes("*")) return matching(session, node, scope);
  if (isName && !isTabular(session, node, scope)) {
    if (isFuzzy) return [];
    const known = [...scope.all().keys(), ...(session.databases[0]?.tables ?? []).map((table) => table.name)];
    throw semantic(`There is no table '${nameOf(node)}'.${didYouMean(nameOf(node), known)}`, spanOf(node));
  }
  if (isFuzzy && !exists(session, node, scope)) return [];
  return [
    {
      name: isName && keepsName(scope, nameOf(node)) ? nameOf(node) : `union_arg${index}`,
      bound: session.table(node, scope),
    },
  ];
}

/** Stored tables and views are called by their names; other tables by their place. */
function keepsName(scope: Scope, name: string): boolean {
  const binding = scope.find(name);
  return binding === undefined || (binding.kind === "function" && binding.isView);
}

/** Whether the leftmost table of a pipe is there. */
function exists(session: Session, node: SyntaxNode, scope: Scope): boolean {
  const kind = kindOf(node);
  if (kind === "PipeExpression" || kind === "ParenthesizedExpression")
    return exists(session, child(node, "Expression"), scope);
  return kind !== "NameReference" || isTabular(session, node, scope);
}

function matching(session: Session, node: SyntaxNode, scope: Scope): Source[] {
  const test = wildcard(nameOf(node));
  const found: Source[] = [];
  for (const [name, binding] of scope.all()) {
    const isTable = binding.kind === "table" || (binding.kind === "function" && binding.isView);
    if (!isTable || !test(name)) continue;
    found.push({ name, bound: binding.kind === "table" ? binding.bind() : viewOf(session, name, scope) });
  }
  for (const table of session.databases[0]?.tables ?? []) {
    if (test(table.name)) found.push({ name: table.name, bound: tableOf(session, table.name) });
  }
  return found;
}

function viewOf(session: Session, name: string, scope: Scope): Bound {
  const binding = scope.find(name);
  if (binding?.kind !== "function") throw semantic(`There is no view '${name}'.`);
  return session.table(child(binding.body, "Expression"), binding.scope);
}

export function tableOf(session: Session, name: string, database = session.databases[0]): Bound {
  const schema = database?.tables.find((table) => table.name === name);
  if (database === undefined || schema === undefined) throw semantic(`There is no table '${name}'.`);
  const columns = schema.columns.map((column) => session.newColumn(column.name, column.type));
  return {
    relation: relation({ kind: "table", database: database.name, table: name, columns }),
    columns,
    order: [],
    partition: [],
  };
}

interface Merged {
  readonly column: Column;
  readonly source: string;
  readonly type: ScalarType;
}

export function unite(session: Session, sources: readonly Source[], inner: boolean, withSource?: string): Bound {
  const merged = mergedColumns(session, sources, inner);
  const source = withSource === undefined ? undefined : session.newColumn(withSource, "string");
  const partition = sources[0]?.bound.partition ?? [];
  const rows = sources.map(({ name, bound }): Expression[] => [
    ...(source === undefined ? [] : [literal("string", name)]),
    ...merged.map((item) => {
      const found = bound.columns.find((column) => column.name === item.source && column.type === item.type);
      return found === undefined ? nullLiteral(item.type) : columnOf(found);
    }),
    ...bound.partition.map(columnOf),
  ]);
  const shown = [...(source === undefined ? [] : [source]), ...merged.map(({ column }) => column)];
  return {
    relation: relation({
      kind: "union",
      inputs: sources.map(({ bound }) => bound.relation),
      rows,
      columns: [...shown, ...partition],
    }),
    columns: shown,
    order: [],
    partition,
  };
}

/** A name that tells types apart gives way to a column that has it already. */
function free(name: string, taken: Set<string>): string {
  let shown = name;
  for (let number = 1; taken.has(shown); number += 1) shown = `${name}${number}`;
  taken.add(shown);
  return shown;
}

function mergedColumns(session: Session, sources: readonly Source[], inner: boolean): Merged[] {
  const types = new Map<string, ScalarType[]>();
  for (const { bound } of sources) {
    for (const { name, type } of bound.columns) {
      const known = types.get(name) ?? [];
      if (!known.includes(type)) known.push(type);
      types.set(name, known);
    }
  }
  const found: Merged[] = [];
  const taken = new Set([...types].flatMap(([name, known]) => (known.length === 1 ? [name] : [])));
  for (const [name, known] of types) {
    const everywhere = sources.every(({ bound }) => bound.columns.some((column) => column.name === name));
    if (inner && !everywhere) continue;
    if (inner && known.length > 1) continue;
    for (const type of known) {
      const shown = known.length > 1 ? free(`${name}_${type}`, taken) : name;
      found.push({ column: session.newColumn(shown, type), source: name, type });
    }
  }
  return found;
}
