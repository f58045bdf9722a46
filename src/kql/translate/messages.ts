// What travels between the engine and the thread that understands query texts.

import type { KqlErrorCode, Span } from "../errors.ts";
import type { LiteralExpression } from "../plan/expression.ts";
import type { Plan } from "../plan/relation.ts";
import type { KnownColumn, SchemaQuestion } from "../bind/session.ts";
import type { DatabaseSchema } from "../types.ts";

export interface TranslateRequest {
  readonly id: number;
  readonly text: string;
  /** Sent once for each version of the catalogue. */
  readonly databases: readonly DatabaseSchema[] | undefined;
  readonly catalogKey: string;
  readonly knownSchemas: readonly (readonly [string, readonly KnownColumn[]])[];
  readonly parameters: readonly (readonly [string, LiteralExpression])[];
}

/** The first message of a thread: it has loaded all that it needs. */
export const ready = "ready";

export type TranslateAnswer =
  | { readonly id: number; readonly kind: "plan"; readonly plan: Plan }
  | { readonly id: number; readonly kind: "question"; readonly question: SchemaQuestion }
  | {
      readonly id: number;
      readonly kind: "refused";
      readonly code: KqlErrorCode;
      readonly message: string;
      readonly span: Span | undefined;
    };

export interface TranslatorSettings {
  readonly supported: readonly string[];
  readonly maxQueryLength: number;
  readonly maxNestingDepth: number;
  readonly maxSteps: number;
}
