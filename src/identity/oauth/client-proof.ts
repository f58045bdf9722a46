// A confidential client proves itself with one of its secrets or certificates.

import { certificatesOf, usableCertificate } from "../directory/certificates.ts";
import { secretCandidates, verifySecret } from "../directory/client-secrets.ts";
import { findServicePrincipalByApp, type ServicePrincipal } from "../directory/service-principals.ts";
import { assertionType, verifyAssertion } from "./client-assertion.ts";
import type { OAuthClient } from "./clients.ts";
import { signInErrors } from "./errors.ts";
import { required } from "./form.ts";
import type { OAuthService, TokenRequest } from "./service.ts";

interface Registered {
  readonly appId: string;
  readonly applicationId: string;
  readonly principal: ServicePrincipal | undefined;
}

/** The service principal that the client is, once its proof was right. */
export async function proveClient(
  service: OAuthService,
  request: TokenRequest,
  client: OAuthClient,
): Promise<ServicePrincipal> {
  const { applicationId, tenantId, appId } = client;
  if (applicationId === undefined || tenantId === undefined) {
    throw signInErrors.AADSTS700025(
      "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    );
  }
  const principal = await findServicePrincipalByApp(service.database.kysely, tenantId, appId);
  const registered = { appId, applicationId, principal };
  if (request.form.has("client_assertion")) await proveByCertificate(service, request, client, registered);
  else await proveBySecret(service, request, registered);
  if (principal === undefined) {
    throw signInErrors.AADSTS7000112(
      `The application '${appId}' has no service principal in this tenant. Create one with 'az ad sp create --id ${appId}'.`,
    );
  }
  if (!principal.enabled) throw signInErrors.AADSTS7000112(`Application '${appId}' is disabled.`);
  return principal;
}

async function proveBySecret(
  service: OAuthService,
  request: TokenRequest,
  { appId, applicationId, principal }: Registered,
): Promise<void> {
  const { database, hasher, slowDown } = service;
  const secret = clientSecretOf(request);
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
}

async function proveByCertificate(
  service: OAuthService,
  { form }: TokenRequest,
  client: OAuthClient,
  { appId, principal }: Registered,
): Promise<void> {
  if (required(form, "client_assertion_type") !== assertionType) {
    throw signInErrors.AADSTS9002313(`The parameter 'client_assertion_type' must be ${assertionType}.`);
  }
  const certificates = [...client.certificates, ...certificatesOf(principal?.properties ?? {})].map(usableCertificate);
  const now = service.database.clock.now();
  await verifyAssertion(required(form, "client_assertion"), { appId, certificates, origins: service.origins(), now });
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
  if ((form.get("client_secret") ?? "") === "") {
    throw signInErrors.AADSTS7000218(
      "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    );
  }
  return required(form, "client_secret");
}
