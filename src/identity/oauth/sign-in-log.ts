// Every sign-in, granted or refused, is written down before it is answered.

import type { Database } from "../../db/database.ts";
import { appendEvent } from "../../events/append.ts";
import { newGuid } from "../../lib/random.ts";

export interface SignIn {
  readonly at: number;
  readonly tenantId: string;
  /** "" when nobody of that name exists. */
  readonly principalId: string;
  /** What the client called itself: client id or user name. */
  readonly principalName: string;
  readonly appId: string;
  readonly grantType: string;
  readonly address: string;
  /** 0 for success, else the AADSTS number. */
  readonly errorCode: number;
  readonly reason: string;
  readonly correlationId: string;
}

export interface SignInLog {
  record(signIn: SignIn): Promise<void>;
  /** Newest first. */
  list(limit: number): Promise<SignIn[]>;
  /** Removes what is older than the retention. */
  prune(): Promise<void>;
}

const retention = 90 * 86_400_000;
const longestText = 256;

export function signInLog(database: Database, listener: ((signIn: SignIn) => void) | undefined): SignInLog {
  return {
    record: async (signIn) => {
      const kept = boundedTexts(signIn);
      await database.transaction(async (trx) => {
        await trx
          .insertInto("sign_ins")
          .values({
            id: newGuid(),
            at: kept.at,
            tenant_id: kept.tenantId,
            principal_id: kept.principalId,
            principal_name: kept.principalName,
            app_id: kept.appId,
            grant_type: kept.grantType,
            address: kept.address,
            error_code: kept.errorCode,
            reason: kept.reason,
            correlation_id: kept.correlationId,
          })
          .execute();
        appendEvent(trx, {
          type: kept.errorCode === 0 ? "signIn.granted" : "signIn.refused",
          subject: kept.principalId === "" ? kept.principalName : kept.principalId,
          data: kept,
          correlationId: kept.correlationId,
          actor: kept.principalName,
        });
      });
      listener?.(kept);
    },
    list: async (limit) => {
      const rows = await database.kysely
        .selectFrom("sign_ins")
        .selectAll()
        .orderBy("at", "desc")
        .orderBy("id")
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        at: row.at,
        tenantId: row.tenant_id,
        principalId: row.principal_id,
        principalName: row.principal_name,
        appId: row.app_id,
        grantType: row.grant_type,
        address: row.address,
        errorCode: row.error_code,
        reason: row.reason,
        correlationId: row.correlation_id,
      }));
    },
    prune: async () => {
      await database.kysely
        .deleteFrom("sign_ins")
        .where("at", "<", database.clock.now() - retention)
        .execute();
    },
  };
}

function boundedTexts(signIn: SignIn): SignIn {
  return {
    ...signIn,
    principalName: bounded(signIn.principalName),
    appId: bounded(signIn.appId),
    grantType: bounded(signIn.grantType),
    address: bounded(signIn.address),
    reason: bounded(signIn.reason),
    correlationId: bounded(signIn.correlationId),
  };
}

/** PostgreSQL stores no NUL, and a log line is no place for a novel. */
function bounded(text: string): string {
  return text.replaceAll("\0", "").slice(0, longestText);
}
