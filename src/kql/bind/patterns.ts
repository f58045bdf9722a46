// `declare pattern`: a function whose body is chosen by literal arguments and a path.

import { semantic, type Span } from "../errors.ts";
import { child, elements, items, optional, type SyntaxNode } from "../syntax/node.ts";
import { Scope, type PatternBinding } from "./scope.ts";
import type { Bound, Session } from "./session.ts";
import { declareLet } from "./declarations.ts";
import { isTabular } from "./tabular.ts";

export function bindMatchedPattern(
  session: Session,
  binding: PatternBinding,
  args: readonly SyntaxNode[],
  path: string | undefined,
  scope: Scope,
  span: Span,
): Bound {
  const valueOf = (node: SyntaxNode): unknown => {
    const value = session.expression(node, { scope, columns: [] });
    return value.kind === "literal" ? value.value : undefined;
  };
  const given = args.map(valueOf);
  for (const match of items(binding.declaration, "Patterns")) {
    const expected = elements(child(child(match, "ParameterValues"), "Expressions")).map(valueOf);
    const wantedPath = optional(match, "PathValue");
    const pathValue = wantedPath === undefined ? undefined : valueOf(child(wantedPath, "Value"));
    const fits = expected.length === given.length && expected.every((value, index) => value === given[index]);
    if (!fits || (pathValue !== undefined && pathValue !== path)) continue;
    const inner = new Scope(binding.scope);
    const body = child(match, "Body");
    for (const statement of items(body, "Statements")) {
      declareLet(session, statement, inner, (node) => isTabular(session, node, inner));
    }
    return session.table(child(body, "Expression"), inner);
  }
  throw semantic(
    `No case of the pattern fits (${given.map(String).join(", ")})${path === undefined ? "" : `.${path}`}.`,
    span,
  );
}
