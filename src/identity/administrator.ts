// The administrator in two forms: a service principal for scripts and a user for the portal, both
// Owner of everything. Made at the first start, and anew when the credentials were lost.

import { scopeOf } from "../db/transaction.ts";
import { newGuid } from "../lib/random.ts";
import { listAssignments, putAssignment } from "./access/role-assignments.ts";
import { ownerRole } from "./access/roles/general.ts";
import type { Writing } from "./database.ts";
import { createApplication } from "./directory/applications.ts";
import { addClientSecret, prepareSecret, type PreparedSecret } from "./directory/client-secrets.ts";
import { newPassword } from "./directory/generated-secret.ts";
import type { PasswordHasher } from "./directory/password-hash.ts";
import { createServicePrincipal } from "./directory/service-principals.ts";
import { createUser, findUser, updateUser } from "./directory/users.ts";

/** What the administrator signs in with. Shown once: only hashes are kept. */
export interface AdministratorLogin {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly username: string;
  readonly password: string;
}

/** Hashing takes its time, so that it is done before the transaction. */
export interface PreparedLogin {
  readonly secret: PreparedSecret;
  readonly password: string;
  readonly passwordHash: string;
}

/** Longer than any of our clocks will run: the administrator's way in must not end by itself. */
const secretLifetime = 100 * 365 * 86_400_000;

export async function prepareLogin(hasher: PasswordHasher): Promise<PreparedLogin> {
  const password = newPassword();
  return { secret: await prepareSecret(hasher), password, passwordHash: await hasher.hash(password) };
}

/**
 * A service principal of its own each time, since any other might carry somebody's certificate; the
 * user `admin` is taken over, and sessions begun with its old password end.
 */
export async function makeAdministrator(
  trx: Writing,
  tenantId: string,
  domain: string,
  { secret, password, passwordHash }: PreparedLogin,
): Promise<AdministratorLogin> {
  const displayName = "Holdfast administrator";
  const application = await createApplication(trx, { tenantId, displayName });
  const principal = await createServicePrincipal(trx, { tenantId, appId: application.appId, displayName });
  const endsAt = scopeOf(trx).clock.now() + secretLifetime;
  const terms = { ownerId: application.id, appId: application.appId, displayName: "administrator", endsAt };
  await addClientSecret(trx, terms, secret);
  const username = `admin@${domain}`;
  await makeOwner(trx, tenantId, principal.id);
  await makeOwner(trx, tenantId, await ensureUser(trx, tenantId, username, passwordHash));
  return { clientId: application.appId, clientSecret: secret.text, username, password };
}

async function ensureUser(
  trx: Writing,
  tenantId: string,
  userPrincipalName: string,
  passwordHash: string,
): Promise<string> {
  const existing = await findUser(trx, tenantId, userPrincipalName);
  if (existing !== undefined) {
    await updateUser(trx, existing, { passwordHash, enabled: true, mustChangePassword: false });
    return existing.id;
  }
  const names = { userPrincipalName, displayName: "Administrator", mailNickname: "admin" };
  return (await createUser(trx, { tenantId, ...names, passwordHash })).id;
}

async function makeOwner(trx: Writing, tenantId: string, principalId: string): Promise<void> {
  const held = await listAssignments(trx, { tenantId, scope: "", below: false, principalIds: [principalId] });
  if (held.some(({ role }) => role === ownerRole)) return;
  await putAssignment(trx, { name: newGuid(), tenantId, scope: "", principalId, role: ownerRole, by: principalId });
}
