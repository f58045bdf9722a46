// invoke, consume, and the operators with several results: fork and facet.

import { aggregate, columnOf } from "../../plan/expression.ts";
import { relation } from "../../plan/relation.ts";
import { child, items, nameOf, optional, type SyntaxNode } from "../../syntax/node.ts";
import type { Scope } from "../scope.ts";
import type { Bound, NamedResult, Session } from "../session.ts";
import { keep, project } from "../tables.ts";
import { continuePipe, share } from "./expand.ts";
import { columnNamed } from "./shape.ts";

export function bindInvoke(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  return session.tableFunctionCall(child(node, "Function"), scope, input);
}

/** consume reads everything and gives no rows; the columns stay. */
export function bindConsume(_session: Session, _node: SyntaxNode, input: Bound): Bound {
  return project(input, []);
}

export function bindFork(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const again = share(session, input);
  const results = items(node, "Expressions").map((branch, index): NamedResult => {
    const given = optional(branch, "NameEquals");
    return {
      name: given === undefined ? `Results_${index + 1}` : nameOf(child(given, "Name")),
      bound: continuePipe(session, child(branch, "Expression"), again(), scope),
    };
  });
  return several(session, results, input);
}

/** The rows, then for each column how often its values occur. */
export function bindFacet(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const again = share(session, input);
  const clause = optional(node, "WithClause");
  const operand = clause === undefined ? undefined : (optional(clause, "Expression") ?? optional(clause, "Operator"));
  const rows = operand === undefined ? again() : continuePipe(session, operand, again(), scope);
  const facets = items(node, "Expressions").map((entry, index): NamedResult => {
    const source = again();
    const column = columnNamed(entry, source.columns);
    const count = session.newColumn(`count_${column.name}`, "long");
    const columns = [column, count];
    const counted = relation({
      kind: "aggregate",
      input: source.relation,
      keys: [{ column, expression: columnOf(column) }],
      aggregates: [{ column: count, expression: aggregate("count", [], "long") }],
      order: [],
      columns,
    });
    return {
      name: `Facet_${index + 1}`,
      bound: project({ ...source, relation: counted, order: [] }, columns.map(keep)),
    };
  });
  return several(session, [{ name: "", bound: rows }, ...facets], input);
}

function several(session: Session, results: readonly NamedResult[], input: Bound): Bound {
  const [first, ...further] = results;
  session.furtherResults.push(...further);
  return first?.bound ?? input;
}
