// Azure's built-in roles that matter here, with Microsoft's own identifiers and permissions.

import { backupRoles } from "./roles/backup.ts";
import { computeRoles } from "./roles/compute.ts";
import type { RoleDefinition } from "./roles/definition.ts";
import { diskRoles } from "./roles/disks.ts";
import { generalRoles } from "./roles/general.ts";
import { keyVaultRoles } from "./roles/key-vault.ts";
import { monitorRoles } from "./roles/monitor.ts";
import { storageRoles } from "./roles/storage.ts";

export const builtInRoles: readonly RoleDefinition[] = [
  ...generalRoles,
  ...backupRoles,
  ...computeRoles,
  ...diskRoles,
  ...keyVaultRoles,
  ...monitorRoles,
  ...storageRoles,
];

const byName = new Map(builtInRoles.map((role) => [role.name, role]));

export function builtInRoleOf(name: string): RoleDefinition | undefined {
  return byName.get(name.toLowerCase());
}
