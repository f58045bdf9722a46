// A call of a plugin: its arguments, its input, and the columns that the query gives it.

import { semantic, unsupported } from "../../../errors.ts";
import type { Relation } from "../../../plan/relation.ts";
import { spanOf, type SyntaxNode } from "../../../syntax/node.ts";
import type { Scope } from "../../scope.ts";
import { SchemaNeeded, type Bound, type KnownColumn, type SchemaQuestion, type Session } from "../../session.ts";

export interface PluginCall {
  readonly session: Session;
  readonly node: SyntaxNode;
  readonly args: readonly SyntaxNode[];
  readonly named: ReadonlyMap<string, SyntaxNode>;
  readonly input: Bound;
  readonly scope: Scope;
  /** `: (a:long, …)` behind the call. */
  readonly schema: readonly KnownColumn[] | undefined;
}

/** The columns that data decides; asks the engine when it has not answered yet. */
export function learn(
  plugin: PluginCall,
  relation_: Relation,
  column: SchemaQuestion["column"],
  kind: SchemaQuestion["kind"],
): readonly KnownColumn[] {
  const { start } = spanOf(plugin.node);
  const key = `${kind} ${start} ${column.id}`;
  const known = plugin.session.knownSchemas.get(key);
  if (known === undefined) throw new SchemaNeeded({ key, relation: relation_, column, kind });
  return known;
}

export function constantOf(plugin: PluginCall, node: SyntaxNode | undefined): string | undefined {
  if (node === undefined) return undefined;
  const value = plugin.session.expression(node, { scope: plugin.scope, columns: [] });
  if (value.kind !== "literal") throw unsupported("A computed option of a plugin", spanOf(node));
  return value.value === null ? undefined : String(value.value);
}

export function argument(plugin: PluginCall, index: number): SyntaxNode {
  const arg = plugin.args[index];
  if (arg === undefined) throw semantic("The plugin misses an argument.", spanOf(plugin.node));
  return arg;
}
