// Identity as a whole: keys, tokens, the directory, access, and the endpoints before them.

import type { Hono } from "hono";
import type { Database } from "../db/database.ts";
import type { SecretBox } from "../lib/secret-box.ts";
import { openAccess, type Access } from "./access/access.ts";
import { graphAudiences, managementAudiences } from "./audiences.ts";
import { ensureBootstrap, type AdministratorSecrets, type Bootstrapped, type BootstrapSettings } from "./bootstrap.ts";
import { passwordHasher, type HashCost } from "./directory/password-hash.ts";
import { graphRoutes } from "./graph/routes.ts";
import { pruneAuthorizationCodes } from "./oauth/authorization-codes.ts";
import { pruneRefreshTokens } from "./oauth/refresh-tokens.ts";
import { identityRoutes, type IdentityRoutesOptions } from "./oauth/routes.ts";
import { signInLog, type SignIn, type SignInLog } from "./oauth/sign-in-log.ts";
import { slowDown } from "./oauth/slow-down.ts";
import { defaultLifetime, tokenIssuer, type TokenIssuer } from "./tokens/issuer.ts";
import { defaultRotation, openSigningKeys, type KeyRotation } from "./tokens/signing-keys.ts";
import { tokenVerifier, type TokenVerifier } from "./tokens/verifier.ts";

export interface IdentityOptions {
  readonly database: Database;
  readonly secretBox: SecretBox;
  /** `https://localhost:8443` and every other origin under which the service is reached; canonical first. */
  readonly origins: () => readonly string[];
  /** Where the portal waits after a sign-in, each exactly. */
  readonly portalRedirectUris: () => readonly string[];
  readonly addressOf: IdentityRoutesOptions["addressOf"];
  /** Hears of every sign-in, granted or refused. */
  readonly onSignIn?: (signIn: SignIn) => void;
  readonly rotation?: KeyRotation;
  /** Seconds that a token is good for. */
  readonly tokenLifetime?: number;
  readonly hashCost?: HashCost;
}

export interface Identity {
  readonly access: Access;
  readonly tokens: TokenVerifier & TokenIssuer;
  readonly signIns: SignInLog;
  /** Audiences that the management API takes. */
  audiences(): readonly string[];
  ensureBootstrap(
    settings: BootstrapSettings,
    save: (secrets: AdministratorSecrets) => Promise<void>,
  ): Promise<Bootstrapped>;
  /** Fails when the secrets of the database open with another key: better at the start than at a sign-in. */
  openSigningKey(): Promise<void>;
  /** `/adfs/…` and `/{tenant}/…`: both authorities. */
  readonly identityRoutes: Hono;
  /** `/v1.0/…`: the slice of Microsoft Graph. */
  readonly graphRoutes: Hono;
  /** Forgets what is past its time: keys, codes, refresh tokens, sign-ins. Once an hour is enough. */
  maintain(): Promise<void>;
}

export function openIdentity(options: IdentityOptions): Identity {
  const { database, secretBox, origins } = options;
  const { clock } = database;
  const keys = openSigningKeys({ database, secretBox, rotation: options.rotation ?? defaultRotation });
  const hasher = passwordHasher(options.hashCost);
  const issuer = tokenIssuer({
    keys,
    clock,
    origin: () => origins()[0] ?? "",
    lifetime: options.tokenLifetime ?? defaultLifetime,
  });
  const verifier = tokenVerifier({ keys, clock, origins });
  const signIns = signInLog(database, options.onSignIn);
  const access = openAccess(database);
  const service = {
    database,
    hasher,
    issuer,
    keys,
    signIns,
    secretBox,
    origins,
    slowDown: slowDown(clock),
    portalRedirectUris: options.portalRedirectUris,
  };
  return {
    access,
    tokens: { ...verifier, ...issuer },
    signIns,
    audiences: () => [...origins(), ...managementAudiences],
    ensureBootstrap: (settings, save) => ensureBootstrap(database, hasher, settings, save),
    openSigningKey: async () => void (await keys.current()),
    identityRoutes: identityRoutes(service, { addressOf: options.addressOf }),
    graphRoutes: graphRoutes({
      database,
      access,
      hasher,
      verifier,
      origins,
      audiences: () => [...origins(), ...graphAudiences, ...managementAudiences],
    }),
    maintain: async () => {
      await keys.prune();
      await signIns.prune();
      await database.transaction(async (trx) => {
        await pruneAuthorizationCodes(trx);
        await pruneRefreshTokens(trx);
      });
    },
  };
}
