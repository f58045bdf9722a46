// Plugins that give rows of their input: preview, rows_near, dcount_intersect.

import { aggregate, call, columnOf } from "../../../plan/expression.ts";
import { relation, type Item } from "../../../plan/relation.ts";
import { cast } from "../../casts.ts";
import type { Bound } from "../../session.ts";
import { environmentOf, extend, filter, numbered } from "../../tables.ts";
import { share } from "../expand.ts";
import { limit } from "../order.ts";
import { constantNumber } from "../shape.ts";
import { argument, type PluginCall } from "./call.ts";

/** Sizes of the sets themselves and of their intersections from the left. */
export function dcountIntersect({ session, input, args, scope }: PluginCall): Bound {
  const sets = args.map((arg) => session.expression(arg, environmentOf(input, scope)));
  const counts = sets.map((_, index): Item => {
    const common = index === 0 ? sets[0] : call("set_intersect", sets.slice(0, index + 1), "dynamic");
    const size = call("dcount_hll", common === undefined ? [] : [common], "long");
    return { column: session.newColumn(`s${index}`, "long"), expression: size };
  });
  return extend(input, counts);
}

/** The first rows, and beside them how many there are. */
export function preview(plugin: PluginCall): Bound {
  const { session, input, scope } = plugin;
  const again = share(session, input);
  const all = again();
  const column = session.newColumn("Count", "long");
  const counted: Bound = {
    relation: relation({
      kind: "aggregate",
      input: all.relation,
      keys: [],
      aggregates: [{ column, expression: aggregate("count", [], "long") }],
      order: [],
      columns: [column],
    }),
    columns: [column],
    order: [],
    partition: [],
  };
  session.furtherResults.push({ name: "", bound: counted });
  return limit(again(), constantNumber(session, argument(plugin, 0), scope));
}

/** Rows at most so many places away from one that fits the condition. */
export function rowsNear(plugin: PluginCall): Bound {
  const { session, input, scope } = plugin;
  const before = constantNumber(session, argument(plugin, 1), scope);
  const after = plugin.args[2] === undefined ? before : constantNumber(session, plugin.args[2], scope);
  const fits = cast(session.expression(argument(plugin, 0), environmentOf(input, scope)), "bool");
  const marked = extend(input, [{ column: session.newColumn("fits", "bool"), expression: fits }]);
  const { bound, number } = numbered(session, marked);
  const again = share(session, { ...bound, columns: [...bound.columns, number] });
  const [rows, others] = [again(), again()];
  const at = rows.columns.at(-1) ?? number;
  const [flag = number, near = number] = others.columns.slice(-2);
  const within = call(
    "and",
    [
      call("greaterOrEqual", [columnOf(at), call("subtract", [columnOf(near), before], "long")], "bool"),
      call("lessOrEqual", [columnOf(at), call("add", [columnOf(near), after], "long")], "bool"),
    ],
    "bool",
  );
  return {
    ...rows,
    relation: relation({
      kind: "join",
      joinKind: "semi",
      left: rows.relation,
      right: filter(others, columnOf(flag)).relation,
      on: [],
      condition: within,
      columns: rows.relation.columns,
    }),
    columns: rows.columns.slice(0, -2),
  };
}
