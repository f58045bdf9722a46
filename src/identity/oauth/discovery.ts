// What the discovery documents say.

import { issuerOf } from "../tokens/issuer.ts";
import { signingAlgorithm } from "../tokens/signing-keys.ts";

/** Azure Stack's form of authority, the one that az can be given with a port. */
export function adfsIssuer(origin: string): string {
  return `${origin}/adfs`;
}

export function adfsDiscovery(origin: string) {
  return {
    issuer: adfsIssuer(origin),
    authorization_endpoint: `${origin}/adfs/oauth2/authorize`,
    token_endpoint: `${origin}/adfs/oauth2/token`,
    jwks_uri: `${origin}/adfs/discovery/keys`,
    end_session_endpoint: `${origin}/adfs/oauth2/logout`,
    ...capabilities,
  };
}

/** `tenant` is a tenant's id, or `organizations` / `common` where it is not known yet. */
export function tenantDiscovery(origin: string, tenant: string, isTenant: boolean) {
  return {
    issuer: issuerOf(origin, isTenant ? tenant : "{tenantid}"),
    authorization_endpoint: `${origin}/${tenant}/oauth2/v2.0/authorize`,
    token_endpoint: `${origin}/${tenant}/oauth2/v2.0/token`,
    jwks_uri: `${origin}/${tenant}/discovery/v2.0/keys`,
    end_session_endpoint: `${origin}/${tenant}/oauth2/v2.0/logout`,
    ...capabilities,
  };
}

const capabilities = {
  token_endpoint_auth_methods_supported: ["client_secret_post", "client_secret_basic", "private_key_jwt"],
  response_types_supported: ["code"],
  response_modes_supported: ["query", "fragment"],
  grant_types_supported: ["client_credentials", "authorization_code", "refresh_token", "password"],
  code_challenge_methods_supported: ["S256"],
  id_token_signing_alg_values_supported: [signingAlgorithm],
  subject_types_supported: ["public"],
  scopes_supported: ["openid", "profile", "email", "offline_access"],
  claims_supported: ["sub", "iss", "aud", "exp", "iat", "nbf", "oid", "tid", "name", "preferred_username", "nonce"],
};
