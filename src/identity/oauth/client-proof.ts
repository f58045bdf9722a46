// A confidential client proves itself with one of its secrets.

import { findServicePrincipalByApp, type ServicePrincipal } from "../directory/service-principals.ts";
import { secretCandidates, verifySecret } from "../directory/client-secrets.ts";
import type { OAuthClient } from "./clients.ts";
import { signInErrors } from "./errors.ts";
import { required } from "./form.ts";
import type { OAuthService, TokenRequest } from "./service.ts";

/** The service principal that the client is, once its secret was right. */
export async function proveClient(
  service: OAuthService,
  request: TokenRequest,
  client: OAuthClient,
): Promise<ServicePrincipal> {
  const secret = clientSecretOf(request);
  const { applicationId, tenantId, appId } = client;
  if (applicationId === undefined || tenantId === undefined) {
    throw signInErrors.AADSTS700025(
      "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    );
  }
  const { database, hasher, slowDown } = service;
  const principal = await findServicePrincipalByApp(database.kysely, tenantId, appId);
  const owners = principal === undefined ? [applicationId] : [applicationId, principal.id];
  const candidates = await secretCandidates(database.kysely, owners, secret);
  const attempt = { name: appId, address: request.address };
  // Who proved himself a moment ago with the same secret is not made to wait for others' guesses.
  if (!candidates.some(({ hash }) => hasher.remembers(secret, hash))) refuseTooSoon(service, attempt);
  const verdict = await verifySecret(candidates, secret, hasher, database.clock.now());
  if (verdict === "wrong") {
    slowDown.failed(attempt);
    throw signInErrors.AADSTS7000215(
      `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${appId}'.`,
    );
  }
  if (verdict !== "accepted") {
    throw signInErrors.AADSTS7000222(
      `The provided client secret keys for app '${appId}' are ${verdict === "expired" ? "expired" : "not valid yet"}. Create a new one with 'az ad app credential reset --id ${appId}'.`,
    );
  }
  slowDown.succeeded(attempt);
  if (principal === undefined) {
    throw signInErrors.AADSTS7000112(
      `The application '${appId}' has no service principal in this tenant. Create one with 'az ad sp create --id ${appId}'.`,
    );
  }
  if (!principal.enabled) throw signInErrors.AADSTS7000112(`Application '${appId}' is disabled.`);
  return principal;
}

export function refuseTooSoon({ slowDown }: OAuthService, attempt: { name: string; address: string }): void {
  const wait = slowDown.waitFor(attempt);
  if (wait === 0) return;
  const seconds = Math.ceil(wait / 1000);
  throw signInErrors.AADSTS50053(`Too many failed sign-ins. Try again in ${seconds} seconds.`, {
    facts: { retryAfterSeconds: seconds },
  });
}

function clientSecretOf({ form }: TokenRequest): string {
  if (form.has("client_assertion")) {
    throw signInErrors.AADSTS7000218(
      "Certificates and federated credentials (client_assertion) are not supported. Sign in with a 'client_secret'.",
    );
  }
  if ((form.get("client_secret") ?? "") === "") {
    throw signInErrors.AADSTS7000218(
      "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    );
  }
  return required(form, "client_secret");
}
