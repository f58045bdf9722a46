// What a pipe may start from.

import { semantic, unsupported } from "../errors.ts";
import { literal, type LiteralExpression } from "../plan/expression.ts";
import { relation } from "../plan/relation.ts";
import { child, items, kindOf, nameOf, spanOf, tokenText, type SyntaxNode } from "../syntax/node.ts";
import { typeNamed, type DatabaseSchema, type ScalarType } from "../types.ts";
import { dynamicToText, parseDynamic } from "../values/dynamic.ts";
import { readDatetime } from "../values/read-datetime.ts";
import { parseLong, parseReal } from "../values/real.ts";
import { parseTimespan } from "../values/ticks.ts";
import { cast, commonType } from "./casts.ts";
import { resultTypes } from "./calls.ts";
import { insideSaved, openFunction, savedFunction } from "./declarations.ts";
import { didYouMean } from "./names.ts";
import { item, itemsOf } from "./operators/shape.ts";
import { tableOf } from "./operators/union.ts";
import type { Scope } from "./scope.ts";
import type { Bound, Session } from "./session.ts";
import { project } from "./tables.ts";
import { isDatabasePath, isTabular } from "./tabular.ts";

export function bindNamedTable(session: Session, node: SyntaxNode, scope: Scope): Bound {
  const name = nameOf(node);
  const binding = scope.find(name);
  if (binding?.kind === "table") return binding.bind();
  if (binding?.kind === "function" || savedFunction(session, name) !== undefined) {
    return session.tableFunctionCall(node, scope);
  }
  const tables = session.databases[0]?.tables ?? [];
  if (tables.some((table) => table.name === name)) return tableOf(session, name);
  const known = [...tables.map((table) => table.name), ...scope.all().keys()];
  throw semantic(`There is no table '${name}'.${didYouMean(name, known)}`, spanOf(node));
}

/** `database("x").T`, `workspace("x").T`, `database("x").Function()`. */
export function bindQualified(session: Session, node: SyntaxNode, scope: Scope): Bound {
  const selector = child(node, "Selector");
  const database = databaseOf(session, child(node, "Expression"));
  if (kindOf(selector) === "FunctionCallExpression") {
    const name = nameOf(child(selector, "Name"));
    const found = savedFunction(session, name, database);
    if (found === undefined) throw semantic(`${database.name} has no function '${name}'.`, spanOf(selector));
    return insideSaved(name, spanOf(node), () => {
      const args = items(child(selector, "ArgumentList"), "Expressions");
      const environment = { scope, columns: [] };
      const opened = openFunction(session, name, found, args, environment, spanOf(node), (item, inner) =>
        isTabular(session, item, inner),
      );
      return session.table(opened.result, opened.scope);
    });
  }
  const name = nameOf(selector);
  if (!database.tables.some((table) => table.name === name)) {
    const known = database.tables.map((table) => table.name);
    throw semantic(`${database.name} has no table '${name}'.${didYouMean(name, known)}`, spanOf(selector));
  }
  return tableOf(session, name, database);
}

function databaseOf(session: Session, node: SyntaxNode): DatabaseSchema {
  if (!isDatabasePath(node)) throw unsupported("This path to a table", spanOf(node));
  const call = kindOf(node) === "PathExpression" ? child(node, "Selector") : node;
  const arg = items(child(call, "ArgumentList"), "Expressions")[0];
  const name = arg === undefined ? "" : String(arg["LiteralValue"]);
  const found = session.databases.find((database) => database.name.toLowerCase() === name.toLowerCase());
  if (found === undefined) throw semantic(`There is no database or workspace '${name}'.`, spanOf(node));
  return found;
}

export function bindDataTable(session: Session, node: SyntaxNode, scope: Scope): Bound {
  const schema = items(child(node, "Schema"), "Columns");
  const columns = schema.map((entry) => {
    const type = typeNamed(tokenText(child(entry, "Type"), "Type")) ?? "dynamic";
    return session.newColumn(nameOf(child(entry, "Name")), type);
  });
  const ordinal = session.newColumn("ordinal", "long");
  const values = items(node, "Values");
  if (columns.length > 0 && values.length % columns.length !== 0) {
    throw semantic(`The values do not fill rows of ${columns.length} columns.`, spanOf(node));
  }
  const rows: LiteralExpression[][] = [];
  for (let start = 0; start < values.length; start += columns.length) {
    const row = columns.map((column, index) => {
      const value = values[start + index];
      if (value === undefined) throw semantic("A row of the datatable is short.", spanOf(node));
      return literalAs(session, value, column.type, scope);
    });
    rows.push([...row, literal("long", BigInt(rows.length))]);
  }
  return {
    relation: relation({ kind: "values", rows, columns: [...columns, ordinal] }),
    columns,
    order: [{ column: ordinal, descending: false, nullsFirst: true }],
    partition: [],
  };
}

