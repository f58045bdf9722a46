// Refresh tokens: random, stored hashed, exchanged for a new one at every use. A token that comes
// back after its exchange was stolen from one side or the other, so its whole family ends.
// Two az commands started together send the same token within moments; that much is forgiven.

import { hash } from "node:crypto";
import { scopeOf } from "../../db/transaction.ts";
import { newGuid, randomBytes } from "../../lib/random.ts";
import type { Writing } from "../database.ts";

export interface RefreshTerms {
  readonly familyId: string;
  readonly tenantId: string;
  readonly appId: string;
  readonly userId: string;
  readonly scope: string;
}

export type Exchange =
  | { readonly outcome: "exchanged"; readonly terms: RefreshTerms; readonly next: string }
  | { readonly outcome: "unknown" | "expired" | "reused" | "foreign" };

const lifetime = 90 * 86_400_000;
const forgiven = 10_000;

export function newFamily(): string {
  return newGuid();
}

export async function addRefreshToken(trx: Writing, terms: RefreshTerms): Promise<string> {
  const token = randomBytes(32).toString("base64url");
  const now = scopeOf(trx).clock.now();
  await trx
    .insertInto("refresh_tokens")
    .values({
      token_hash: hashOf(token),
      family_id: terms.familyId,
      tenant_id: terms.tenantId,
      app_id: terms.appId,
      user_id: terms.userId,
      scope: terms.scope,
      issued_at: now,
      expires_at: now + lifetime,
      used_at: 0,
    })
    .execute();
  return token;
}

/** Commits also when it refuses: ending a family is a change. */
export async function exchangeRefreshToken(trx: Writing, token: string, appId: string): Promise<Exchange> {
  const row = await trx
    .selectFrom("refresh_tokens")
    .selectAll()
    .where("token_hash", "=", hashOf(token))
    .executeTakeFirst();
  if (row === undefined) return { outcome: "unknown" };
  if (row.app_id !== appId) return { outcome: "foreign" };
  const now = scopeOf(trx).clock.now();
  if (row.expires_at <= now) return { outcome: "expired" };
  if (row.used_at !== 0 && now - row.used_at > forgiven) {
    await endFamily(trx, row.family_id);
    return { outcome: "reused" };
  }
  if (row.used_at === 0) {
    await trx.updateTable("refresh_tokens").set({ used_at: now }).where("token_hash", "=", row.token_hash).execute();
  }
  const terms: RefreshTerms = {
    familyId: row.family_id,
    tenantId: row.tenant_id,
    appId: row.app_id,
    userId: row.user_id,
    scope: row.scope,
  };
  return { outcome: "exchanged", terms, next: await addRefreshToken(trx, terms) };
}

export async function endFamily(trx: Writing, familyId: string): Promise<void> {
  await trx.deleteFrom("refresh_tokens").where("family_id", "=", familyId).execute();
}

export async function pruneRefreshTokens(trx: Writing): Promise<void> {
  await trx.deleteFrom("refresh_tokens").where("expires_at", "<=", scopeOf(trx).clock.now()).execute();
}

function hashOf(token: string): string {
  return hash("sha256", token, "base64url");
}
