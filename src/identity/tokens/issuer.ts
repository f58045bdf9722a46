// Makes tokens. Access tokens carry the claims that Azure's own carry and that clients read; ID
// tokens say to a client who signed in.

import { SignJWT } from "jose";
import type { Clock } from "../../lib/clock.ts";
import { newGuid } from "../../lib/random.ts";
import { signingAlgorithm, type SigningKeys } from "./signing-keys.ts";

export interface TokenSubject {
  readonly objectId: string;
  readonly tenantId: string;
  readonly type: "User" | "ServicePrincipal";
  /** Display name. */
  readonly displayName: string;
  /** User name of a user. */
  readonly userPrincipalName?: string;
}

export interface AccessTokenRequest {
  readonly subject: TokenSubject;
  /** Client id of who asked. */
  readonly appId: string;
  readonly audience: string;
  /** Capabilities that the client says it has (`CP1`). */
  readonly capabilities?: readonly string[] | undefined;
}

export interface IdTokenRequest {
  readonly subject: TokenSubject;
  readonly appId: string;
  readonly issuer: string;
  readonly nonce: string;
}

export interface IssuedToken {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
}

export interface TokenIssuer {
  accessToken(request: AccessTokenRequest): Promise<IssuedToken>;
  idToken(request: IdTokenRequest): Promise<string>;
}

export interface TokenIssuerOptions {
  readonly keys: SigningKeys;
  readonly clock: Clock;
  /** `https://localhost:8443`, without a slash at its end. */
  readonly origin: () => string;
  /** Seconds. */
  readonly lifetime: number;
}

export const defaultLifetime = 3600;

export function issuerOf(origin: string, tenantId: string): string {
  return `${origin}/${tenantId}/v2.0`;
}

export function tokenIssuer({ keys, clock, origin, lifetime }: TokenIssuerOptions): TokenIssuer {
  const sign = async (claims: Record<string, unknown>, issuer: string, audience: string): Promise<string> => {
    const { kid, privateKey } = await keys.current();
    const now = Math.floor(clock.now() / 1000);
    return new SignJWT(claims)
      .setProtectedHeader({ alg: signingAlgorithm, typ: "JWT", kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + lifetime)
      .sign(privateKey);
  };

  return {
    accessToken: async ({ subject, appId, audience, capabilities }) => {
      const claims = {
        appid: appId,
        appidacr: subject.type === "User" ? "0" : "1",
        idp: issuerOf(origin(), subject.tenantId),
        idtyp: subject.type === "User" ? "user" : "app",
        oid: subject.objectId,
        sub: subject.objectId,
        tid: subject.tenantId,
        uti: newGuid(),
        ver: "1.0",
        ...(capabilities === undefined ? {} : { xms_cc: capabilities }),
        ...(subject.type === "User"
          ? {
              name: subject.displayName,
              scp: "user_impersonation",
              unique_name: subject.userPrincipalName,
              upn: subject.userPrincipalName,
            }
          : { app_displayname: subject.displayName }),
      };
      return { token: await sign(claims, issuerOf(origin(), subject.tenantId), audience), expiresIn: lifetime - 1 };
    },
    idToken: async ({ subject, appId, issuer, nonce }) => {
      const claims = {
        name: subject.displayName,
        oid: subject.objectId,
        preferred_username: subject.userPrincipalName,
        sub: subject.objectId,
        tid: subject.tenantId,
        upn: subject.userPrincipalName,
        ver: "2.0",
        ...(nonce === "" ? {} : { nonce }),
      };
      return sign(claims, issuer, appId);
    },
  };
}
