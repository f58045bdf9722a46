// What binding needs from everywhere: fresh columns, the catalogue, and the two ways back into the
// tree (an expression may hold a query and a query holds expressions).

import { unsupported, QueryRefusal, type Span } from "../errors.ts";
import {
  sizeOf,
  type AggregateExpression,
  type Column,
  type Expression,
  type WindowExpression,
} from "../plan/expression.ts";
import type { Relation, RenderRequest, SortKey } from "../plan/relation.ts";
import { spanOf, type SyntaxNode } from "../syntax/node.ts";
import type { DatabaseSchema, ScalarType } from "../types.ts";
import type { Scope } from "./scope.ts";

/** A table while it is built: what the user sees, in which order, and for which groups apart. */
export interface Bound {
  readonly relation: Relation;
  readonly columns: readonly Column[];
  readonly order: readonly SortKey[];
  /** Inside mv-apply and partition: operators work on each group of these by itself. */
  readonly partition: readonly Column[];
}

/** Where an expression stands. */
export interface Environment {
  readonly scope: Scope;
  readonly columns: readonly Column[];
  /** Columns of the other side of a join, for $left and $right. */
  readonly sides?: { readonly left: readonly Column[]; readonly right: readonly Column[] };
  /** Takes an aggregate and gives the column that will hold it; absent where none may stand. */
  readonly aggregate?: (found: AggregateExpression) => Expression;
  readonly window?: (found: WindowExpression) => Expression;
  /** Names of scan steps: `s1.x`. */
  readonly states?: ReadonlyMap<string, readonly Column[]>;
}

/** A column list that data decides: found out by a query before the text can be bound. */
export interface SchemaQuestion {
  readonly key: string;
  readonly relation: Relation;
  readonly column: Column;
  readonly kind: "distinctValues" | "bagKeys";
}

export class SchemaNeeded extends Error {
  readonly question: SchemaQuestion;

  constructor(question: SchemaQuestion) {
    super("a schema depends on data");
    this.question = question;
  }
}

export interface KnownColumn {
  readonly name: string;
  readonly type: ScalarType;
}

export interface NamedResult {
  readonly name: string;
  readonly bound: Bound;
}

export interface Session {
  readonly databases: readonly DatabaseSchema[];
  /** Scalar, aggregate and window functions that the dialect has. */
  readonly supported: ReadonlySet<string>;
  readonly knownSchemas: ReadonlyMap<string, readonly KnownColumn[]>;
  readonly options: Map<string, Expression>;
  /** The results that fork and facet give beside the first one. */
  readonly furtherResults: NamedResult[];
  render: RenderRequest | undefined;
  newColumn(name: string, type: ScalarType): Column;
  nextKey(): number;
  /** Counts work, so that functions that call functions cannot explode. */
  step(span: Span): void;
  table(node: SyntaxNode, scope: Scope): Bound;
  operator(node: SyntaxNode, input: Bound, scope: Scope): Bound;
  expression(node: SyntaxNode, environment: Environment): Expression;
  tableFunctionCall(node: SyntaxNode, scope: Scope, piped?: Bound): Bound;
}

export interface SessionParts {
  readonly databases: readonly DatabaseSchema[];
  readonly supported: ReadonlySet<string>;
  readonly knownSchemas: ReadonlyMap<string, readonly KnownColumn[]>;
  readonly maxSteps: number;
  readonly table: (session: Session, node: SyntaxNode, scope: Scope) => Bound;
  readonly operator: (session: Session, node: SyntaxNode, input: Bound, scope: Scope) => Bound;
  readonly expression: (session: Session, node: SyntaxNode, environment: Environment) => Expression;
  readonly tableFunctionCall: (session: Session, node: SyntaxNode, scope: Scope, piped?: Bound) => Bound;
}

/** An argument stands in the place of each use of its parameter. */
const largestExpression = 50_000;

const tooLarge = (span: Span): QueryRefusal =>
  new QueryRefusal("QueryTooComplex", "The query grows too large when its functions are put in place.", span);

export function createSession(parts: SessionParts): Session {
  let columns = 0;
  let keys = 0;
  let steps = 0;
  const session: Session = {
    databases: parts.databases,
    supported: parts.supported,
    knownSchemas: parts.knownSchemas,
    options: new Map(),
    furtherResults: [],
    render: undefined,
    newColumn: (name, type) => {
      columns += 1;
      return Object.freeze({ id: columns, name, type });
    },
    nextKey: () => {
      keys += 1;
      return keys;
    },
    step: (span) => {
      steps += 1;
      if (steps > parts.maxSteps) throw tooLarge(span);
    },
    table: (node, scope) => parts.table(session, node, scope),
    operator: (node, input, scope) => parts.operator(session, node, input, scope),
    expression: (node, environment) => {
      const found = parts.expression(session, node, environment);
      if (sizeOf(found) > largestExpression) throw tooLarge(spanOf(node));
      return found;
    },
    tableFunctionCall: (node, scope, piped) => parts.tableFunctionCall(session, node, scope, piped),
  };
  return session;
}

export function requireSupport(session: Session, name: string, span: Span): void {
  if (!session.supported.has(name)) throw unsupported(`The function ${name}()`, span);
}
