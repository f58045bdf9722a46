// Function calls inside expressions: the user's own, aggregates, window functions, built-ins.

import { semantic, unsupported } from "../errors.ts";
import { call, columnOf, literal, windowCall, type Expression } from "../plan/expression.ts";
import { aggregateInfos, functionInfos } from "../syntax/signatures.ts";
import { child, items, kindOf, nameOf, optional, spanOf, type SyntaxNode } from "../syntax/node.ts";
import { typeNamed } from "../types.ts";
import { bindAggregate, isAggregateName } from "./aggregates.ts";
import { cast } from "./casts.ts";
import { insideSaved, openFunction, savedFunction } from "./declarations.ts";
import { bindBuiltIn, canonicalName } from "./functions.ts";
import { didYouMean } from "./names.ts";
import type { Environment, Session } from "./session.ts";
import { requireSupport } from "./session.ts";
import { isTabular } from "./tabular.ts";
import { bindArithmetic, bindBetween } from "./operators-scalar.ts";

const windowNames = new Set([
  "row_number",
  "row_cumsum",
  "row_rank_dense",
  "row_rank_min",
  "prev",
  "next",
  "row_window_session",
]);

export function bindCall(session: Session, node: SyntaxNode, environment: Environment): Expression {
  const nameNode = kindOf(node) === "NameReference" ? node : child(node, "Name");
  const name = nameOf(nameNode);
  const args = kindOf(node) === "NameReference" ? [] : items(child(node, "ArgumentList"), "Expressions");
  const span = spanOf(node);
  const local = environment.scope.find(name);
  const own = local ?? savedFunction(session, name);
  if (own?.kind === "function") {
    const bind = (): Expression => {
      const opened = openFunction(session, name, own, args, environment, span, (item, scope) =>
        isTabular(session, item, scope),
      );
      return session.expression(opened.result, { scope: opened.scope, columns: [] });
    };
    return local === undefined ? insideSaved(name, span, bind) : bind();
  }
  if (windowNames.has(name)) return bindWindow(session, name, node, args, environment);
  if (environment.aggregate !== undefined && isAggregateName(name)) {
    return bindAggregate(session, node, { ...environment, aggregate: environment.aggregate });
  }
  if (isAggregateName(name) && !functionInfos.has(name)) {
    throw semantic(`The aggregate ${name}() may stand only in summarize, make-series, top-nested and pivot.`, span);
  }
  return bindScalarCall(session, name, node, args, environment);
}

function bindScalarCall(
  session: Session,
  name: string,
  node: SyntaxNode,
  args: readonly SyntaxNode[],
  environment: Environment,
): Expression {
  const span = spanOf(node);
  const special = specialCalls[name];
  if (special !== undefined) return special(session, args, environment, node);
  if (name === "extract" && args.length === 4) return extractAs(session, node, args, environment);
  const info = functionInfos.get(name);
  if (info === undefined) {
    const known = [...functionInfos.keys(), ...aggregateInfos.keys(), ...environment.scope.all().keys()];
    throw semantic(`There is no function '${name}'.${didYouMean(name, known)}`, span);
  }
  requireSupport(session, canonicalName(name), span);
  return bindBuiltIn(
    info,
    args.map((arg) => session.expression(arg, environment)),
    span,
  );
}

/** extract(regex, group, text, typeof(long)): the text that was found, read as that type. */
function extractAs(
  session: Session,
  node: SyntaxNode,
  args: readonly SyntaxNode[],
  environment: Environment,
): Expression {
  const found = bindScalarCall(session, "extract", node, args.slice(0, 3), environment);
  const wanted = session.expression(need(args, 3, node), environment);
  const type = wanted.kind === "literal" ? typeNamed(String(wanted.value)) : undefined;
  if (type === undefined) throw semantic("The fourth argument of extract() is a type: typeof(long).", spanOf(node));
  return cast(found, type);
}

type SpecialCall = (
  session: Session,
  args: readonly SyntaxNode[],
  environment: Environment,
  node: SyntaxNode,
) => Expression;

const specialCalls: Readonly<Record<string, SpecialCall>> = {
  ago: (session, args, environment, node) => {
    const offset = session.expression(need(args, 0, node), environment);
    return bindArithmetic("subtract", call("now", [], "datetime"), cast(offset, "timespan"), spanOf(node));
  },
  now: (session, args, environment, node) => {
    const now = call("now", [], "datetime");
    if (args[0] === undefined) return now;
    return bindArithmetic("add", now, cast(session.expression(args[0], environment), "timespan"), spanOf(node));
  },
  around: (session, args, environment, node) => {
    const [value, center, delta] = [0, 1, 2].map((index) => session.expression(need(args, index, node), environment));
    if (value === undefined || center === undefined || delta === undefined) return literal("bool", null);
    const span = spanOf(node);
    const [from, to] = [bindArithmetic("subtract", center, delta, span), bindArithmetic("add", center, delta, span)];
    return bindBetween(value, from, to, span);
  },
  column_ifexists: columnIfExists,
  columnifexists: columnIfExists,
  pack_all: (session, args, environment) => {
    const ignore = args[0] === undefined ? literal("bool", false) : session.expression(args[0], environment);
    const pairs = environment.columns.flatMap((column) => [literal("string", column.name), columnOf(column)]);
    return call(ignore.kind === "literal" && ignore.value === true ? "pack_present" : "bag_pack", pairs, "dynamic");
  },
  bag_pack_columns: (session, args, environment) =>
    call(
      "bag_pack",
      args.flatMap((arg) => [literal("string", nameOf(arg)), session.expression(arg, environment)]),
      "dynamic",
    ),
  pack_array: (session, args, environment, node) => {
    const star = args.length === 1 && kindOf(need(args, 0, node)) === "StarExpression";
    const values = star ? environment.columns.map(columnOf) : args.map((arg) => session.expression(arg, environment));
    return call("pack_array", values, "dynamic");
  },
  column_names_of: (session, args, environment, node) => {
    const bound = session.table(need(args, 0, node), environment.scope);
    return literal("dynamic", JSON.stringify(bound.columns.map(({ name }) => name)));
  },
  current_database: (session) => literal("string", session.databases[0]?.name ?? ""),
  bin_auto: (session, args, environment, node) => {
    const size = session.options.get("query_bin_auto_size");
    if (size === undefined) throw semantic("bin_auto() needs 'set query_bin_auto_size'.", spanOf(node));
    const value = session.expression(need(args, 0, node), environment);
    const at = session.options.get("query_bin_auto_at");
    const name = at === undefined ? "bin" : "bin_at";
    return call(name, at === undefined ? [value, size] : [value, size, at], value.type);
  },
  array_sort_asc: (session, args, environment) => sortArrays(session, "array_sort_asc", args, environment),
  array_sort_desc: (session, args, environment) => sortArrays(session, "array_sort_desc", args, environment),
  row_number: (session, args, environment, node) => bindWindow(session, "row_number", node, args, environment),
  gettype: (session, args, environment, node) => {
    const value = session.expression(need(args, 0, node), environment);
    const fixed = value.kind === "literal" && value.value === null && value.type !== "dynamic";
    return value.type === "dynamic" || fixed
      ? call("gettype", [value], "string")
      : call("gettypeOf", [literal("string", value.type), value], "string");
  },
};

