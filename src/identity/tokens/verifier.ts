// Says whose token it is, or why it is none. A token that verified once is remembered by its hash
// until it expires, so an API request costs a hash and a look-up; time and audience are looked at
// every time.

import { hash } from "node:crypto";
import { compactVerify, decodeProtectedHeader } from "jose";
import { z } from "zod";
import type { Clock } from "../../lib/clock.ts";
import type { HoldfastError } from "../../lib/errors.ts";
import { authenticationErrors } from "../errors.ts";
import { issuerOf } from "./issuer.ts";
import { signingAlgorithm, type SigningKeys } from "./signing-keys.ts";

export interface VerifiedToken {
  readonly objectId: string;
  readonly tenantId: string;
  readonly type: "User" | "ServicePrincipal";
  /** User name of a user, client id of a service principal. */
  readonly name: string;
  readonly appId: string;
  readonly audience: string;
  readonly expiresAt: number;
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface TokenDemands {
  /** Of these, whatever slash they end with. */
  readonly audiences: readonly string[];
  /** The tenant that the asked-for subscription trusts. */
  readonly tenantId?: string;
}

export interface TokenVerifier {
  /** `authorization` is the request's header. Throws one of the authentication errors. */
  verifyHeader(authorization: string | undefined, demands: TokenDemands): Promise<VerifiedToken>;
  verify(token: string, demands: TokenDemands): Promise<VerifiedToken>;
}

export interface TokenVerifierOptions {
  readonly keys: SigningKeys;
  readonly clock: Clock;
  /** Every origin under which this service issues tokens. */
  readonly origins: () => readonly string[];
}

const longestToken = 16 * 1024;
const rememberedTokens = 10_000;
/** Between processes whose clocks differ a little. */
const notBeforeTolerance = 60_000;

const claimsSchema = z.looseObject({
  iss: z.string(),
  aud: z.string(),
  exp: z.number(),
  nbf: z.number(),
  oid: z.string(),
  tid: z.string(),
  appid: z.string(),
  idtyp: z.enum(["user", "app"]),
  upn: z.string().optional(),
});

interface Remembered {
  readonly token: VerifiedToken;
  readonly issuer: string;
  readonly notBefore: number;
}

export function tokenVerifier({ keys, clock, origins }: TokenVerifierOptions): TokenVerifier {
  const remembered = new Map<string, Remembered>();

  const read = async (token: string): Promise<Remembered> => {
    const key = hash("sha256", token, "base64");
    const known = remembered.get(key);
    if (known !== undefined) return known;
    const read = await readToken(token, keys);
    if (remembered.size >= rememberedTokens) remembered.delete(remembered.keys().next().value ?? "");
    remembered.set(key, read);
    return read;
  };

  const verify = async (token: string, demands: TokenDemands): Promise<VerifiedToken> => {
    const { token: verified, issuer, notBefore } = await read(token);
    if (!origins().some((origin) => issuerOf(origin, verified.tenantId) === issuer)) {
      throw invalid(`The access token is from the issuer '${issuer}', which is not this service.`);
    }
    const now = clock.now();
    if (verified.expiresAt <= now) throw expired(verified.expiresAt, now);
    if (notBefore > now + notBeforeTolerance) throw invalid("The access token is not yet valid.");
    if (!demands.audiences.some((audience) => sameAudience(audience, verified.audience))) {
      throw authenticationErrors.InvalidAuthenticationTokenAudience(
        `The access token has been obtained for wrong audience or resource '${verified.audience}'. It should exactly match with one of the allowed audiences ${demands.audiences.map((audience) => `'${audience}'`).join(",")}.`,
      );
    }
    if (demands.tenantId !== undefined && demands.tenantId.toLowerCase() !== verified.tenantId.toLowerCase()) {
      const wanted = issuerOf(origins()[0] ?? "", demands.tenantId);
      throw authenticationErrors.InvalidAuthenticationTokenTenant(
        `The access token is from the wrong issuer '${issuer}'. It must match the tenant '${wanted}' associated with this subscription. Please use the authority (URL) '${wanted.replace(/\/v2\.0$/, "")}' to get the token.`,
      );
    }
    return verified;
  };

  return {
    verify,
    verifyHeader: async (authorization, demands) => {
      if (authorization === undefined || authorization === "") {
        throw authenticationErrors.AuthenticationFailed(
          "Authentication failed. The 'Authorization' header is missing.",
        );
      }
      const token = /^bearer +([\w.~+/=-]+) *$/i.exec(authorization)?.[1];
      if (token === undefined) {
        throw authenticationErrors.AuthenticationFailed(
          "Authentication failed. The 'Authorization' header is provided in an invalid format.",
        );
      }
      return verify(token, demands);
    },
  };
}

/** The `WWW-Authenticate` header of a 401. */
export function challengeOf(error: HoldfastError, origin: string, tenantId: string): string {
  const description = error.message.replaceAll(/["\\\r\n]/g, "'");
  return `Bearer authorization_uri="${origin}/${tenantId}", error="invalid_token", error_description="${description}"`;
}

/** Signature and shape; time, audience and tenant are the caller's. */
async function readToken(token: string, keys: SigningKeys): Promise<Remembered> {
  if (token.length > longestToken) throw invalid("The access token is too long.");
  const { alg, kid } = readHeader(token);
  // The algorithm is ours to choose, never the token's: no "none", no HMAC keyed with a public key.
  if (alg !== signingAlgorithm) throw invalid(`The access token is signed with '${alg}', not ${signingAlgorithm}.`);
  const key = kid === undefined ? undefined : await keys.find(kid);
  if (key === undefined) throw invalid("The access token is signed with a key that is not known here.");
  const claims = await readClaims(token, key);
  return {
    issuer: claims.iss,
    notBefore: claims.nbf * 1000,
    token: {
      objectId: claims.oid,
      tenantId: claims.tid,
      type: claims.idtyp === "user" ? "User" : "ServicePrincipal",
      name: claims.upn ?? claims.appid,
      appId: claims.appid,
      audience: claims.aud,
      expiresAt: claims.exp * 1000,
      claims,
    },
  };
}

function readHeader(token: string): { alg: string | undefined; kid: string | undefined } {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    return { alg, kid };
  } catch (error) {
    throw invalid("The access token is not a JSON Web Token.", error);
  }
}

async function readClaims(
  token: string,
  key: NonNullable<Awaited<ReturnType<SigningKeys["find"]>>>,
): Promise<z.output<typeof claimsSchema>> {
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(token, key, { algorithms: [signingAlgorithm] }));
  } catch (error) {
    throw invalid("The access token's signature does not fit.", error);
  }
  try {
    return claimsSchema.parse(JSON.parse(Buffer.from(payload).toString("utf8")));
  } catch (error) {
    throw invalid("The access token lacks claims that an access token of this service has.", error);
  }
}

function sameAudience(left: string, right: string): boolean {
  return withoutSlash(left) === withoutSlash(right);
}

function withoutSlash(audience: string): string {
  return audience.replace(/\/+$/, "").toLowerCase();
}

function invalid(message: string, cause?: unknown): HoldfastError {
  return authenticationErrors.InvalidAuthenticationToken(message, { cause });
}

function expired(expiresAt: number, now: number): HoldfastError {
  return authenticationErrors.ExpiredAuthenticationToken(
    `The access token expiry UTC time '${utcText(expiresAt)}' is earlier than current UTC time '${utcText(now)}'.`,
  );
}

function utcText(milliseconds: number): string {
  return new Date(milliseconds).toLocaleString("en-US", { timeZone: "UTC" }).replace(",", "");
}
