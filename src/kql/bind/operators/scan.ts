// scan with one step: each row is looked at together with the row that matched last.

import { unsupported } from "../../errors.ts";
import { columnOf, type Column } from "../../plan/expression.ts";
import { relation, type Item } from "../../plan/relation.ts";
import {
  child,
  elements,
  items,
  nameOf,
  optional,
  parametersOf,
  spanOf,
  tokenText,
  type SyntaxNode,
} from "../../syntax/node.ts";
import { typeNamed } from "../../types.ts";
import { cast } from "../casts.ts";
import { nullLiteral } from "../functions.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { environmentOf, hiddenColumns } from "../tables.ts";
import { columnNamed } from "./shape.ts";

export function bindScan(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  if (optional(node, "OrderByClause") !== undefined)
    throw unsupported("scan with order by; sort before it", spanOf(node));
  const matchId = parametersOf(node).get("with_match_id");
  if (matchId !== undefined) throw unsupported("with_match_id", spanOf(matchId));
  const [step, ...more] = elements(child(node, "Steps"));
  if (step === undefined || more.length > 0) throw unsupported("scan with more than one step", spanOf(node));
  const partitionBy = optional(node, "PartitionByClause");
  const groups =
    partitionBy === undefined
      ? []
      : items(partitionBy, "Expressions").map((entry) => columnNamed(entry, input.columns));
  const declared = declarations(session, node, scope);
  const own = declared.map(({ column }) => column);
  const visible = [...input.columns, ...own];
  const state = visible.map((column) => session.newColumn(column.name, column.type));
  const environment = {
    ...environmentOf(input, scope),
    columns: visible,
    states: new Map([[nameOf(child(step, "Name")), state]]),
  };
  const computation = optional(step, "ComputationClause");
  const condition = cast(session.expression(child(step, "Condition"), environment), "bool");
  const assignments = (computation === undefined ? [] : items(computation, "Assignments")).map((entry): Item => {
    const column = columnNamed(child(entry, "Name"), own);
    return { column, expression: cast(session.expression(child(entry, "Expression"), environment), column.type) };
  });
  return {
    ...input,
    relation: relation({
      kind: "scan",
      input: input.relation,
      order: input.order,
      partition: [...input.partition, ...groups],
      declared,
      condition,
      assignments,
      state: visible.map((column, index) => ({ column: state[index] ?? column, expression: columnOf(column) })),
      columns: [...visible, ...hiddenColumns(input, visible)],
    }),
    columns: visible,
  };
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
