// Everything that a query can be refused for. A position says where in the text.

import { defineErrors, type HoldfastError } from "../lib/errors.ts";

export interface Position {
  /** Offset of the first character, and the length of the span. */
  readonly start: number;
  readonly length: number;
  readonly line: number;
  readonly column: number;
}

export const kqlErrors = defineErrors({
  SyntaxError: { status: 400 },
  SemanticError: { status: 400 },
  Unsupported: { status: 400, remedy: "docs/kql.md lists what this engine understands." },
  QueryTooComplex: { status: 400, remedy: "Make the query shorter or split it." },
  QueryTimedOut: { status: 504, remedy: "Narrow the time range, or raise the limit." },
  QueryCancelled: { status: 499 },
  ResourceLimit: { status: 400, remedy: "Filter or summarize earlier in the query." },
  ExecutionFailed: { status: 400 },
  EngineFailed: { status: 500 },
});

export type KqlErrorCode = keyof typeof kqlErrors;

export interface Span {
  readonly start: number;
  readonly length: number;
}

/** A refusal at a place in the text; the text itself is not needed until it is shown. */
export class QueryRefusal extends Error {
  readonly code: KqlErrorCode;
  readonly span: Span | undefined;

  constructor(code: KqlErrorCode, message: string, span?: Span) {
    super(message);
    this.name = "QueryRefusal";
    this.code = code;
    this.span = span;
  }
}

export function unsupported(what: string, span?: Span): QueryRefusal {
  return new QueryRefusal("Unsupported", `${what} is not supported.`, span);
}

export function semantic(message: string, span?: Span): QueryRefusal {
  return new QueryRefusal("SemanticError", message, span);
}

export function positionOf(text: string, span: Span): Position {
  const start = Math.max(0, Math.min(span.start, text.length));
  const before = text.slice(0, start);
  const line = before.split("\n").length;
  return { start, length: span.length, line, column: start - before.lastIndexOf("\n") };
}

/** The error that leaves the engine: the code of the table, and the position among its facts. */
export function asKqlError(code: KqlErrorCode, message: string, position?: Position, cause?: unknown): HoldfastError {
  const facts: Record<string, number> =
    position === undefined
      ? {}
      : { start: position.start, length: position.length, line: position.line, column: position.column };
  return kqlErrors[code](message, { facts, cause });
}

export function positionIn(error: HoldfastError): Position | undefined {
  const { start, length, line, column } = error.facts;
  if (typeof start !== "number" || typeof length !== "number") return undefined;
  if (typeof line !== "number" || typeof column !== "number") return undefined;
  return { start, length, line, column };
}
