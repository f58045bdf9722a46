// Ids of access: where an assignment or a role definition stands, in the one spelling that az's
// case-sensitive comparisons need.

import type { ArmRequest } from "../../arm/request.ts";
import { tryParseResourceId } from "../../arm/resource-id.ts";

const marker = "/providers/microsoft.authorization/";

/** The scope that a request is about: what stands before this provider's part of the path. "" = root. */
export function requestScope(request: ArmRequest): string {
  const at = request.path.toLowerCase().lastIndexOf(marker);
  const scope = at === -1 ? request.path : request.path.slice(0, at);
  return scope === "" ? "" : (tryParseResourceId(scope)?.text ?? scope);
}

/** As the wire shows it: the root is "/". */
export function shownScope(scope: string): string {
  return scope === "" ? "/" : scope;
}

/**
 * A role's id as seen from a scope: within a subscription it carries that subscription, which is
 * how clients build it from a GUID themselves.
 */
export function roleId(role: string, seenFrom: string): string {
  const subscription = /^\/subscriptions\/[^/]+/i.exec(seenFrom)?.[0] ?? "";
  return `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role}`;
}

export function assignmentId(scope: string, name: string): string {
  return `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`;
}

export const guidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
