// scan in one pass: DuckDB computes everything that a row says by itself, the walk in TypeScript decides
// with it and with what it remembers, and what it gives is joined to the rows again.

import { isWalkCall } from "../../functions/scan/calls.ts";
import type { WalkExpression, WalkProgram } from "../../functions/scan/program.ts";
import { containsNode, type Column, type Expression } from "../../plan/expression.ts";
import type { ScalarType } from "../../types.ts";
import { runtimeCall } from "../runtime-call.ts";
import { createEmitter } from "../scalar.ts";
import type { Shape, Steps } from "../shapes.ts";
import { columnName, physicalTypes, plain, quoteText, sql, type Sql } from "../sql.ts";
import { emitScanRows, memoriesOf, type Scan } from "./scan-rows.ts";

/** Undefined when a step computes with remembered rows what the walk has no function for. */
export function emitWalkedScan(node: Scan, input: Shape, steps: Steps): Shape | undefined {
  if (!isWalkable(node)) return undefined;
  const inputColumns = node.columns.filter(({ id }) => input.columns.has(id));
  const brought = new BroughtColumns(node, input, inputColumns, steps);
  const program = programOf(node, brought);
  const rows = emitScanRows(node, input, inputColumns, brought.list(), steps);
  const lists = program.columns.map((_, index) => sql("dynamic", `to_json(list(h${index} ORDER BY n))`));
  const walk = runtimeCall(
    "scan_walk",
    [sql("string", quoteText(JSON.stringify(program))), sql("long", "count(*)"), ...lists],
    "string",
    steps.context,
  );
  const fields = ["n", "q", ...node.declared.map((_, index) => `d${index}`)];
  const structure = quoteText(`[{${fields.map((field) => `"${field}":"VARCHAR"`).join(",")}}]`);
  // The list is a step of its own: read and unfolded at once, it would be copied for each part of its rows.
  const walked = steps.add(
    `SELECT g, from_json(o, ${structure}) AS o FROM (SELECT g, ${walk.text} AS o FROM ${rows} GROUP BY g)`,
    true,
  );
  const given = steps.add(`SELECT g, unnest(o) AS o FROM ${walked}`, true);
  const declared = new Map(node.declared.map(({ column }, index) => [column.id, `(w.o).d${index}`]));
  const shown = node.columns.map(({ id, type }) => {
    const own = id === node.matchId?.id ? "(w.o).q" : declared.get(id);
    return `${own === undefined ? `r.${columnName(id)}` : `(${own})::${physicalTypes[type]}`} AS ${columnName(id)}`;
  });
  const name = steps.add(
    `SELECT ${shown.join(", ")} FROM ${given} AS w JOIN ${rows} AS r ON r.g = w.g AND r.n = ((w.o).n)::BIGINT`,
  );
  const columns = new Map<number, Sql>(
    node.columns.map((column) => [column.id, sql(column.type, columnName(column.id))]),
  );
  return { from: name, where: [], columns, computed: false };
}

const expressionsOf = (node: Scan): readonly Expression[] =>
  node.steps.flatMap(({ condition, assignments }) => [condition, ...assignments.map(({ expression }) => expression)]);

/** Whether what a row says by itself can be told apart, and the walk can compute the rest. */
function isWalkable(node: Scan): boolean {
  const remembered = rememberedIds(node);
  const walkable = (expression: Expression): boolean => {
    if (!containsNode(expression, reads(remembered))) return true;
    if (expression.kind === "column") return true;
    if (expression.kind !== "call") return false;
    const argTypes = expression.args.map(({ type }) => type);
    return isWalkCall(expression.name, { type: expression.type, argTypes }) && expression.args.every(walkable);
  };
  return expressionsOf(node).every(
    (expression) => !containsNode(expression, isBoundToItsPlace) && walkable(expression),
  );
}

/** Computed beforehand, an assertion would fail where its branch is never taken, and chance would be the same twice. */
const isBoundToItsPlace = (node: Expression): boolean =>
  node.kind === "call" && ["assert", "rand", "new_guid"].includes(node.name);

const rememberedIds = (node: Scan): ReadonlySet<number> => new Set(memoriesOf(node.steps).map(({ id }) => id));

const reads =
  (ids: ReadonlySet<number>) =>
  (node: Expression): boolean =>
    node.kind === "column" && ids.has(node.column.id);

/** The columns h0, h1, … that the rows bring to the walk, as texts. */
class BroughtColumns {
  readonly #types: ScalarType[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #emit: (expression: Expression) => Sql;

  constructor(node: Scan, input: Shape, inputColumns: readonly Column[], steps: Steps) {
    const bare = createEmitter(steps.context, new Map());
    const columns = new Map<number, Sql>(
      inputColumns.flatMap(({ id }): (readonly [number, Sql])[] => {
        const value = input.columns.get(id);
        return value === undefined ? [] : [[id, value]];
      }),
    );
    // Where a step reads a declared column of the row itself, nothing was assigned yet.
    for (const { column, expression } of node.declared) {
      columns.set(column.id, sql(column.type, `(${plain(bare.value(expression))})::${physicalTypes[column.type]}`));
    }
    this.#emit = (expression) => createEmitter(steps.context, columns).value(expression);
  }

  indexOf(expression: Expression): number {
    const text = plain(this.#emit(expression));
    const known = this.#indexes.get(text);
    if (known !== undefined) return known;
    this.#indexes.set(text, this.#types.length);
    return this.#types.push(expression.type) - 1;
  }

  get types(): readonly ScalarType[] {
    return this.#types;
  }

  list(): string[] {
    return [...this.#indexes].map(([text, index]) => `(${text})::VARCHAR AS h${index}`);
  }
}

function programOf(node: Scan, brought: BroughtColumns): WalkProgram {
  const memories = memoriesOf(node.steps);
  const remembered = rememberedIds(node);
  const declaredAt = new Map(node.declared.map(({ column }, index) => [column.id, index]));
  const asWalk = (expression: Expression): WalkExpression => {
    if (expression.kind === "column" && remembered.has(expression.column.id)) {
      return { kind: "memory", index: memories.findIndex(({ id }) => id === expression.column.id) };
    }
    if (expression.kind === "literal") {
      const { type, value } = expression;
      return { kind: "literal", type, value: value === null ? null : String(value) };
    }
    if (expression.kind !== "call" || !containsNode(expression, reads(remembered))) {
      return { kind: "row", index: brought.indexOf(expression) };
    }
    const { name, type, args } = expression;
    return { kind: "call", name, type, args: args.map(asWalk), argTypes: args.map((arg) => arg.type) };
  };
  const columnIndex = (column: Column): number => brought.indexOf({ kind: "column", column, type: column.type });
  const steps = node.steps.map(({ output, condition, assignments }) => ({
    output,
    condition: asWalk(condition),
    assignments: node.declared.map(({ column }) => {
      const found = assignments.find((item) => item.column.id === column.id);
      return found === undefined ? null : asWalk(found.expression);
    }),
  }));
  return {
    declared: node.declared.map(({ column }) => ({ type: column.type, row: columnIndex(column) })),
    memories: memories.map(({ step, source }) => ({
      step,
      declared: declaredAt.get(source.id),
      row: columnIndex(source),
      type: source.type,
    })),
    steps,
    columns: brought.types,
  };
}
