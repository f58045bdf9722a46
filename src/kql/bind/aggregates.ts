// Aggregate functions: the plain one behind each name, its predicate, its result.

import { semantic } from "../errors.ts";
import { aggregate, literal, type AggregateExpression, type Expression } from "../plan/expression.ts";
import { aggregateInfos } from "../syntax/signatures.ts";
import { child, items, kindOf, nameOf, spanOf, type SyntaxNode } from "../syntax/node.ts";
import type { ScalarType } from "../types.ts";
import { isNumber, parseDynamic } from "../values/dynamic.ts";
import { cast } from "./casts.ts";
import { canonicalName } from "./functions.ts";
import type { Environment, Session } from "./session.ts";
import { requireSupport } from "./session.ts";

/** Conditional forms: the plain aggregate and where the condition stands among the arguments. */
const conditional: Readonly<Record<string, readonly [plain: string, predicate: number]>> = {
  countif: ["count", 0],
  sumif: ["sum", 1],
  avgif: ["avg", 1],
  minif: ["min", 1],
  maxif: ["max", 1],
  dcountif: ["dcount", 1],
  count_distinctif: ["count_distinct", 1],
  stdevif: ["stdev", 1],
  varianceif: ["variance", 1],
  variancepif: ["variancep", 1],
  covarianceif: ["covariance", 2],
  covariancepif: ["covariancep", 2],
  make_list_if: ["make_list", 1],
  make_set_if: ["make_set", 1],
  make_bag_if: ["make_bag", 1],
  take_anyif: ["take_any", 1],
  hll_if: ["hll", 1],
};

export function isAggregateName(name: string): boolean {
  return aggregateInfos.has(name);
}

export type AggregateEnvironment = Environment & { readonly aggregate: (found: AggregateExpression) => Expression };

export function bindAggregate(session: Session, node: SyntaxNode, environment: AggregateEnvironment): Expression {
  const args = items(child(node, "ArgumentList"), "Expressions").map((arg) =>
    kindOf(arg) === "StarExpression"
      ? literal("bool", true)
      : session.expression(arg, { ...environment, aggregate: undefined }),
  );
  return environment.aggregate(makeAggregate(session, nameOf(child(node, "Name")), args, node));
}

export function makeAggregate(
  session: Session,
  name: string,
  args: readonly Expression[],
  node: SyntaxNode,
): AggregateExpression {
  const canonical = canonicalName(name);
  const [plain, at] = conditional[canonical] ?? [canonical, -1];
  const span = spanOf(node);
  requireSupport(session, `${plain}()`, span);
  const given = args[at];
  const predicate = given === undefined ? undefined : cast(given, "bool");
  const rest = args
    .filter((_, index) => index !== at)
    .flatMap((arg) => (plain.endsWith("_array") ? listed(arg) : [arg]));
  if (plain === "count") return aggregate("count", [], "long", predicate, span);
  const first = rest[0];
  if (first === undefined) throw semantic(`${name}() needs an argument.`, span);
  const adapted = [adapt(plain, first), ...rest.slice(1)];
  return aggregate(plain, adapted, aggregateType(plain, adapted[0] ?? first), predicate, span);
}

/** Percentages may come as one array. */
function listed(arg: Expression): Expression[] {
  if (arg.kind !== "literal" || arg.type !== "dynamic" || typeof arg.value !== "string") return [arg];
  const found = parseDynamic(arg.value);
  if (!Array.isArray(found)) return [arg];
  return found.map((item) => literal("real", isNumber(item) ? Number(item) : null));
}

const numeric = new Set(["sum", "avg", "stdev", "stdevp", "variance", "variancep", "covariance", "covariancep"]);

function adapt(name: string, arg: Expression): Expression {
  if (!numeric.has(name)) return arg;
  if (arg.type === "dynamic" || arg.type === "string") return cast(arg, "real");
  return arg.type === "bool" ? cast(arg, "long") : arg;
}

function aggregateType(name: string, arg: Expression): ScalarType {
  switch (name) {
    case "sum":
      return arg.type === "int" ? "long" : arg.type;
    case "avg":
      return arg.type === "timespan" || arg.type === "datetime" || arg.type === "decimal" ? arg.type : "real";
    case "min":
    case "max":
    case "take_any":
    case "arg_max":
    case "arg_min":
      return arg.type;
    case "percentile":
    case "percentilew":
      return arg.type === "int" ? "long" : arg.type;
    case "dcount":
    case "count_distinct":
    case "binary_all_and":
    case "binary_all_or":
    case "binary_all_xor":
      return "long";
    case "stdev":
    case "stdevp":
    case "variance":
    case "variancep":
    case "covariance":
    case "covariancep":
      return "real";
    default:
      return "dynamic";
  }
}
