// Client secrets: several at a time per application or service principal, each with its end. The
// text is shown once, when it is made.

import { scopeOf } from "../../db/transaction.ts";
import { newGuid } from "../../lib/random.ts";
import type { Reading, Writing } from "../database.ts";
import { directoryErrors } from "../errors.ts";
import { newClientSecret } from "./generated-secret.ts";
import type { PasswordHasher } from "./password-hash.ts";

export interface ClientSecret {
  readonly keyId: string;
  readonly ownerId: string;
  readonly displayName: string | null;
  /** The first three characters. */
  readonly hint: string;
  readonly startsAt: number;
  readonly endsAt: number;
}

/** A secret made but not stored yet: hashing is slow and has no place inside a transaction. */
export interface PreparedSecret {
  readonly text: string;
  readonly hash: string;
}

export interface SecretTerms {
  readonly ownerId: string;
  readonly appId: string;
  readonly displayName?: string | null;
  readonly startsAt?: number;
  readonly endsAt?: number;
}

export type SecretVerdict = "accepted" | "wrong" | "expired" | "notYetValid";

/** Azure's own default. */
const defaultLifetime = 2 * 365 * 86_400_000;
const mostSecrets = 50;

export async function prepareSecret(hasher: PasswordHasher): Promise<PreparedSecret> {
  const text = newClientSecret();
  return { text, hash: await hasher.hash(text) };
}

export async function addClientSecret(trx: Writing, terms: SecretTerms, secret: PreparedSecret): Promise<ClientSecret> {
  const existing = await listClientSecrets(trx, [terms.ownerId]);
  if (existing.length >= mostSecrets) {
    throw directoryErrors.Request_BadRequest(
      `The object has ${existing.length} secrets; no more than ${mostSecrets} are possible. Remove some first.`,
    );
  }
  const startsAt = terms.startsAt ?? scopeOf(trx).clock.now();
  const added: ClientSecret = {
    keyId: newGuid(),
    ownerId: terms.ownerId,
    displayName: terms.displayName ?? null,
    hint: secret.text.slice(0, 3),
    startsAt,
    endsAt: terms.endsAt ?? startsAt + defaultLifetime,
  };
  await trx
    .insertInto("directory_client_secrets")
    .values({
      key_id: added.keyId,
      owner_id: added.ownerId,
      app_id: terms.appId.toLowerCase(),
      display_name: added.displayName,
      hint: added.hint,
      hash: secret.hash,
      starts_at: added.startsAt,
      ends_at: added.endsAt,
    })
    .execute();
  return added;
}

export async function removeClientSecret(trx: Writing, ownerId: string, keyId: string): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom("directory_client_secrets")
    .where("owner_id", "=", ownerId)
    .where("key_id", "=", keyId.toLowerCase())
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

export async function listClientSecrets(reading: Reading, ownerIds: readonly string[]): Promise<ClientSecret[]> {
  if (ownerIds.length === 0) return [];
  const rows = await reading
    .selectFrom("directory_client_secrets")
    .select(["key_id", "owner_id", "display_name", "hint", "starts_at", "ends_at"])
    .where("owner_id", "in", [...ownerIds])
    .orderBy("starts_at")
    .orderBy("key_id")
    .execute();
  return rows.map((row) => ({
    keyId: row.key_id,
    ownerId: row.owner_id,
    displayName: row.display_name,
    hint: row.hint,
    startsAt: row.starts_at,
    endsAt: row.ends_at,
  }));
}

/** Secrets that could be meant, by the hint, so that a client with many costs no more than one with one. */
export async function secretCandidates(
  reading: Reading,
  ownerIds: readonly string[],
  text: string,
): Promise<readonly StoredSecret[]> {
  return reading
    .selectFrom("directory_client_secrets")
    .select(["hash", "starts_at", "ends_at"])
    .where("owner_id", "in", [...ownerIds])
    .where("hint", "=", text.slice(0, 3))
    .execute();
}

export interface StoredSecret {
  readonly hash: string;
  readonly starts_at: number;
  readonly ends_at: number;
}

export async function verifySecret(
  candidates: readonly StoredSecret[],
  text: string,
  hasher: PasswordHasher,
  now: number,
): Promise<SecretVerdict> {
  for (const candidate of candidates) {
    if (!(await hasher.verify(text, candidate.hash))) continue;
    if (candidate.ends_at <= now) return "expired";
    return candidate.starts_at > now ? "notYetValid" : "accepted";
  }
  return "wrong";
}
