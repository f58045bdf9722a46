// The grants of the token endpoint: from a request to who it is and what he gets.

import { findUser, type User } from "../directory/users.ts";
import type { HoldfastError } from "../../lib/errors.ts";
import type { TokenSubject } from "../tokens/issuer.ts";
import { readScope } from "../audiences.ts";
import { redeemCode, type Redemption } from "./authorization-codes.ts";
import { proveClient } from "./client-proof.ts";
import { findClient, type OAuthClient } from "./clients.ts";
import { signInErrors } from "./errors.ts";
import { required } from "./form.ts";
import { addRefreshToken, exchangeRefreshToken, newFamily, type Exchange } from "./refresh-tokens.ts";
import type { Granted, OAuthService, TokenRequest } from "./service.ts";
import { proveUser } from "./user-proof.ts";

type Grant = (service: OAuthService, request: TokenRequest) => Promise<Granted>;

export const grants: Readonly<Record<string, Grant>> = {
  client_credentials: clientCredentials,
  password: passwordGrant,
  authorization_code: authorizationCode,
  refresh_token: refreshToken,
};

async function clientCredentials(service: OAuthService, request: TokenRequest): Promise<Granted> {
  const client = await clientOf(service, request);
  const scope = scopeOf(request);
  const principal = await proveClient(service, request, client);
  return {
    subject: {
      objectId: principal.id,
      tenantId: principal.tenantId,
      type: "ServicePrincipal",
      displayName: principal.displayName,
    },
    appId: client.appId,
    scope,
  };
}

async function passwordGrant(service: OAuthService, request: TokenRequest): Promise<Granted> {
  const client = await clientOf(service, request);
  const name = required(request.form, "username");
  const password = required(request.form, "password");
  await proveConfidential(service, request, client);
  const user = await proveUser(service, { name, password, address: request.address }, request.tenant);
  const scope = scopeOf(request);
  const terms = { familyId: newFamily(), tenantId: user.tenantId, appId: client.appId, userId: user.id, scope };
  const next = readScope(scope).offline
    ? await service.database.transaction((trx) => addRefreshToken(trx, terms))
    : undefined;
  return { subject: subjectOf(user), appId: client.appId, scope, person: { nonce: "", refreshToken: next } };
}

async function authorizationCode(service: OAuthService, request: TokenRequest): Promise<Granted> {
  const client = await clientOf(service, request);
  const proof = {
    code: required(request.form, "code"),
    appId: client.appId,
    redirectUri: required(request.form, "redirect_uri"),
    verifier: required(request.form, "code_verifier"),
  };
  await proveConfidential(service, request, client);
  const redemption = await service.database.transaction((trx) => redeemCode(trx, proof));
  if (redemption.outcome !== "redeemed") throw refusedCode(redemption);
  const { terms, familyId } = redemption;
  refuseOtherTenant(request, terms.tenantId);
  const user = await activeUser(service, terms.tenantId, terms.userId);
  const next = readScope(terms.scope).offline
    ? await service.database.transaction((trx) => addRefreshToken(trx, { ...terms, familyId }))
    : undefined;
  return {
    subject: subjectOf(user),
    appId: client.appId,
    scope: request.form.get("scope") ?? terms.scope,
    person: { nonce: terms.nonce, refreshToken: next },
  };
}

async function refreshToken(service: OAuthService, request: TokenRequest): Promise<Granted> {
  const client = await clientOf(service, request);
  const token = required(request.form, "refresh_token");
  await proveConfidential(service, request, client);
  const exchange = await service.database.transaction((trx) => exchangeRefreshToken(trx, token, client.appId));
  if (exchange.outcome !== "exchanged") throw refusedRefresh(exchange);
  refuseOtherTenant(request, exchange.terms.tenantId);
  const user = await activeUser(service, exchange.terms.tenantId, exchange.terms.userId);
  return {
    subject: subjectOf(user),
    appId: client.appId,
    scope: request.form.get("scope") ?? exchange.terms.scope,
    person: { nonce: "", refreshToken: exchange.next },
  };
}

function clientOf(service: OAuthService, { form, tenant }: TokenRequest): Promise<OAuthClient> {
  return findClient(service.database.kysely, required(form, "client_id"), tenant, service.portalRedirectUris());
}

/** A client that keeps a secret must prove it with every grant; who shows one is held to it. */
async function proveConfidential(service: OAuthService, request: TokenRequest, client: OAuthClient): Promise<void> {
  const shows = request.form.has("client_secret") || request.form.has("client_assertion");
  if (!client.isPublic || shows) await proveClient(service, request, client);
}

async function activeUser(service: OAuthService, tenantId: string, userId: string): Promise<User> {
  const user = await findUser(service.database.kysely, tenantId, userId);
  if (user === undefined || !user.enabled) {
    throw signInErrors.AADSTS50057("The user account is disabled or does not exist any more.");
  }
  return user;
}

/** v1 clients say `resource`, v2 clients `scope`. */
function scopeOf({ form }: TokenRequest): string {
  const resource = form.get("resource");
  return resource === undefined ? required(form, "scope") : `${resource}/.default`;
}

function subjectOf(user: User): TokenSubject {
  return {
    objectId: user.id,
    tenantId: user.tenantId,
    type: "User",
    displayName: user.displayName,
    userPrincipalName: user.userPrincipalName,
  };
}

function refuseOtherTenant(request: TokenRequest, tenantId: string): void {
  if (request.tenant !== undefined && request.tenant.id !== tenantId) {
    throw signInErrors.AADSTS50173(`The grant was issued for another tenant than '${request.tenant.id}'.`);
  }
}

function refusedCode({ outcome }: Redemption): HoldfastError {
  switch (outcome) {
    case "redeemedBefore":
      return signInErrors.AADSTS54005(
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code.",
      );
    case "wrongRedirect":
      return signInErrors.AADSTS500112(
        "The reply address does not match the reply address provided when requesting Authorization code.",
      );
    case "wrongVerifier":
      return signInErrors.AADSTS501481(
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
      );
    default:
      return signInErrors.AADSTS70008("The provided authorization code is not known or has expired. Sign in again.");
  }
}

function refusedRefresh({ outcome }: Exchange): HoldfastError {
  return outcome === "reused"
    ? signInErrors.AADSTS50173(
        "The refresh token was used before, so all tokens of that sign-in are revoked. Sign in again.",
      )
    : signInErrors.AADSTS70008("The refresh token is not known, expired or revoked. Sign in again.");
}
