// What one principal may do, ready to be asked thousands of times in a millisecond: its assignments
// (own and through groups) by scope, each with its role compiled.
//
// Allowed means: some assignment at the scope or above it whose role has a permission that lists the
// action and does not take it away again (notActions subtract only from their own permission).
// Everything else is denied.

import { compileActions, type ActionSet } from "./permission-pattern.ts";
import type { Permission } from "./roles/definition.ts";
import { outwards, scopeKey } from "./scope.ts";

export type ActionKind = "action" | "dataAction";

export interface Grants {
  allows(action: string, scope: string, kind?: ActionKind): boolean;
  /** Permissions in force at a scope, for the `permissions` endpoint. */
  effectivePermissions(scope: string): Permission[];
  /** Scope keys at which anything at all is granted. */
  readonly scopes: readonly string[];
}

export interface Assigned {
  readonly scopeKey: string;
  readonly permissions: readonly Permission[];
}

interface CompiledPermission {
  readonly source: Permission;
  readonly actions: ActionSet;
  readonly notActions: ActionSet;
  readonly dataActions: ActionSet;
  readonly notDataActions: ActionSet;
}

export const noGrants: Grants = { allows: () => false, effectivePermissions: () => [], scopes: [] };

/** Answers are remembered; what a client asks must not fill the memory. */
const rememberedAnswers = 4096;

export function compileGrants(assigned: readonly Assigned[]): Grants {
  if (assigned.length === 0) return noGrants;
  const byScope = new Map<string, CompiledPermission[]>();
  for (const { scopeKey: key, permissions } of assigned) {
    const list = byScope.get(key) ?? [];
    list.push(...permissions.map(compilePermission));
    byScope.set(key, list);
  }
  const answers = new Map<string, boolean>();

  const decide = (action: string, scope: string, kind: ActionKind): boolean => {
    for (const key of outwards(scope)) {
      const permissions = byScope.get(key);
      if (permissions?.some((permission) => permits(permission, action, kind)) === true) return true;
    }
    return false;
  };

  return {
    scopes: [...byScope.keys()],
    allows: (action, scope, kind = "action") => {
      const question = `${kind} ${action} ${scope}`;
      const known = answers.get(question);
      if (known !== undefined) return known;
      const answer = decide(action.toLowerCase(), scopeKey(scope), kind);
      if (answers.size >= rememberedAnswers) answers.clear();
      answers.set(question, answer);
      return answer;
    },
    effectivePermissions: (scope) =>
      [...outwards(scopeKey(scope))].flatMap((key) => (byScope.get(key) ?? []).map(({ source }) => source)),
  };
}

function compilePermission(source: Permission): CompiledPermission {
  return {
    source,
    actions: compileActions(source.actions),
    notActions: compileActions(source.notActions),
    dataActions: compileActions(source.dataActions),
    notDataActions: compileActions(source.notDataActions),
  };
}

function permits(permission: CompiledPermission, action: string, kind: ActionKind): boolean {
  return kind === "action"
    ? permission.actions.has(action) && !permission.notActions.has(action)
    : permission.dataActions.has(action) && !permission.notDataActions.has(action);
}
