// evaluate: plugins. Where data decides the columns, the engine is asked first.

import { semantic, unsupported } from "../../errors.ts";
import {
  aggregate,
  call,
  columnOf,
  literal,
  type AggregateExpression,
  type Expression,
} from "../../plan/expression.ts";
import { relation, type Item, type Relation } from "../../plan/relation.ts";
import { child, items, kindOf, nameOf, optional, spanOf, tokenText, type SyntaxNode } from "../../syntax/node.ts";
import { typeNamed } from "../../types.ts";
import { parseDynamic } from "../../values/dynamic.ts";
import { cast } from "../casts.ts";
import type { Scope } from "../scope.ts";
import type { Bound, KnownColumn, Session } from "../session.ts";
import { environmentOf, keep, numbered, project } from "../tables.ts";
import { columnNamed } from "./shape.ts";
import { argument, constantOf, learn, type PluginCall } from "./plugins/call.ts";
import { bindPluginText, hasPluginText } from "./plugins/in-kql.ts";
import { dcountIntersect, preview, rowsNear } from "./plugins/rows.ts";
import { unite, type Source } from "./union.ts";

export function bindEvaluate(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const callNode = child(node, "FunctionCall");
  const name = nameOf(child(callNode, "Name"));
  const plugin = plugins[name] ?? (hasPluginText(name) ? inKql(name) : undefined);
  if (plugin === undefined) throw unsupported(`The plugin ${name}`, spanOf(callNode));
  const all = items(child(callNode, "ArgumentList"), "Expressions");
  const named = new Map<string, SyntaxNode>();
  const args = all.filter((arg) => {
    if (kindOf(arg) !== "SimpleNamedExpression") return true;
    named.set(nameOf(child(arg, "Name")).toLowerCase(), child(arg, "Expression"));
    return false;
  });
  return plugin({ session, node: callNode, args, named, input, scope, schema: givenSchema(node) });
}

function givenSchema(node: SyntaxNode): readonly KnownColumn[] | undefined {
  const clause = optional(node, "Schema");
  if (clause === undefined) return undefined;
  return items(child(clause, "Schema"), "Columns").map((entry) => ({
    name: nameOf(child(entry, "Name")),
    type: typeNamed(tokenText(child(entry, "Type"), "Type")) ?? "dynamic",
  }));
}

function bagUnpack(plugin: PluginCall): Bound {
  const { session, input } = plugin;
  const bag = columnNamed(argument(plugin, 0), input.columns);
  const prefix = constantOf(plugin, plugin.args[1] ?? plugin.named.get("outputcolumnprefix")) ?? "";
  const conflict = constantOf(plugin, plugin.args[2] ?? plugin.named.get("columnsconflict")) ?? "error";
  const ignoredText = constantOf(plugin, plugin.args[3] ?? plugin.named.get("ignoredproperties"));
  const ignoredValue = ignoredText === undefined ? undefined : parseDynamic(ignoredText);
  const ignored = new Set(Array.isArray(ignoredValue) ? ignoredValue.map(String) : []);
  const others = input.columns.filter(({ id }) => id !== bag.id);
  const known = plugin.schema ?? learn(plugin, input.relation, bag, "bagKeys");
  const bagged = known.filter(
    ({ name }) => !ignored.has(name) && (plugin.schema === undefined || !others.some((column) => column.name === name)),
  );
  const unpacked = bagged.map(({ name, type }): Item => {
    const key = plugin.schema === undefined ? name : name.slice(prefix.length);
    const value = call("member", [columnOf(bag), literal("string", key)], "dynamic");
    return {
      column: session.newColumn(plugin.schema === undefined ? `${prefix}${name}` : name, type),
      expression: cast(value, type),
    };
  });
  const clash = unpacked.find(({ column }) => others.some(({ name }) => name === column.name));
  if (clash !== undefined && conflict === "error") {
    throw semantic(`bag_unpack gives a second column '${clash.column.name}'.`, spanOf(plugin.node));
  }
  // What has the name of a source column, the bag's own included, stands in its place.
  const byName = new Map(unpacked.map((item) => [item.column.name, item]));
  const shown = input.columns.flatMap((column): Item[] => {
    const replacing = byName.get(column.name);
    if (column.id === bag.id) return replacing === undefined ? [] : [replacing];
    return [replacing === undefined || conflict === "keep_source" ? keep(column) : replacing];
  });
  const present = new Set(shown.map(({ column }) => column.name));
  return project(input, [...shown, ...unpacked.filter(({ column }) => !present.has(column.name))]);
}

