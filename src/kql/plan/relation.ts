// Tables of a plan. Rows have no order by themselves: whoever needs one carries it (`order`), so a
// sort costs something only where it can be seen. `columns` is everything that may be read of a node.

import type { AggregateExpression, Column, Expression, LiteralExpression, WindowExpression } from "./expression.ts";

export interface SortKey {
  readonly column: Column;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export interface Item<E extends Expression = Expression> {
  readonly column: Column;
  readonly expression: E;
}

interface Node<Kind extends string> {
  readonly kind: Kind;
  readonly columns: readonly Column[];
}

export interface TableRelation extends Node<"table"> {
  readonly database: string;
  readonly table: string;
}

export interface ValuesRelation extends Node<"values"> {
  readonly rows: readonly (readonly LiteralExpression[])[];
}

export interface FilterRelation extends Node<"filter"> {
  readonly input: Relation;
  readonly predicate: Expression;
}

export interface ProjectRelation extends Node<"project"> {
  readonly input: Relation;
  readonly items: readonly Item[];
}

export interface AggregateRelation extends Node<"aggregate"> {
  readonly input: Relation;
  readonly keys: readonly Item[];
  readonly aggregates: readonly Item<AggregateExpression>[];
  /** The order in which lists are gathered. */
  readonly order: readonly SortKey[];
}

export interface LimitRelation extends Node<"limit"> {
  readonly input: Relation;
  readonly count: Expression;
  readonly order: readonly SortKey[];
  /** The count holds for each group of equal values. */
  readonly partition: readonly Column[];
}

export interface WindowRelation extends Node<"window"> {
  readonly input: Relation;
  readonly items: readonly Item<WindowExpression>[];
  readonly order: readonly SortKey[];
  readonly partition: readonly Column[];
}

export type JoinKind = "inner" | "left" | "right" | "full" | "semi" | "anti";

export interface JoinRelation extends Node<"join"> {
  readonly joinKind: JoinKind;
  readonly left: Relation;
  readonly right: Relation;
  readonly on: readonly (readonly [Expression, Expression])[];
  /** A further condition over both sides, where equalities are not enough. */
  readonly condition?: Expression;
}

/** One arbitrary row for each combination of the keys. */
export interface FirstOfEachRelation extends Node<"firstOfEach"> {
  readonly input: Relation;
  readonly keys: readonly Expression[];
  readonly order: readonly SortKey[];
}

export interface UnionRelation extends Node<"union"> {
  readonly inputs: readonly Relation[];
  /** For each input the expressions of `columns`. */
  readonly rows: readonly (readonly Expression[])[];
}

export interface ExpandItem {
  readonly column: Column;
  readonly source: Expression;
  readonly bagAsArray: boolean;
}

/** A row for each element of arrays; several arrays go side by side. */
export interface ExpandRelation extends Node<"expand"> {
  readonly input: Relation;
  readonly items: readonly ExpandItem[];
  readonly index: Column;
  readonly limit: Expression | undefined;
  /** mv-apply has no row for a null; mv-expand has one. */
  readonly keepNull: boolean;
}

export interface RangeRelation extends Node<"range"> {
  readonly from: Expression;
  readonly to: Expression;
  readonly step: Expression;
}

export interface SeriesItem {
  readonly column: Column;
  readonly aggregate: AggregateExpression;
  readonly absent: Expression;
}

export interface SeriesRelation extends Node<"series"> {
  readonly input: Relation;
  readonly keys: readonly Item[];
  readonly axis: Item;
  readonly from: Expression | undefined;
  readonly to: Expression | undefined;
  readonly step: Expression;
  readonly items: readonly SeriesItem[];
  /** Whether no row at all gives a series too, if the range is known. */
  readonly evenEmpty: boolean;
}

/** Which rows of a scan step come out: every match, or the last one before the sequence moves on. */
export type ScanOutput = "all" | "last" | "none";

export interface ScanStep {
  readonly output: ScanOutput;
  readonly condition: Expression;
  readonly assignments: readonly Item[];
  /** Columns that stand for the row that matched this step last, and which column of that row each holds. */
  readonly state: readonly Item[];
}

/**
 * Rows go one after another, and each is offered to the steps from the last to the first. A step takes a
 * row that continues the sequence of the step before it, or that replaces its own last row.
 */
export interface ScanRelation extends Node<"scan"> {
  readonly input: Relation;
  readonly order: readonly SortKey[];
  readonly partition: readonly Column[];
  /** Columns of the scan with their values before any match. */
  readonly declared: readonly Item[];
  readonly steps: readonly ScanStep[];
  /** Holds the number of the sequence. */
  readonly matchId: Column | undefined;
}

/** Evaluated once, however often it is read. */
export interface SharedRelation extends Node<"shared"> {
  readonly key: number;
  readonly input: Relation;
  readonly sources: readonly Column[];
}

export type Relation =
  | TableRelation
  | ValuesRelation
  | FilterRelation
  | ProjectRelation
  | AggregateRelation
  | LimitRelation
  | WindowRelation
  | JoinRelation
  | FirstOfEachRelation
  | UnionRelation
  | ExpandRelation
  | RangeRelation
  | SeriesRelation
  | ScanRelation
  | SharedRelation;

/** One factory for all: nodes differ only in their fields. */
export function relation<R extends Relation>(node: R): R {
  return Object.freeze(node);
}

export interface RenderRequest {
  readonly visualization: string;
  /** As the query gives them, by lower-case name; a list where columns are listed. */
  readonly properties: Readonly<Record<string, string | readonly string[]>>;
  /** Whether the rows come in an order that the query asked for. */
  readonly isSorted: boolean;
}

export interface ResultTable {
  readonly name: string;
  readonly relation: Relation;
  readonly columns: readonly Column[];
  readonly order: readonly SortKey[];
}

/** What a query text means. */
export interface Plan {
  readonly tables: readonly ResultTable[];
  readonly render: RenderRequest | undefined;
}
