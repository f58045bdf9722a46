// Resource ids. Ids are compared by `idKey` (lower case) and shown in canonical case: az and many
// scripts cut them with case-sensitive expressions.

import { armErrors } from "./errors.ts";
import { pathSegments } from "./path.ts";

export interface ResourceId {
  /** The id as text, in the case that it was made with. */
  readonly text: string;
  readonly subscriptionId: string | undefined;
  readonly resourceGroup: string | undefined;
  /** `Microsoft.RecoveryServices/vaults/backupPolicies`; for groups and subscriptions their own types. */
  readonly type: string;
  readonly name: string;
  /** The id of what it stands in or on: parent resource, extended resource, group, subscription or "". */
  readonly parent: string;
}

export function idKey(id: string): string {
  const key = id.toLowerCase();
  return key.endsWith("/") ? key.slice(0, -1) : key;
}

export function subscriptionScope(subscriptionId: string): string {
  return `/subscriptions/${subscriptionId}`;
}

export function groupScope(subscriptionId: string, resourceGroup: string): string {
  return `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`;
}

export function parseResourceId(id: string): ResourceId {
  const parsed = tryParseResourceId(id);
  if (parsed === undefined) {
    throw armErrors.InvalidRequestContent(
      `'${id.slice(0, 300)}' is not a resource id. Write it as /subscriptions/{id}/resourceGroups/{group}/providers/{namespace}/{type}/{name}.`,
    );
  }
  return parsed;
}

export function tryParseResourceId(id: string): ResourceId | undefined {
  if (!id.startsWith("/")) return undefined;
  let segments: string[];
  try {
    segments = pathSegments(id);
  } catch {
    return undefined;
  }
  return fromSegments(segments);
}

/** Reads segments as an id; undefined when they do not end with a name. */
export function fromSegments(segments: readonly string[]): ResourceId | undefined {
  const lower = segments.map((segment) => segment.toLowerCase());
  const subscriptionId = lower[0] === "subscriptions" ? segments[1] : undefined;
  const inGroup = subscriptionId !== undefined && lower[2] === "resourcegroups";
  const resourceGroup = inGroup ? segments[3] : undefined;
  const providerAt = lower.lastIndexOf("providers");
  const text = canonicalText(segments, lower);
  if (providerAt === -1) {
    if (inGroup && segments.length === 4 && resourceGroup !== undefined && subscriptionId !== undefined) {
      return {
        text,
        subscriptionId,
        resourceGroup,
        type: "Microsoft.Resources/resourceGroups",
        name: resourceGroup,
        parent: subscriptionScope(subscriptionId),
      };
    }
    if (subscriptionId !== undefined && segments.length === 2) {
      return {
        text,
        subscriptionId,
        resourceGroup,
        type: "Microsoft.Resources/subscriptions",
        name: subscriptionId,
        parent: "",
      };
    }
    return undefined;
  }
  const namespace = segments[providerAt + 1];
  const rest = segments.slice(providerAt + 2);
  const name = rest.at(-1);
  if (namespace === undefined || name === undefined || rest.length % 2 !== 0) return undefined;
  const types = rest.filter((_, index) => index % 2 === 0);
  const parentSegments = rest.length > 2 ? segments.slice(0, -2) : segments.slice(0, providerAt);
  return {
    text,
    subscriptionId,
    resourceGroup,
    type: [namespace, ...types].join("/"),
    name,
    parent: canonicalText(parentSegments, lower),
  };
}

const canonicalLiterals: Readonly<Record<string, string>> = {
  subscriptions: "subscriptions",
  resourcegroups: "resourceGroups",
  providers: "providers",
};

/** The id with ARM's own literals in their canonical case; names and types stay as they are. */
function canonicalText(segments: readonly string[], lower: readonly string[]): string {
  const parts = segments.map((segment, index) => {
    const isLiteral = index === 0 || index === 2 || lower[index] === "providers";
    return isLiteral ? (canonicalLiterals[lower[index] ?? ""] ?? segment) : segment;
  });
  return parts.length === 0 ? "" : `/${parts.join("/")}`;
}

/** The scopes that contain an id, nearest first, the id itself included, down to the root "". */
export function enclosingScopes(id: string): string[] {
  const segments = id.split("/").filter((segment) => segment !== "");
  const scopes = [""];
  let at = 0;
  const lower = segments.map((segment) => segment.toLowerCase());
  const add = (end: number): void => {
    scopes.push(`/${segments.slice(0, end).join("/")}`);
  };
  if (lower[0] === "subscriptions" && segments.length >= 2) {
    add((at = 2));
    if (lower[2] === "resourcegroups" && segments.length >= 4) add((at = 4));
  }
  while (lower[at] === "providers") {
    at += 2;
    while (at + 1 < segments.length && lower[at] !== "providers") add((at += 2));
    if (lower[at] !== "providers") break;
  }
  return scopes.reverse();
}
