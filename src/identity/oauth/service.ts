// What the grants share.

import type { Database } from "../../db/database.ts";
import type { SecretBox } from "../../lib/secret-box.ts";
import type { PasswordHasher } from "../directory/password-hash.ts";
import type { Tenant } from "../directory/tenants.ts";
import type { SigningKeys } from "../tokens/signing-keys.ts";
import type { TokenIssuer, TokenSubject } from "../tokens/issuer.ts";
import type { SignInLog } from "./sign-in-log.ts";
import type { SlowDown } from "./slow-down.ts";

export interface OAuthService {
  readonly database: Database;
  readonly hasher: PasswordHasher;
  readonly issuer: TokenIssuer;
  readonly keys: SigningKeys;
  readonly slowDown: SlowDown;
  readonly signIns: SignInLog;
  readonly secretBox: SecretBox;
  /** Every origin under which the service is reached; the first is the canonical one. */
  readonly origins: () => readonly string[];
  readonly portalRedirectUris: () => readonly string[];
}

/** One request to the token endpoint, its parameters read. */
export interface TokenRequest {
  readonly form: ReadonlyMap<string, string>;
  /** undefined: `/adfs`, `/common`, `/organizations`; the principal's own tenant. */
  readonly tenant: Tenant | undefined;
  /** What ID tokens name as their issuer, given the tenant. */
  readonly issuerFor: (tenantId: string) => string;
  readonly address: string;
  readonly correlationId: string;
}

/** What a grant came to, for the answer and for the log. */
export interface Granted {
  readonly subject: TokenSubject;
  readonly appId: string;
  readonly scope: string;
  /** With an ID token and, if asked for, a refresh token: a person signed in. */
  readonly person?: PersonGrant;
}

export interface PersonGrant {
  readonly nonce: string;
  /** Already made, when it replaces another. */
  readonly refreshToken: string | undefined;
}
