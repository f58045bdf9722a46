// Resource groups: rows of the resources table like everything else, and the door to what is in them.

import { armErrors } from "./errors.ts";
import { groupScope } from "./resource-id.ts";
import { findResource, type Reader } from "./resources/resource-store.ts";
import type { Resource } from "./resources/resource.ts";

export const groupType = "Microsoft.Resources/resourceGroups";

export async function getGroup(reader: Reader, subscriptionId: string, name: string): Promise<Resource> {
  const group = await findResource(reader, groupScope(subscriptionId, name));
  if (group === undefined) {
    throw armErrors.ResourceGroupNotFound(`Resource group '${name}' could not be found.`, {
      target: "resourceGroupName",
    });
  }
  return group;
}

export function groupBeingDeleted(group: Resource): Error {
  return armErrors.ResourceGroupBeingDeleted(
    `The resource group '${group.name}' is in deprovisioning state and cannot perform this operation. Wait until it is gone.`,
  );
}

/** Azure's rule: letters, digits, `.`, `_`, `-`, parentheses, at most 90, no `.` at the end. */
export function checkGroupName(name: string): void {
  if (/^[\p{L}\p{N}_.()-]{1,90}$/u.test(name) && !name.endsWith(".")) return;
  throw armErrors.InvalidResourceName(
    `The provided resource group name '${name.slice(0, 120)}' is invalid. It has 1 to 90 letters, digits, '-', '_', '.', '(' and ')' and does not end with '.'.`,
    { target: "resourceGroupName" },
  );
}
