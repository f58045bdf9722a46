// The bytes of vaults that are gone. No vault is deleted while it keeps an item. Each store goes by itself:
// one whose place does not answer any more keeps no other one waiting.

import type { Transaction } from "kysely";
import type { Database } from "../../db/database.ts";
import { deliverOutbox } from "../../db/outbox-delivery.ts";
import { postMessage } from "../../db/outbox.ts";
import type { Tables } from "../../db/schema.ts";
import { vaultStore } from "./store-name.ts";
import type { Stores } from "./stores.ts";

const topic = "drop-vault-store";

/** For the subscriber to `vault.deleted`. */
export async function postDrops(
  trx: Transaction<Tables>,
  events: readonly { readonly data: unknown }[],
): Promise<void> {
  for (const { data } of events) {
    const { guid } = data as { guid: string };
    await postMessage(trx, { topic, key: guid, body: { guid } });
  }
}

export interface DropTimes {
  readonly firstDelayMilliseconds: number;
  readonly maxDelayMilliseconds: number;
}

const usualTimes: DropTimes = { firstDelayMilliseconds: 1_000, maxDelayMilliseconds: 15 * 60_000 };
/** What is deleted stays deleted, so a large store goes in several attempts. */
const attemptMilliseconds = 10 * 60_000;
/** About ten years of them: whoever mends a place next month finds its store dropped. */
const maxAttempts = 350_000;

/** Works until `signal`. */
export function dropDeleted(
  database: Database,
  stores: Pick<Stores, "drop">,
  report: (error: unknown) => void,
  signal: AbortSignal,
  times: DropTimes = usualTimes,
): Promise<void> {
  return deliverOutbox(
    database,
    {
      topic,
      deliver: async ({ body }, dropSignal) => {
        try {
          await stores.drop(vaultStore((body as { guid: string }).guid), dropSignal);
        } catch (error) {
          if (!dropSignal.aborted) report(error);
          throw error;
        }
      },
      concurrency: 2,
      maxAttempts,
      ...times,
      attemptMilliseconds,
      report,
    },
    signal,
  );
}
