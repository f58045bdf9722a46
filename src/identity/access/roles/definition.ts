// What a role grants. The shape is Azure's own (`properties` of a role definition).

export interface Permission {
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
  readonly dataActions: readonly string[];
  readonly notDataActions: readonly string[];
}

export interface RoleDefinition {
  /** The GUID; the same for a built-in role in every tenant of the world. */
  readonly name: string;
  readonly roleName: string;
  readonly type: "BuiltInRole" | "CustomRole";
  readonly description: string;
  readonly permissions: readonly Permission[];
  readonly assignableScopes: readonly string[];
}

interface BuiltIn {
  readonly name: string;
  readonly roleName: string;
  readonly description: string;
  readonly actions?: readonly string[];
  readonly notActions?: readonly string[];
  readonly dataActions?: readonly string[];
}

export function builtInRole(role: BuiltIn): RoleDefinition {
  return {
    name: role.name,
    roleName: role.roleName,
    type: "BuiltInRole",
    description: role.description,
    permissions: [
      {
        actions: role.actions ?? [],
        notActions: role.notActions ?? [],
        dataActions: role.dataActions ?? [],
        notDataActions: [],
      },
    ],
    assignableScopes: ["/"],
  };
}
