// scan as a recursive query, for steps that compute with remembered rows what only SQL can. What it carries
// is, for each step, whether a sequence has come that far, its number, and the values of that sequence's
// rows that any expression reads. Each row is looked up anew: the time grows with the square of the rows.

import type { Column } from "../../plan/expression.ts";
import type { ScanStep } from "../../plan/relation.ts";
import type { EmitContext, Emitter } from "../context.ts";
import { createEmitter } from "../scalar.ts";
import type { Shape, Steps } from "../shapes.ts";
import { columnName, literalSql, physicalTypes, plain, sql, type Sql } from "../sql.ts";
import { emitScanRows, memoriesOf, type Memory, type Scan } from "./scan-rows.ts";

export function emitRecursiveScan(node: Scan, input: Shape, steps: Steps): Shape {
  const inputColumns = node.columns.filter(({ id }) => input.columns.has(id));
  const rows = emitScanRows(node, input, inputColumns, [], steps);
  const machine = new Machine(node, inputColumns, steps.context);
  const walk = steps.addRecursive(
    `SELECT DISTINCT g, 0::BIGINT AS n, 0::BIGINT AS sequences, ${machine.start().join(", ")} FROM ${rows}` +
      ` UNION ALL SELECT ${machine.next().join(", ")} FROM (SELECT *, ${machine.ownMatches().join(", ")} FROM` +
      ` (SELECT s.*, ${inputColumns.map(({ id }) => `r.${columnName(id)}, `).join("")}${machine.promotions().join(", ")}` +
      ` FROM @self AS s JOIN ${rows} AS r ON r.g = s.g AND r.n = s.n + 1) AS a) AS b`,
  );
  const outputs = node.steps.flatMap((step, index) =>
    step.output === "none" ? [] : [emitOutput(node, step, index, rows, walk)],
  );
  const empty = `SELECT ${node.columns.map(({ id, type }) => `NULL::${physicalTypes[type]} AS ${columnName(id)}`).join(", ")} WHERE false`;
  const name = steps.add(outputs.length === 0 ? empty : outputs.join(" UNION ALL "));
  const columns = new Map<number, Sql>(
    node.columns.map((column) => [column.id, sql(column.type, columnName(column.id))]),
  );
  return { from: name, where: [], columns, computed: false };
}

/** The rows that one step gives. */
function emitOutput(node: Scan, step: ScanStep, index: number, rows: string, walk: string): string {
  const declared = new Set(node.declared.map(({ column }) => column.id));
  const shown = node.columns.map(({ id }) => {
    const name = columnName(id);
    if (id === node.matchId?.id) return `w.q${index} AS ${name}`;
    return `${declared.has(id) ? `w.o${index}_${id}` : `r.${name}`} AS ${name}`;
  });
  // The last row of a sequence is the one after which this step begins another sequence, or nothing.
  const last =
    step.output === "last" ? ` QUALIFY coalesce(lead(w.f${index}) OVER (PARTITION BY w.g ORDER BY w.n), true)` : "";
  return `SELECT ${shown.join(", ")} FROM ${walk} AS w JOIN ${rows} AS r ON r.g = w.g AND r.n = w.n WHERE w.m${index}${last}`;
}

/**
 * Names in the walk, for step k: `a` is whether a sequence stands there, `q` its number, `v` what it
 * remembers; `p` says that the row promotes the sequence of the step before, `t` that the step takes the
 * row by itself, `m` that either happened, `f` that a sequence came to the step, `o` the declared columns.
 */
class Machine {
  readonly #node: Scan;
  readonly #inputColumns: readonly Column[];
  readonly #memories: readonly Memory[];
  readonly #context: EmitContext;
  readonly #defaults: ReadonlyMap<number, string>;

  constructor(node: Scan, inputColumns: readonly Column[], context: EmitContext) {
    this.#node = node;
    this.#inputColumns = inputColumns;
    this.#context = context;
    this.#memories = memoriesOf(node.steps);
    const bare = createEmitter(context, new Map());
    this.#defaults = new Map(node.declared.map(({ column, expression }) => [column.id, plain(bare.value(expression))]));
  }