/** With one array the array, with several the list of sorted arrays. */
function sortArrays(session: Session, name: string, args: readonly SyntaxNode[], environment: Environment): Expression {
  const values = args.map((arg) => session.expression(arg, environment));
  const sorted = call("arraysSorted", [literal("bool", name === "array_sort_asc"), ...values], "dynamic");
  const arrays = values.filter(({ type }) => type === "dynamic").length;
  return arrays > 1 ? sorted : call("element", [sorted, literal("long", 0n)], "dynamic");
}

function columnIfExists(
  session: Session,
  args: readonly SyntaxNode[],
  environment: Environment,
  node: SyntaxNode,
): Expression {
  const name = session.expression(need(args, 0, node), environment);
  if (name.kind !== "literal") throw unsupported("A computed column name", spanOf(node));
  const column = environment.columns.find((known) => known.name === name.value);
  return column === undefined ? session.expression(need(args, 1, node), environment) : columnOf(column);
}

function need(args: readonly SyntaxNode[], index: number, node: SyntaxNode): SyntaxNode {
  const arg = args[index];
  if (arg === undefined) throw semantic("An argument is missing.", spanOf(node));
  return arg;
}

function bindWindow(
  session: Session,
  name: string,
  node: SyntaxNode,
  args: readonly SyntaxNode[],
  environment: Environment,
): Expression {
  if (environment.window === undefined) {
    throw semantic(`${name}() needs rows in an order: use it in extend, project, where or serialize.`, spanOf(node));
  }
  const values = args.map((arg) => session.expression(arg, environment));
  if (name === "row_window_session" && values[0]?.type !== "datetime") {
    throw unsupported("row_window_session() of anything but a datetime", spanOf(node));
  }
  const first = values[0]?.type;
  const type = name === "row_number" || name.startsWith("row_rank") ? "long" : (first ?? "long");
  const sum = name === "row_cumsum" && type === "int" ? "long" : type;
  return environment.window(windowCall(name, values, sum, spanOf(node)));
}

/** Functions with several results: the types and name endings of the columns they become. */
export function resultTypes(node: SyntaxNode): readonly (readonly [name: string, type: string])[] | undefined {
  if (kindOf(node) !== "FunctionCallExpression") return undefined;
  const name = nameOf(child(node, "Name"));
  const args = items(child(node, "ArgumentList"), "Expressions");
  if (name === "array_sort_asc" || name === "array_sort_desc") {
    const arrays = args.filter((arg) => kindOf(arg) !== "BooleanLiteralExpression");
    if (arrays.length < 2) return undefined;
    return arrays.map((arg, index) => [
      `${optional(arg, "SimpleName") === undefined ? `array${index}` : nameOf(arg)}_sorted`,
      "dynamic",
    ]);
  }
  return multiple[name]?.map((item) => {
    const [ending = "", type = "real"] = item.split(":");
    return [ending, typeNamed(type) ?? "real"];
  });
}

const multiple: Readonly<Record<string, readonly string[]>> = {
  series_stats: ["min", "min_idx:long", "max", "max_idx:long", "avg", "stdev", "variance"],
  series_fit_line: ["rsquare", "slope", "variance", "rvariance", "interception", "line_fit:dynamic"],
  series_fit_2lines: [
    "rsquare",
    "split_idx:long",
    "variance",
    "rvariance",
    "line_fit:dynamic",
    "right_rsquare",
    "right_slope",
    "right_interception",
    "right_variance",
    "right_rvariance",
    "left_rsquare",
    "left_slope",
    "left_interception",
    "left_variance",
    "left_rvariance",
  ],
  series_fft: ["real:dynamic", "imag:dynamic"],
  series_ifft: ["real:dynamic", "imag:dynamic"],
  series_fit_poly: ["rsquare", "coefficients:dynamic", "variance", "rvariance", "poly_fit:dynamic"],
  series_decompose: ["baseline:dynamic", "seasonal:dynamic", "trend:dynamic", "residual:dynamic"],
  series_decompose_forecast: ["baseline:dynamic", "seasonal:dynamic", "trend:dynamic", "residual:dynamic"],
  series_decompose_anomalies: ["ad_flag:dynamic", "ad_score:dynamic", "baseline:dynamic"],
};
