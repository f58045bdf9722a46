// Authorization codes: good for one exchange within five minutes, by the client they were made for,
// with the proof key (PKCE, S256) that the sign-in was begun with.

import { hash, timingSafeEqual } from "node:crypto";
import { scopeOf } from "../../db/transaction.ts";
import { randomBytes } from "../../lib/random.ts";
import type { Writing } from "../database.ts";
import { endFamily, newFamily } from "./refresh-tokens.ts";

export interface CodeTerms {
  readonly tenantId: string;
  readonly appId: string;
  readonly userId: string;
  readonly redirectUri: string;
  readonly scope: string;
  readonly nonce: string;
  /** base64url(SHA-256(verifier)) */
  readonly challenge: string;
}

export interface CodeProof {
  readonly code: string;
  readonly appId: string;
  readonly redirectUri: string;
  readonly verifier: string;
}

export type Redemption =
  | { readonly outcome: "redeemed"; readonly terms: CodeTerms; readonly familyId: string }
  | { readonly outcome: "unknown" | "expired" | "redeemedBefore" | "wrongRedirect" | "wrongVerifier" };

const lifetime = 5 * 60_000;
/** How long a redeemed code is remembered, to notice when it comes a second time. */
const remembered = 60 * 60_000;

export async function addAuthorizationCode(trx: Writing, terms: CodeTerms): Promise<string> {
  const code = randomBytes(32).toString("base64url");
  await trx
    .insertInto("authorization_codes")
    .values({
      code_hash: hash("sha256", code, "base64url"),
      tenant_id: terms.tenantId,
      app_id: terms.appId,
      user_id: terms.userId,
      redirect_uri: terms.redirectUri,
      scope: terms.scope,
      nonce: terms.nonce,
      challenge: terms.challenge,
      family_id: "",
      expires_at: scopeOf(trx).clock.now() + lifetime,
    })
    .execute();
  return code;
}

/** Commits also when it refuses: a code that comes twice ends what the first exchange gave. */
export async function redeemCode(trx: Writing, proof: CodeProof): Promise<Redemption> {
  const codeHash = hash("sha256", proof.code, "base64url");
  const row = await trx
    .selectFrom("authorization_codes")
    .selectAll()
    .where("code_hash", "=", codeHash)
    .executeTakeFirst();
  if (row === undefined || row.app_id !== proof.appId) return { outcome: "unknown" };
  if (row.family_id !== "") {
    await endFamily(trx, row.family_id);
    return { outcome: "redeemedBefore" };
  }
  if (row.expires_at <= scopeOf(trx).clock.now()) return { outcome: "expired" };
  if (row.redirect_uri !== proof.redirectUri) return { outcome: "wrongRedirect" };
  if (!fits(proof.verifier, row.challenge)) return { outcome: "wrongVerifier" };
  const familyId = newFamily();
  await trx.updateTable("authorization_codes").set({ family_id: familyId }).where("code_hash", "=", codeHash).execute();
  return {
    outcome: "redeemed",
    familyId,
    terms: {
      tenantId: row.tenant_id,
      appId: row.app_id,
      userId: row.user_id,
      redirectUri: row.redirect_uri,
      scope: row.scope,
      nonce: row.nonce,
      challenge: row.challenge,
    },
  };
}

export async function pruneAuthorizationCodes(trx: Writing): Promise<void> {
  const before = scopeOf(trx).clock.now() - remembered;
  await trx.deleteFrom("authorization_codes").where("expires_at", "<=", before).execute();
}

function fits(verifier: string, challenge: string): boolean {
  const computed = Buffer.from(hash("sha256", verifier, "base64url"));
  const expected = Buffer.from(challenge);
  return computed.length === expected.length && timingSafeEqual(computed, expected);
}
