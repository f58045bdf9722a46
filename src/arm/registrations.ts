// What is registered in a subscription: providers and features.

import type { Clock } from "../lib/clock.ts";
import type { Reader, Writer } from "./resources/resource-store.ts";

/** `Registered` unless somebody has said otherwise: a new subscription is ready for use. */
export async function registrationState(
  reader: Reader,
  subscriptionId: string,
  name: string,
  unlessSaid: string,
): Promise<string> {
  const row = await reader
    .selectFrom("registrations")
    .select("state")
    .where("subscription_id", "=", subscriptionId.toLowerCase())
    .where("key", "=", name.toLowerCase())
    .executeTakeFirst();
  return row?.state ?? unlessSaid;
}

export async function setRegistrationState(
  trx: Writer,
  clock: Clock,
  subscriptionId: string,
  name: string,
  state: string,
): Promise<void> {
  await trx
    .insertInto("registrations")
    .values({
      subscription_id: subscriptionId.toLowerCase(),
      key: name.toLowerCase(),
      name,
      state,
      changed_at: clock.now(),
    })
    .onConflict((conflict) =>
      conflict.columns(["subscription_id", "key"]).doUpdateSet({ state, changed_at: clock.now() }),
    )
    .execute();
}

export interface Registration {
  readonly name: string;
  readonly state: string;
}

/** By lower-case name. */
export async function registrationStates(reader: Reader, subscriptionId: string): Promise<Map<string, Registration>> {
  const rows = await reader
    .selectFrom("registrations")
    .select(["key", "name", "state"])
    .where("subscription_id", "=", subscriptionId.toLowerCase())
    .orderBy("key")
    .execute();
  return new Map(rows.map(({ key, name, state }) => [key, { name, state }]));
}
