// Directories and the subscriptions that trust them.

import { compiledRead } from "../../db/compiled-read.ts";
import { scopeOf } from "../../db/transaction.ts";
import type { Reading, Writing } from "../database.ts";

export interface Tenant {
  readonly id: string;
  readonly displayName: string;
  readonly defaultDomain: string;
  readonly isDefault: boolean;
}

export interface Subscription {
  readonly id: string;
  readonly tenantId: string;
  readonly displayName: string;
}

export async function createTenant(trx: Writing, tenant: Tenant): Promise<void> {
  await trx
    .insertInto("identity_tenants")
    .values({
      id: tenant.id.toLowerCase(),
      display_name: tenant.displayName,
      default_domain: tenant.defaultDomain,
      is_default: tenant.isDefault ? 1 : 0,
      created_at: scopeOf(trx).clock.now(),
    })
    .execute();
}

export async function listTenants(reading: Reading): Promise<Tenant[]> {
  const rows = await reading.selectFrom("identity_tenants").selectAll().orderBy("created_at").orderBy("id").execute();
  return rows.map((row) => ({
    id: row.id,
    displayName: row.display_name,
    defaultDomain: row.default_domain,
    isDefault: row.is_default === 1,
  }));
}

/** Later than every other, also within one millisecond: the first subscription is the default. */
export async function createSubscription(trx: Writing, subscription: Subscription): Promise<void> {
  const latest = (await trx.selectFrom("identity_subscriptions").select("created_at").execute()).map(
    ({ created_at }) => created_at,
  );
  await trx
    .insertInto("identity_subscriptions")
    .values({
      id: subscription.id.toLowerCase(),
      tenant_id: subscription.tenantId,
      display_name: subscription.displayName,
      created_at: Math.max(scopeOf(trx).clock.now(), ...latest.map((at) => at + 1)),
    })
    .execute();
}

export async function renameSubscription(trx: Writing, id: string, displayName: string): Promise<void> {
  await trx.updateTable("identity_subscriptions").set({ display_name: displayName }).where("id", "=", id).execute();
}

const subscriptionById = compiledRead((reading, id: string) =>
  reading.selectFrom("identity_subscriptions").selectAll().where("id", "=", id),
);

export async function findSubscription(reading: Reading, id: string): Promise<Subscription | undefined> {
  const [row] = await subscriptionById(reading, id.toLowerCase());
  return row === undefined ? undefined : { id: row.id, tenantId: row.tenant_id, displayName: row.display_name };
}

/**
 * In whose tenant a subscription is. Every request asks, and it never changes: subscriptions neither
 * move nor go, so what was found once is not read again.
 */
export function subscriptionTenants(reading: Reading): (id: string) => Promise<string | undefined> {
  const known = new Map<string, string>();
  return async (id) => {
    const key = id.toLowerCase();
    const tenantId = known.get(key) ?? (await findSubscription(reading, key))?.tenantId;
    if (tenantId !== undefined) known.set(key, tenantId);
    return tenantId;
  };
}

export async function listSubscriptions(reading: Reading): Promise<Subscription[]> {
  const rows = await reading
    .selectFrom("identity_subscriptions")
    .selectAll()
    .orderBy("created_at")
    .orderBy("id")
    .execute();
  return rows.map(fromRow);
}

function fromRow(row: { id: string; tenant_id: string; display_name: string }): Subscription {
  return { id: row.id, tenantId: row.tenant_id, displayName: row.display_name };
}
