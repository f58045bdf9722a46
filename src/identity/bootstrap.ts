// The first start: a tenant, its subscriptions, and an administrator (a service principal for
// scripts, a user for the portal) who is Owner of everything.

import type { Database } from "../db/database.ts";
import { scopeOf } from "../db/transaction.ts";
import { newGuid } from "../lib/random.ts";
import { bootstrapErrors } from "./errors.ts";
import { makeAdministrator, prepareLogin, type AdministratorLogin } from "./administrator.ts";
import type { PasswordHasher } from "./directory/password-hash.ts";
import {
  createSubscription,
  createTenant,
  listSubscriptions,
  listTenants,
  renameSubscription,
} from "./directory/tenants.ts";

export interface BootstrapSettings {
  readonly tenantName: string;
  /** What user names end with. */
  readonly domain: string;
  /** The tenant's id, if it is not left to chance. */
  readonly tenantId?: string | undefined;
  /** The first of the first start is the default; those that later starts name are added. */
  readonly subscriptions: readonly NamedSubscription[];
}

export interface NamedSubscription {
  /** Left to chance when it is not given: then only the first start makes the subscription. */
  readonly id?: string;
  readonly name: string;
}

export interface AdministratorSecrets extends AdministratorLogin {
  readonly tenantId: string;
  readonly subscriptionId: string;
}

export interface Bootstrapped {
  readonly tenantId: string;
  readonly subscriptionIds: readonly string[];
  /** Only when this start was the first. */
  readonly secrets: AdministratorSecrets | undefined;
}

/**
 * `save` is awaited before the commit: if the secrets cannot be written down, there is no
 * administrator yet and the next start tries again. It may run more than once; the last call counts.
 */
export async function ensureBootstrap(
  database: Database,
  hasher: PasswordHasher,
  settings: BootstrapSettings,
  save: (secrets: AdministratorSecrets) => Promise<void>,
): Promise<Bootstrapped> {
  const existing = await alreadyBootstrapped(database);
  if (existing !== undefined) return settle(database, existing, settings);
  const prepared = await prepareLogin(hasher);
  const made = await database.transaction(async (trx): Promise<Bootstrapped | undefined> => {
    if ((await listTenants(trx)).length > 0) return undefined;
    const { tenantName, domain } = settings;
    const tenantId = settings.tenantId?.toLowerCase() ?? newGuid();
    await createTenant(trx, { id: tenantId, displayName: tenantName, defaultDomain: domain, isDefault: true });
    const subscriptionIds: string[] = [];
    for (const { id = newGuid(), name } of settings.subscriptions) {
      await createSubscription(trx, { id, tenantId, displayName: name });
      subscriptionIds.push(id.toLowerCase());
    }
    const login = await makeAdministrator(trx, tenantId, domain, prepared);
    const secrets: AdministratorSecrets = { ...login, tenantId, subscriptionId: subscriptionIds[0] ?? "" };
    scopeOf(trx).beforeCommit(() => save(secrets));
    return { tenantId, subscriptionIds, secrets };
  });
  if (made !== undefined) return made;
  const others = await alreadyBootstrapped(database);
  if (others === undefined) throw new Error("no tenant after the first start");
  return settle(database, others, settings);
}

/** Brings what the settings name in line with what is there: subscriptions come and are renamed, never go. */
async function settle(database: Database, found: Bootstrapped, settings: BootstrapSettings): Promise<Bootstrapped> {
  if (settings.tenantId !== undefined && settings.tenantId.toLowerCase() !== found.tenantId) {
    throw bootstrapErrors.TenantIsSettled(
      `tenantId: the control data belongs to the tenant '${found.tenantId}', the settings say '${settings.tenantId}'. Leave the setting out or name another data folder.`,
      { target: "tenantId" },
    );
  }
  const named = settings.subscriptions.filter(({ id }) => id !== undefined);
  if (named.length === 0) return found;
  await database.transaction(async (trx) => {
    const existing = new Map((await listSubscriptions(trx)).map((subscription) => [subscription.id, subscription]));
    for (const { id = "", name } of named) {
      const known = existing.get(id.toLowerCase());
      if (known === undefined) await createSubscription(trx, { id, tenantId: found.tenantId, displayName: name });
      else if (known.displayName !== name) await renameSubscription(trx, known.id, name);
    }
  });
  return (await alreadyBootstrapped(database)) ?? found;
}

/**
 * New credentials for whoever holds the data folder, when the old ones were lost. What the lost ones
 * opened stays open until its service principal is deleted.
 */
export async function renewAdministrator(
  database: Database,
  hasher: PasswordHasher,
  save: (secrets: AdministratorSecrets) => Promise<void>,
): Promise<AdministratorSecrets> {
  const prepared = await prepareLogin(hasher);
  return database.transaction(async (trx) => {
    const tenant = (await listTenants(trx)).find(({ isDefault }) => isDefault);
    if (tenant === undefined) {
      throw bootstrapErrors.NoAdministratorYet(
        "The control data holds no administrator yet. Start the service once: it makes one.",
      );
    }
    const subscription = (await listSubscriptions(trx)).find(({ tenantId }) => tenantId === tenant.id);
    const login = await makeAdministrator(trx, tenant.id, tenant.defaultDomain, prepared);
    const secrets = { ...login, tenantId: tenant.id, subscriptionId: subscription?.id ?? "" };
    scopeOf(trx).beforeCommit(() => save(secrets));
    return secrets;
  });
}

async function alreadyBootstrapped({ kysely }: Database): Promise<Bootstrapped | undefined> {
  const tenant = (await listTenants(kysely)).find(({ isDefault }) => isDefault);
  if (tenant === undefined) return undefined;
  const subscriptions = (await listSubscriptions(kysely)).filter(({ tenantId }) => tenantId === tenant.id);
  return { tenantId: tenant.id, subscriptionIds: subscriptions.map(({ id }) => id), secrets: undefined };
}
