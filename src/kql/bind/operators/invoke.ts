// invoke, consume, reduce and what is refused with a reason.

import { unsupported } from "../../errors.ts";
import { child, spanOf, type SyntaxNode } from "../../syntax/node.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { project } from "../tables.ts";

export function bindInvoke(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  return session.tableFunctionCall(child(node, "Function"), scope, input);
}

/** consume reads everything and gives no rows; the columns stay. */
export function bindConsume(_session: Session, _node: SyntaxNode, input: Bound): Bound {
  return project(input, []);
}

export function bindFork(_session: Session, node: SyntaxNode): Bound {
  throw unsupported("fork (several results of one pipe); run one query for each", spanOf(node));
}

export function bindFacet(_session: Session, node: SyntaxNode): Bound {
  throw unsupported("facet (several results of one pipe); run one query for each", spanOf(node));
}
