// A person proves himself with name and password. Unknown name and wrong password look alike, in
// words and in time.

import { findUserForSignIn, type User } from "../directory/users.ts";
import type { Tenant } from "../directory/tenants.ts";
import { refuseTooSoon } from "./client-proof.ts";
import { signInErrors } from "./errors.ts";
import type { OAuthService } from "./service.ts";

/** A hash that no password has: what an unknown name is checked against. */
const nobodysHash = `scrypt$14$${Buffer.alloc(16).toString("base64")}$${Buffer.alloc(32).toString("base64")}`;

export async function proveUser(
  service: OAuthService,
  proof: { readonly name: string; readonly password: string; readonly address: string },
  tenant: Tenant | undefined,
): Promise<User> {
  const { database, hasher, slowDown } = service;
  const found = await findUserForSignIn(database.kysely, proof.name);
  const known = found === undefined || (tenant !== undefined && found.user.tenantId !== tenant.id) ? undefined : found;
  const stored = known?.passwordHash ?? nobodysHash;
  const attempt = { name: proof.name, address: proof.address };
  if (!hasher.remembers(proof.password, stored)) refuseTooSoon(service, attempt);
  const accepted = await hasher.verify(proof.password, stored);
  if (!accepted || known === undefined) {
    slowDown.failed(attempt);
    throw signInErrors.AADSTS50126("Error validating credentials due to invalid username or password.");
  }
  slowDown.succeeded(attempt);
  if (!known.user.enabled) throw signInErrors.AADSTS50057("The user account is disabled.");
  if (known.user.mustChangePassword) {
    throw signInErrors.AADSTS50055(
      `The password is expired: '${known.user.userPrincipalName}' must have a new one. Set it with 'az ad user update --password'.`,
    );
  }
  return known.user;
}
