// POST …/token: read the form, find the grant, write down how it ended, answer.

import { z } from "zod";
import { HoldfastError } from "../../lib/errors.ts";
import { newGuid } from "../../lib/random.ts";
import { readScope } from "../audiences.ts";
import { errorNumber, oauthErrorBody, signInErrors } from "./errors.ts";
import { required } from "./form.ts";
import { grants } from "./grants.ts";
import type { Granted, OAuthService, TokenRequest } from "./service.ts";

export interface TokenReply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
}

const claimsParameter = z.object({
  access_token: z.object({ xms_cc: z.object({ values: z.array(z.string()).max(10) }).optional() }).optional(),
});

/** A token is an answer that nobody may keep. */
const noStore = { "cache-control": "no-store", pragma: "no-cache" };

export async function answerTokenRequest(service: OAuthService, request: TokenRequest): Promise<TokenReply> {
  try {
    const grantType = required(request.form, "grant_type");
    const grant = Object.hasOwn(grants, grantType) ? grants[grantType] : undefined;
    if (grant === undefined) {
      throw signInErrors.AADSTS70003(`The app requested an unsupported grant type '${grantType.slice(0, 60)}'.`);
    }
    const capabilities = capabilitiesOf(request.form.get("claims"));
    const granted = await grant(service, request);
    const body = await tokenBody(service, request, granted, capabilities);
    await record(service, request, granted, undefined);
    return { status: 200, body, headers: noStore };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.status >= 500) throw error;
    const refusal = error.code === "TooManySignIns" ? busy(error) : error;
    await recordRefusal(service, request, refusal);
    return refusalReply(service, request, refusal);
  }
}

export function refusalReply(
  service: OAuthService,
  { correlationId }: Pick<TokenRequest, "correlationId">,
  error: HoldfastError,
): TokenReply {
  const ids = { traceId: newGuid(), correlationId, at: service.database.clock.now() };
  const retryAfter = error.facts["retryAfterSeconds"];
  return {
    status: error.status,
    body: oauthErrorBody(error, ids),
    headers: retryAfter === undefined ? noStore : { ...noStore, "retry-after": String(retryAfter) },
  };
}

async function tokenBody(
  service: OAuthService,
  request: TokenRequest,
  { subject, appId, scope, person }: Granted,
  capabilities: readonly string[] | undefined,
): Promise<Record<string, unknown>> {
  const { audience } = readScope(scope);
  const { token, expiresIn } = await service.issuer.accessToken({ subject, appId, audience, capabilities });
  const body = {
    token_type: "Bearer",
    expires_in: expiresIn,
    ext_expires_in: expiresIn,
    access_token: token,
  };
  if (person === undefined) return body;
  const issuer = request.issuerFor(subject.tenantId);
  const clientInfo = { uid: subject.objectId, utid: subject.tenantId };
  return {
    ...body,
    scope,
    id_token: await service.issuer.idToken({ subject, appId, issuer, nonce: person.nonce }),
    client_info: Buffer.from(JSON.stringify(clientInfo)).toString("base64url"),
    ...(person.refreshToken === undefined ? {} : { refresh_token: person.refreshToken }),
  };
}

function capabilitiesOf(claims: string | undefined): readonly string[] | undefined {
  if (claims === undefined || claims === "") return undefined;
  try {
    return claimsParameter.parse(JSON.parse(claims)).access_token?.xms_cc?.values;
  } catch (error) {
    throw signInErrors.AADSTS9002313("The parameter 'claims' is not a JSON object of claims requests.", {
      cause: error,
    });
  }
}

/** Whose secret was wrong is counted where the secret was looked at. */
const countedAlready = new Set(["AADSTS7000215", "AADSTS50126"]);

/**
 * Attempts that nobody looked at are not worth a row, and a stranger must not fill the disk with
 * rows by asking nonsense: once an address is slowed down, its nonsense is no longer written down.
 */
async function recordRefusal(service: OAuthService, request: TokenRequest, refusal: HoldfastError): Promise<void> {
  if (refusal.code === "AADSTS50053") return;
  const stranger = { name: "", address: request.address };
  const isGuess = countedAlready.has(refusal.code);
  if (isGuess || service.slowDown.waitFor(stranger) === 0) await record(service, request, undefined, refusal);
  if (!isGuess) service.slowDown.failed(stranger);
}

function busy(error: HoldfastError): HoldfastError {
  return signInErrors.AADSTS50053(error.sentence, { facts: { retryAfterSeconds: 2 }, cause: error });
}

async function record(
  service: OAuthService,
  { form, tenant, address, correlationId }: TokenRequest,
  granted: Granted | undefined,
  error: HoldfastError | undefined,
): Promise<void> {
  await service.signIns.record({
    at: service.database.clock.now(),
    tenantId: granted?.subject.tenantId ?? tenant?.id ?? "",
    principalId: granted?.subject.objectId ?? "",
    principalName: granted?.subject.userPrincipalName ?? form.get("username") ?? form.get("client_id") ?? "",
    appId: granted?.appId ?? form.get("client_id") ?? "",
    grantType: form.get("grant_type") ?? "",
    address,
    errorCode: error === undefined ? 0 : errorNumber(error),
    reason: error === undefined ? "Success" : error.message,
    correlationId,
  });
}
