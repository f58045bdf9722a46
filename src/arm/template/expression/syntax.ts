// What an expression is once it is read. `at` is the offset in the text between the brackets.

export type Expression =
  | { readonly kind: "literal"; readonly value: string | number; readonly at: number }
  | CallExpression
  | { readonly kind: "property"; readonly target: Expression; readonly name: string; readonly at: number }
  | { readonly kind: "index"; readonly target: Expression; readonly index: Expression; readonly at: number };

export interface CallExpression {
  readonly kind: "call";
  /** Of a user function: `contoso` in `contoso.uniqueName('x')`. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly args: readonly Expression[];
  readonly at: number;
}
