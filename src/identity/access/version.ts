// One number that grows with every change of who may do what. It is changed in the transaction of
// the change itself, so whoever reads the same number sees the same grants, in any process.

import { sql } from "kysely";
import type { Reading, Writing } from "../database.ts";

export async function bumpAccessVersion(trx: Writing): Promise<void> {
  await trx
    .updateTable("access_version")
    .set({ version: sql<number>`version + 1` })
    .where("id", "=", 1)
    .execute();
}

/**
 * Reads the version; callers that ask at the same moment share one query. The query is sent only
 * after everybody who shares it has asked, so nobody is told of a moment before his question.
 */
export function accessVersionReader(reading: Reading): () => Promise<number> {
  const query = reading.selectFrom("access_version").select("version").where("id", "=", 1).compile();
  let shared: Promise<number> | undefined;
  return () => {
    shared ??= Promise.resolve().then(async () => {
      shared = undefined;
      const { rows } = await reading.executeQuery(query);
      return rows[0]?.version ?? 0;
    });
    return shared;
  };
}
