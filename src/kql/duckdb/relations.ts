// Tables of the plan to SQL, one function a node.

import { unsupported } from "../errors.ts";
import type { Column } from "../plan/expression.ts";
import type { Relation, SortKey } from "../plan/relation.ts";
import { emitAggregate, orderClause } from "./aggregates.ts";
import type { Columns } from "./context.ts";
import { emitExpand } from "./relations/expand.ts";
import { emitJoin } from "./relations/join.ts";
import { emitRange, emitTable, emitValues } from "./relations/leaves.ts";
import { emitScan } from "./relations/scan.ts";
import { emitSeries } from "./relations/series.ts";
import { emitUnion } from "./relations/union.ts";
import { emitWindow } from "./relations/window.ts";
import { boundsBelow, boundsThrough, noBounds, type ColumnBounds } from "./bounds.ts";
import { createEmitter } from "./scalar.ts";
import { fromClause, groupTexts, namedColumns, seal, selectList, type Shape, type Steps } from "./shapes.ts";
import { plain, type Sql } from "./sql.ts";

type Node<Kind extends Relation["kind"]> = Extract<Relation, { readonly kind: Kind }>;

/** `known`: between which times the rows of the node can matter. */
export function emitRelation(node: Relation, steps: Steps, known = noBounds): Shape {
  const input = (relation: Relation, bounds = noBounds): Shape => emitRelation(relation, steps, bounds);
  switch (node.kind) {
    case "table":
      return emitTable(node, known, steps);
    case "values":
      return emitValues(node);
    case "range":
      return emitRange(node, steps);
    case "filter":
      return emitFilter(node, steps, known);
    case "project":
      return emitProject(node, steps, known);
    case "aggregate":
      return emitAggregation(node, steps);
    case "limit":
      return emitLimit(node, steps);
    case "firstOfEach":
      return emitFirstOfEach(node, steps);
    case "window":
      return emitWindow(node, settled(input(node.input), node.input.columns, steps), steps);
    case "join":
      return emitJoin(
        node,
        seal(
          steps,
          input(node.left, node.joinKind === "right" || node.joinKind === "full" ? noBounds : known),
          node.left.columns,
        ),
        seal(
          steps,
          input(node.right, node.joinKind === "inner" || node.joinKind === "right" ? known : noBounds),
          node.right.columns,
        ),
        steps,
      );
    case "union":
      return emitUnion(
        node,
        node.inputs.map((item, at) => {
          const own = node.columns.map((column, position) => [column, node.rows[at]?.[position]] as const);
          return settled(input(item, boundsThrough(known, own)), item.columns, steps);
        }),
        steps,
      );
    case "expand":
      return emitExpand(node, settled(input(node.input), node.input.columns, steps), steps);
    case "series":
      return emitSeries(node, settled(input(node.input), node.input.columns, steps), steps);
    case "scan":
      return emitScan(node, settled(input(node.input), node.input.columns, steps), steps);
    case "shared":
      return emitShared(node, steps);
    default:
      throw unsupported("This operator");
  }
}

/** The shape with columns that are plain names, so that using one twice costs nothing. */
function settled(shape: Shape, columns: readonly Column[], steps: Steps): Shape {
  return shape.computed ? seal(steps, shape, columns) : shape;
}

function emitFilter(node: Node<"filter">, steps: Steps, known: ColumnBounds): Shape {
  const bounds = boundsBelow(node.predicate, known, createEmitter(steps.context, new Map()));
  const shape = settled(emitRelation(node.input, steps, bounds), node.input.columns, steps);
  const condition = createEmitter(steps.context, shape.columns).predicate(node.predicate);
  return { ...shape, where: [...shape.where, condition] };
}

function emitProject(node: Node<"project">, steps: Steps, known: ColumnBounds): Shape {
  const bounds = boundsThrough(
    known,
    node.items.map(({ column, expression }) => [column, expression] as const),
  );
  const shape = emitRelation(node.input, steps, bounds);
  const simple = node.items.every(({ expression }) => expression.kind === "column");
  const below = simple ? shape : settled(shape, node.input.columns, steps);
  const emitter = createEmitter(steps.context, below.columns);
  const columns = new Map(node.items.map(({ column, expression }) => [column.id, emitter.value(expression)]));
  return { ...below, columns, computed: simple ? shape.computed : true };
}

