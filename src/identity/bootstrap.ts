// The first start: a tenant, its subscriptions, and an administrator (a service principal for
// scripts, a user for the portal) who is Owner of everything.

import type { Database } from "../db/database.ts";
import { scopeOf } from "../db/transaction.ts";
import { newGuid } from "../lib/random.ts";
import { putAssignment } from "./access/role-assignments.ts";
import { ownerRole } from "./access/roles/general.ts";
import type { Writing } from "./database.ts";
import { createApplication } from "./directory/applications.ts";
import { addClientSecret, prepareSecret } from "./directory/client-secrets.ts";
import { newPassword } from "./directory/generated-secret.ts";
import type { PasswordHasher } from "./directory/password-hash.ts";
import { createServicePrincipal } from "./directory/service-principals.ts";
import { createSubscription, createTenant, listSubscriptions, listTenants } from "./directory/tenants.ts";
import { createUser } from "./directory/users.ts";

export interface BootstrapSettings {
  readonly tenantName: string;
  /** What user names end with. */
  readonly domain: string;
  /** One subscription for each name; the first is the default. */
  readonly subscriptionNames: readonly string[];
}

/** Shown once: only hashes are kept. */
export interface AdministratorSecrets {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly username: string;
  readonly password: string;
  readonly tenantId: string;
  readonly subscriptionId: string;
}

export interface Bootstrapped {
  readonly tenantId: string;
  readonly subscriptionIds: readonly string[];
  /** Only when this start was the first. */
  readonly secrets: AdministratorSecrets | undefined;
}

/** Longer than any of our clocks will run: the administrator's way in must not end by itself. */
const administratorSecretLifetime = 100 * 365 * 86_400_000;

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
  if (existing !== undefined) return existing;
  const secret = await prepareSecret(hasher);
  const password = newPassword();
  const passwordHash = await hasher.hash(password);
  const made = await database.transaction(async (trx): Promise<Bootstrapped | undefined> => {
    if ((await listTenants(trx)).length > 0) return undefined;
    const tenantId = newGuid();
    const { tenantName, domain, subscriptionNames } = settings;
    await createTenant(trx, { id: tenantId, displayName: tenantName, defaultDomain: domain, isDefault: true });
    const subscriptionIds: string[] = [];
    for (const displayName of subscriptionNames) {
      const id = newGuid();
      await createSubscription(trx, { id, tenantId, displayName });
      subscriptionIds.push(id);
    }
    const displayName = "Holdfast administrator";
    const application = await createApplication(trx, { tenantId, displayName });
    const principal = await createServicePrincipal(trx, { tenantId, appId: application.appId, displayName });
    const terms = { ownerId: application.id, appId: application.appId, displayName: "bootstrap" };
    const endsAt = scopeOf(trx).clock.now() + administratorSecretLifetime;
    await addClientSecret(trx, { ...terms, endsAt }, secret);
    const username = `admin@${domain}`;
    const named = { userPrincipalName: username, displayName: "Administrator", mailNickname: "admin" };
    const user = await createUser(trx, { tenantId, ...named, passwordHash });
    await makeOwner(trx, tenantId, principal.id);
    await makeOwner(trx, tenantId, user.id);
    const secrets: AdministratorSecrets = {
      clientId: application.appId,
      clientSecret: secret.text,
      username,
      password,
      tenantId,
      subscriptionId: subscriptionIds[0] ?? "",
    };
    scopeOf(trx).beforeCommit(() => save(secrets));
    return { tenantId, subscriptionIds, secrets };
  });
  const result = made ?? (await alreadyBootstrapped(database));
  if (result === undefined) throw new Error("no tenant after the first start");
  return result;
}

async function alreadyBootstrapped({ kysely }: Database): Promise<Bootstrapped | undefined> {
  const tenant = (await listTenants(kysely)).find(({ isDefault }) => isDefault);
  if (tenant === undefined) return undefined;
  const subscriptions = (await listSubscriptions(kysely)).filter(({ tenantId }) => tenantId === tenant.id);
  return { tenantId: tenant.id, subscriptionIds: subscriptions.map(({ id }) => id), secrets: undefined };
}

async function makeOwner(trx: Writing, tenantId: string, principalId: string): Promise<void> {
  await putAssignment(trx, { name: newGuid(), tenantId, scope: "", principalId, role: ownerRole, by: principalId });
}