  start(): string[] {
    return this.#node.steps.flatMap((_, k) => [
      `false AS a${k}`,
      `0::BIGINT AS q${k}`,
      `false AS m${k}`,
      `false AS f${k}`,
      ...this.#held(k).map((memory) => `${this.#typed(memory.source, this.#initial(memory))} AS ${held(k, memory)}`),
      ...this.#node.declared.map(({ column }) => `${this.#typed(column, this.#default(column))} AS o${k}_${column.id}`),
    ]);
  }

  /** Whether the row takes the sequence of step k - 1 on to step k. */
  promotions(): string[] {
    return this.#node.steps.map((step, k) => {
      const met = k === 0 ? "false" : `(a${k - 1} AND coalesce(${this.#promoted(k).predicate(step.condition)}, false))`;
      return `${met} AS p${k}`;
    });
  }

  /** Whether the row replaces what step k itself remembers; the first step begins sequences. */
  ownMatches(): string[] {
    return this.#node.steps.map((step, k) => {
      const stands = k === 0 ? "true" : `(a${k} AND NOT ${this.#left(k)})`;
      const met = coalesced(this.#staying(k).predicate(step.condition));
      return `(NOT p${k} AND ${stands} AND ${met}) AS t${k}`;
    });
  }

  next(): string[] {
    const begins = `(t0 AND (NOT a0 OR ${this.#left(0)}))`;
    return [
      "g",
      "n + 1",
      `sequences + CASE WHEN ${begins} THEN 1 ELSE 0 END`,
      ...this.#node.steps.flatMap((step, k) => this.#nextOf(step, k, begins)),
    ];
  }

  #nextOf(step: ScanStep, k: number, begins: string): string[] {
    const promoted = this.#assigned(step, this.#promoted(k));
    const stayed = this.#assigned(step, this.#staying(k));
    const row = (column: Column, values: ReadonlyMap<number, string>): string =>
      values.get(column.id) ?? this.#defaults.get(column.id) ?? columnName(column.id);
    const either = (column: Column, onPromotion: string, onStay: string, otherwise: string): string =>
      this.#typed(column, `CASE WHEN p${k} THEN ${onPromotion} WHEN t${k} THEN ${onStay} ELSE ${otherwise} END`);
    const number =
      k === 0 ? `CASE WHEN ${begins} THEN sequences ELSE q0 END` : `CASE WHEN p${k} THEN q${k - 1} ELSE q${k} END`;
    return [
      `(p${k} OR t${k} OR (a${k} AND NOT ${this.#left(k)}))`,
      number,
      `(p${k} OR t${k})`,
      k === 0 ? begins : `p${k}`,
      ...this.#held(k).map((memory) => {
        const kept = `CASE WHEN ${this.#left(k)} THEN ${this.#initial(memory)} ELSE ${held(k, memory)} END`;
        return memory.step === k
          ? either(memory.source, row(memory.source, promoted), row(memory.source, stayed), kept)
          : either(memory.source, k === 0 ? kept : held(k - 1, memory), held(k, memory), kept);
      }),
      ...this.#node.declared.map(({ column }) =>
        either(column, row(column, promoted), row(column, stayed), this.#default(column)),
      ),
    ];
  }

  /** Whether the row has taken the sequence of step k away. */
  #left(k: number): string {
    return k + 1 < this.#node.steps.length ? `p${k + 1}` : "false";
  }

  /** What the sequence at step k remembers: rows of that step and of those before it. */
  #held(k: number): Memory[] {
    return this.#memories.filter(({ step }) => step <= k);
  }

  #assigned(step: ScanStep, emitter: Emitter): Map<number, string> {
    return new Map(step.assignments.map(({ column, expression }) => [column.id, plain(emitter.value(expression))]));
  }

  #promoted(k: number): Emitter {
    return this.#emitter((memory) => (memory.step < k ? held(k - 1, memory) : this.#initial(memory)));
  }

  #staying(k: number): Emitter {
    return this.#emitter((memory) => {
      if (memory.step > k) return this.#initial(memory);
      return k === 0 && this.#left(0) !== "false"
        ? `(CASE WHEN ${this.#left(0)} THEN ${this.#initial(memory)} ELSE ${held(k, memory)} END)`
        : held(k, memory);
    });
  }

  #emitter(remembered: (memory: Memory) => string): Emitter {
    const columns = new Map<number, Sql>();
    for (const column of this.#inputColumns) columns.set(column.id, sql(column.type, columnName(column.id)));
    for (const { column } of this.#node.declared) columns.set(column.id, sql(column.type, this.#default(column)));
    for (const memory of this.#memories) columns.set(memory.id, sql(memory.source.type, remembered(memory)));
    return createEmitter(this.#context, columns);
  }

  #default(column: Column): string {
    return this.#defaults.get(column.id) ?? literalSql(column.type, null).text;
  }

  #initial({ source }: Memory): string {
    return this.#typed(source, this.#default(source));
  }

  #typed(column: Column, text: string): string {
    return `(${text})::${physicalTypes[column.type]}`;
  }
}

const held = (k: number, { id }: Memory): string => `v${k}_${id}`;

const coalesced = (condition: string): string => `coalesce(${condition}, false)`;
