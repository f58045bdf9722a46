// Names that `let`, parameters and `as` bring, innermost first.

import type { Expression } from "../plan/expression.ts";
import type { SyntaxNode } from "../syntax/node.ts";
import type { Bound } from "./session.ts";

export interface ScalarBinding {
  readonly kind: "scalar";
  readonly value: Expression;
}

export interface TableBinding {
  readonly kind: "table";
  /** Bound anew for each use, so that columns of two uses stay apart. */
  readonly bind: () => Bound;
}

export interface FunctionBinding {
  readonly kind: "function";
  readonly parameters: readonly SyntaxNode[];
  readonly body: SyntaxNode;
  readonly scope: Scope;
  readonly isView: boolean;
}

export interface PatternBinding {
  readonly kind: "pattern";
  readonly declaration: SyntaxNode;
  readonly scope: Scope;
}

export type Binding = ScalarBinding | TableBinding | FunctionBinding | PatternBinding;

export class Scope {
  readonly #names = new Map<string, Binding>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  declare(name: string, binding: Binding): void {
    this.#names.set(name, binding);
  }

  find(name: string): Binding | undefined {
    return this.#names.get(name) ?? this.#outer?.find(name);
  }

  /** All names in sight with their bindings, for wildcards and suggestions. */
  all(): Map<string, Binding> {
    return new Map([...(this.#outer?.all() ?? []), ...this.#names]);
  }
}
