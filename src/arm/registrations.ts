// What is registered in a subscription: providers and features.

import type { Clock } from "../lib/clock.ts";
import type { Reader, Writer } from "./resources/resource-store.ts";

/** `Registered` unless somebody has said otherwise: a new subscription is ready for use. */
export async function registrationState(reader: Reader, subscriptionId: string, name: string, unlessSaid: string): Promise<string> {
  const row = await reader
    .selectFrom("registrations")
    .select("state")
    .where("subscription_id", "=", subscriptionId.toLowerCase())
    .where("name", "=", name.toLowerCase())
    .executeTakeFirst();
  return row?.state ?? unlessSaid;
}

export async function setRegistrationState(trx: Writer, clock: Clock, subscriptionId: string, name: string, state: string): Promise<void> {
  await trx
    .insertInto("registrations")
    .values({ subscription_id: subscriptionId.toLowerCase(), name: name.toLowerCase(), state, changed_at: clock.now() })
    .onConflict((conflict) => conflict.columns(["subscription_id", "name"]).doUpdateSet({ state, changed_at: clock.now() }))
    .execute();
}

export async function registrationStates(reader: Reader, subscriptionId: string): Promise<Map<string, string>> {
  const rows = await reader
    .selectFrom("registrations")
    .select(["name", "state"])
    .where("subscription_id", "=", subscriptionId.toLowerCase())
    .execute();
  return new Map(rows.map((row) => [row.name, row.state]));
}