function emitAggregation(node: Node<"aggregate">, steps: Steps): Shape {
  const shape = settled(emitRelation(node.input, steps), node.input.columns, steps);
  const emitter = createEmitter(steps.context, shape.columns);
  const keys = new Map<number, Sql>(
    node.keys.map(({ column, expression }) => {
      const value = emitter.value(expression);
      return [column.id, value.type === "string" ? { ...value, text: plain(value), nullable: false } : value];
    }),
  );
  const values = new Map(keys);
  for (const { column, expression } of node.aggregates) {
    values.set(column.id, emitAggregate(expression, node.order, emitter));
  }
  const grouping = [...keys.values()].map((value, index) =>
    value.constant === undefined ? String(index + 1) : `(${value.text})`,
  );
  const columns = [...node.keys, ...node.aggregates].map(({ column }) => column);
  if (node.aggregates.length === 0 && node.keys.length === 0) {
    return seal(steps, { ...shape, columns: new Map() }, [], " LIMIT 1");
  }
  const tail = node.keys.length === 0 ? "" : ` GROUP BY ${grouping.join(", ")}`;
  const name = steps.add(`SELECT ${selectList(columns, values)}${fromClause(shape)}${tail}`);
  return { from: name, where: [], columns: namedColumns(columns, values), computed: false };
}

function emitLimit(node: Node<"limit">, steps: Steps): Shape {
  const shape = settled(emitRelation(node.input, steps), node.input.columns, steps);
  const emitter = createEmitter(steps.context, shape.columns);
  const order = isNatural(node.order, shape) && node.partition.length === 0 ? "" : orderClause(node.order, emitter);
  const count = createEmitter(steps.context, new Map()).value(node.count).text;
  if (node.partition.length === 0) return seal(steps, shape, node.columns, `${order} LIMIT ${count}`);
  const groups = groupTexts(node.partition, emitter.columns).join(", ");
  return seal(steps, shape, node.columns, ` QUALIFY row_number() OVER (PARTITION BY ${groups}${order}) <= ${count}`);
}

/** Whether the rows come in this order anyway. */
export function isNatural(order: readonly SortKey[], shape: Shape): boolean {
  const [first] = order;
  return first !== undefined && first.column.id === shape.natural && !first.descending;
}

function emitFirstOfEach(node: Node<"firstOfEach">, steps: Steps): Shape {
  const shape = settled(emitRelation(node.input, steps), node.input.columns, steps);
  const emitter = createEmitter(steps.context, shape.columns);
  const keys = node.keys.map((key) => plain(emitter.value(key)));
  const order = orderClause(node.order, emitter).replace(" ORDER BY ", ", ");
  const ordered = order === "" ? "" : ` ORDER BY ${keys.join(", ")}${order}`;
  const list = selectList(node.columns, shape.columns);
  const name = steps.add(`SELECT DISTINCT ON (${keys.join(", ")}) ${list}${fromClause(shape)}${ordered}`);
  return { from: name, where: [], columns: namedColumns(node.columns, shape.columns), computed: false };
}

function emitShared(node: Node<"shared">, steps: Steps): Shape {
  let known = steps.shared.get(node.key);
  if (known === undefined) {
    const shape = emitRelation(node.input, steps);
    const name = steps.add(`SELECT ${selectList(node.sources, shape.columns)}${fromClause(shape)}`, true);
    known = { from: name, where: [], columns: namedColumns(node.sources, shape.columns), computed: false };
    steps.shared.set(node.key, known);
  }
  const { columns } = known;
  const renamed: Columns = new Map(
    node.columns.flatMap((column, index): (readonly [number, Sql])[] => {
      const source = node.sources[index];
      const value = source === undefined ? undefined : columns.get(source.id);
      return value === undefined ? [] : [[column.id, value]];
    }),
  );
  return seal(steps, { ...known, columns: renamed }, node.columns);
}
