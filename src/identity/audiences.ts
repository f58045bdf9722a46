// What a token can be for. Any audience is issued; each API says which it takes.

/** Audiences of the management API besides the service's own origins. */
export const managementAudiences: readonly string[] = [
  "https://management.azure.com/",
  "https://management.core.windows.net/",
];

export const graphAudiences: readonly string[] = [
  "https://graph.microsoft.com/",
  "00000003-0000-0000-c000-000000000000",
];

/** OpenID Connect's own scopes name no resource. */
const protocolScopes = new Set(["openid", "profile", "email", "offline_access"]);

export interface RequestedScope {
  readonly audience: string;
  readonly openId: boolean;
  readonly offline: boolean;
}

/**
 * `https://management.core.windows.net//.default openid` -> the audience
 * `https://management.core.windows.net/`. Without any resource in it the token is for Graph.
 */
export function readScope(scope: string): RequestedScope {
  const words = scope.split(/\s+/).filter((word) => word !== "");
  const resource = words.find((word) => !protocolScopes.has(word.toLowerCase()));
  return {
    audience: resource === undefined ? (graphAudiences[0] ?? "") : resourceOf(resource),
    openId: words.includes("openid"),
    offline: words.includes("offline_access"),
  };
}

function resourceOf(scope: string): string {
  const slash = scope.lastIndexOf("/");
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(scope);
  // "api://x/.default" ends with a permission; a bare "https://x" does not.
  if (slash === -1 || (isUrl && slash < scope.indexOf("://") + 3)) return scope;
  return scope.slice(0, slash);
}