function pivot(plugin: PluginCall): Bound {
  const { session, input, scope } = plugin;
  const column = columnNamed(argument(plugin, 0), input.columns);
  const second = plugin.args[1];
  const measure = second !== undefined && kindOf(second) === "FunctionCallExpression" ? second : undefined;
  const listed = plugin.args.slice(measure === undefined ? 1 : 2).map((arg) => columnNamed(arg, input.columns));
  const found: AggregateExpression[] = [];
  if (measure !== undefined) {
    session.expression(measure, {
      ...environmentOf(input, scope),
      aggregate: (expression) => {
        found.push(expression);
        return columnOf(session.newColumn(expression.name, expression.type));
      },
    });
  }
  const plain = found[0] ?? aggregate("count", [], "long");
  const used = new Set(plain.args.flatMap((arg) => (arg.kind === "column" ? [arg.column.id] : [])));
  const keys = listed.length > 0 ? listed : input.columns.filter(({ id }) => id !== column.id && !used.has(id));
  const asText = cast(columnOf(column), "string");
  const label = session.newColumn("label", "string");
  const labels: Relation = relation({
    kind: "aggregate",
    input: input.relation,
    keys: [{ column: label, expression: asText }],
    aggregates: [],
    order: [],
    columns: [label],
  });
  const values =
    plugin.schema === undefined
      ? learn(plugin, labels, label, "distinctValues").map(({ name }) => name)
      : plugin.schema.map(({ name }) => name).filter((name) => !keys.some((key) => key.name === name));
  const cells = values.map((value) => {
    const matches = call("equal", [asText, literal("string", value)], "bool");
    const predicate: Expression =
      plain.predicate === undefined ? matches : call("and", [plain.predicate, matches], "bool");
    return {
      column: session.newColumn(value, plain.type),
      expression: aggregate(plain.name, plain.args, plain.type, predicate),
    };
  });
  const columns = [...keys, ...cells.map((cell) => cell.column)];
  return {
    relation: relation({
      kind: "aggregate",
      input: input.relation,
      keys: keys.map(keep),
      aggregates: cells,
      order: [],
      columns,
    }),
    columns,
    order: [],
    partition: [],
  };
}

function narrow(plugin: PluginCall): Bound {
  const { session, input } = plugin;
  const { bound, number } = numbered(session, input);
  const sources = input.columns.map((column): Source => ({
    name: "",
    bound: project(bound, [
      {
        column: session.newColumn("Row", "long"),
        expression: call("subtract", [columnOf(number), literal("long", 1n)], "long"),
      },
      { column: session.newColumn("Column", "string"), expression: literal("string", column.name) },
      { column: session.newColumn("Value", "string"), expression: cast(columnOf(column), "string") },
    ]),
  }));
  return unite(session, sources, false);
}

/** Rows whose address lies in a network of the other table. */
function networkLookup(test: string, otherFirst: boolean): (plugin: PluginCall) => Bound {
  return (plugin) => {
    const { session, input, scope } = plugin;
    const other = session.table(argument(plugin, 0), scope);
    const address = columnNamed(argument(plugin, 1), input.columns);
    const network = columnNamed(argument(plugin, 2), other.columns);
    const inside = call(test, [columnOf(address), columnOf(network)], "bool");
    return lookup(input, other, inside, wantsUnmatched(plugin, 3), otherFirst);
  };
}

/** Rows whose point lies in a polygon of the other table. */
function polygonLookup(plugin: PluginCall): Bound {
  const { session, input, scope } = plugin;
  if (plugin.named.has("radius")) throw unsupported("The radius of geo_polygon_lookup", spanOf(plugin.node));
  const other = session.table(argument(plugin, 0), scope);
  const polygon = columnNamed(argument(plugin, 1), other.columns);
  const longitude = columnNamed(argument(plugin, 2), input.columns);
  const latitude = columnNamed(argument(plugin, 3), input.columns);
  const point = [cast(columnOf(longitude), "real"), cast(columnOf(latitude), "real")];
  const inside = call("geo_point_in_polygon", [...point, columnOf(polygon)], "bool");
  return lookup(input, other, inside, wantsUnmatched(plugin, 4), false);
}

function wantsUnmatched(plugin: PluginCall, index: number): boolean {
  const [node, ...more] = plugin.args.slice(index);
  if (more.length > 0) throw unsupported("Further keys of a lookup", spanOf(plugin.node));
  const named = plugin.named.get("return_unmatched");
  const given = named ?? node;
  if (given !== undefined && named === undefined && kindOf(given) !== "BooleanLiteralExpression") {
    throw unsupported("Further keys of a lookup", spanOf(given));
  }
  return constantOf(plugin, given) === "true";
}

function lookup(input: Bound, other: Bound, condition: Expression, unmatched: boolean, otherFirst: boolean): Bound {
  return {
    relation: relation({
      kind: "join",
      joinKind: unmatched ? "left" : "inner",
      left: input.relation,
      right: other.relation,
      on: [],
      condition,
      columns: [...input.relation.columns, ...other.relation.columns],
    }),
    columns: otherFirst ? [...other.columns, ...input.columns] : [...input.columns, ...other.columns],
    order: [],
    partition: [],
  };
}

const inKql =
  (name: string) =>
  (plugin: PluginCall): Bound =>
    bindPluginText(name, plugin);

const plugins: Readonly<Record<string, (plugin: PluginCall) => Bound>> = {
  bag_unpack: bagUnpack,
  dcount_intersect: dcountIntersect,
  preview,
  rows_near: rowsNear,
  pivot,
  narrow,
  geo_polygon_lookup: polygonLookup,
  ipv4_lookup: networkLookup("ipv4_is_in_range", false),
  ipv6_lookup: networkLookup("ipv6_is_in_range", true),
};