function literalAs(session: Session, node: SyntaxNode, type: ScalarType, scope: Scope): LiteralExpression {
  const value = session.expression(node, { scope, columns: [] });
  if (value.kind !== "literal") throw unsupported("A computed value in a datatable", spanOf(node));
  if (value.type === type) return value;
  const simple = cast(value, type);
  if (simple.kind === "literal") return simple;
  return converted(value, type);
}

/** A datatable converts its literals as the to…() functions do. */
function converted(value: LiteralExpression, type: ScalarType): LiteralExpression {
  const raw = value.value;
  const text = value.type === "dynamic" ? dynamicToText(parseDynamic(String(raw)) ?? null) : String(raw);
  switch (type) {
    case "string":
      return literal("string", text);
    case "int":
    case "long":
      if (typeof raw === "boolean") return literal(type, raw ? 1n : 0n);
      if (typeof raw === "number") return literal(type, BigInt(Math.trunc(raw)));
      return literal(type, parseLong(text));
    case "real":
      return literal(type, typeof raw === "bigint" ? Number(raw) : parseReal(text));
    case "decimal":
      return literal(type, text);
    case "bool":
      return literal(
        type,
        typeof raw === "bigint"
          ? raw !== 0n
          : text.toLowerCase() === "true"
            ? true
            : text.toLowerCase() === "false"
              ? false
              : null,
      );
    case "datetime":
      return literal(type, readDatetime(text));
    case "timespan":
      return literal(type, parseTimespan(text));
    case "dynamic":
      return literal(type, typeof raw === "string" ? JSON.stringify(raw) : raw === null ? null : String(raw));
    default:
      return literal(type, /^[0-9a-f-]{36}$/i.test(text) ? text.toLowerCase() : null);
  }
}

/** One row without columns, for print. */
function singleRow(session: Session): Bound {
  const column = session.newColumn("ordinal", "long");
  return {
    relation: relation({ kind: "values", rows: [[literal("long", 0n)]], columns: [column] }),
    columns: [],
    order: [{ column, descending: false, nullsFirst: true }],
    partition: [],
  };
}

export function bindPrint(session: Session, node: SyntaxNode, scope: Scope): Bound {
  let position = -1;
  const found = items(node, "Expressions").flatMap((expression) => {
    position += 1;
    const environment = { scope, columns: [] };
    const isNamed = kindOf(expression).endsWith("NamedExpression") || resultTypes(expression) !== undefined;
    if (isNamed) return itemsOf(session, [expression], environment, () => `print_${position}`);
    return [item(session, `print_${position}`, session.expression(expression, environment))];
  });
  const named = new Map<string, number>();
  const unique = found.map((item) => {
    const times = named.get(item.column.name) ?? 0;
    named.set(item.column.name, times + 1);
    return times === 0 ? item : { ...item, column: { ...item.column, name: `${item.column.name}${times}` } };
  });
  return project(singleRow(session), unique);
}

export function bindRange(session: Session, node: SyntaxNode, scope: Scope): Bound {
  const environment = { scope, columns: [] };
  const part = (member: string) => session.expression(child(node, member), environment);
  const [from, to, step] = [part("From"), part("To"), part("Step")];
  const type =
    from.type === "datetime" || from.type === "timespan" ? from.type : commonType([from.type, to.type, step.type]);
  const numeric = type === "dynamic" ? "long" : type;
  const column = session.newColumn(nameOf(child(node, "Name")), numeric);
  const stepType = numeric === "datetime" ? "timespan" : numeric;
  return {
    relation: relation({
      kind: "range",
      from: cast(from, numeric),
      to: cast(to, numeric),
      step: cast(step, stepType),
      columns: [column],
    }),
    columns: [column],
    order: [{ column, descending: isNegative(step), nullsFirst: true }],
    partition: [],
  };
}

function isNegative(step: ReturnType<Session["expression"]>): boolean {
  return (
    step.kind === "literal" &&
    (typeof step.value === "bigint" ? step.value < 0n : typeof step.value === "number" && step.value < 0)
  );
}
