// scan: each row is looked at together with the rows that the steps matched last.

import { semantic, unsupported } from "../../errors.ts";
import { columnOf, type Column } from "../../plan/expression.ts";
import { relation, type Item, type ScanOutput, type ScanStep } from "../../plan/relation.ts";
import {
  child,
  elements,
  items,
  nameOf,
  optional,
  parametersOf,
  spanOf,
  tokenText,
  wordOf,
  type SyntaxNode,
} from "../../syntax/node.ts";
import { typeNamed } from "../../types.ts";
import { cast } from "../casts.ts";
import { nullLiteral } from "../functions.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { environmentOf, hiddenColumns } from "../tables.ts";
import { sortBy } from "./order.ts";
import { columnNamed } from "./shape.ts";

export function bindScan(session: Session, node: SyntaxNode, given: Bound, scope: Scope): Bound {
  const orderBy = optional(node, "OrderByClause");
  const input = orderBy === undefined ? given : sortBy(session, items(orderBy, "Expressions"), given, scope);
  const matchIdName = parametersOf(node).get("with_match_id");
  const partitionBy = optional(node, "PartitionByClause");
  const groups =
    partitionBy === undefined
      ? []
      : items(partitionBy, "Expressions").map((entry) => columnNamed(entry, input.columns));
  if (matchIdName !== undefined && groups.length > 0) {
    throw unsupported("with_match_id together with partition by", spanOf(matchIdName));
  }
  const declared = declarations(session, node, scope);
  const own = declared.map(({ column }) => column);
  const visible = [...input.columns, ...own];
  const matchId = matchIdName === undefined ? undefined : session.newColumn(wordOf(matchIdName), "long");
  const columns = matchId === undefined ? visible : [...visible, matchId];
  return {
    ...input,
    relation: relation({
      kind: "scan",
      input: input.relation,
      order: input.order,
      partition: [...input.partition, ...groups],
      declared,
      steps: steps(session, node, input, scope, visible, own),
      matchId,
      columns: [...columns, ...hiddenColumns(input, columns)],
    }),
    columns,
  };
}

/** A step sees the rows that it and the steps before it matched last. */
function steps(
  session: Session,
  node: SyntaxNode,
  input: Bound,
  scope: Scope,
  visible: readonly Column[],
  own: readonly Column[],
): ScanStep[] {
  const states = new Map<string, readonly Column[]>();
  return elements(child(node, "Steps")).map((step): ScanStep => {
    const name = nameOf(child(step, "Name"));
    if (states.has(name)) throw semantic(`There are two steps '${name}'.`, spanOf(step));
    const state = visible.map((column) => session.newColumn(column.name, column.type));
    states.set(name, state);
    const environment = { ...environmentOf(input, scope), columns: visible, states: new Map(states) };
    const computation = optional(step, "ComputationClause");
    return {
      output: outputOf(step),
      condition: cast(session.expression(child(step, "Condition"), environment), "bool"),
      assignments: (computation === undefined ? [] : items(computation, "Assignments")).map((entry): Item => {
        const column = columnNamed(child(entry, "Name"), own);
        return { column, expression: cast(session.expression(child(entry, "Expression"), environment), column.type) };
      }),
      state: visible.map((column, index) => ({ column: state[index] ?? column, expression: columnOf(column) })),
    };
  });
}

function outputOf(step: SyntaxNode): ScanOutput {
  const given = optional(step, "ScanStepOutput");
  const word = given === undefined ? "all" : tokenText(given, "OutputKind");
  if (word === "all" || word === "last" || word === "none") return word;
  throw unsupported(`output=${word}`, spanOf(given ?? step));
}

function declarations(session: Session, node: SyntaxNode, scope: Scope): Item[] {
  const clause = optional(node, "DeclareClause");
  return (clause === undefined ? [] : items(clause, "Declarations")).map((entry): Item => {
    const declaration = child(entry, "NameAndType");
    const type = typeNamed(tokenText(child(declaration, "Type"), "Type")) ?? "dynamic";
    const column: Column = session.newColumn(nameOf(child(declaration, "Name")), type);
    const preset = optional(entry, "DefaultValue");
    const value =
      preset === undefined
        ? nullLiteral(type)
        : cast(session.expression(child(preset, "Value"), { scope, columns: [] }), type);
    return { column, expression: value };
  });
}
