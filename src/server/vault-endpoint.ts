// The data plane of key vaults with this service's tokens, groups and roles.

import { lookup } from "node:dns/promises";
import type { Database } from "../db/database.ts";
import { enabledPrincipals, groupsOf } from "../identity/directory/principals.ts";
import type { Identity } from "../identity/identity.ts";
import { vaultEndpoint } from "../keys/http/endpoint.ts";
import type { KeyVaults } from "../keys/key-vaults.ts";
import type { VaultCaller } from "../keys/access.ts";
import { keyErrors } from "../keys/errors.ts";
import { sleep } from "../lib/time.ts";
import type { DataPlane } from "./data-plane.ts";
import type { Log } from "./log.ts";

const longestLookup = 500;

/** What clients ask tokens for when they mean a vault. */
const vaultAudiences = ["https://vault.azure.net", "https://managedhsm.azure.net"];

export function mountVaults(
  keyVaults: KeyVaults,
  identity: Identity,
  database: Database,
  origins: () => readonly string[],
  log: Log,
): DataPlane {
  return vaultEndpoint({
    store: keyVaults.store,
    authenticate: async (authorization, tenantId, resource) => {
      const own = isOwn(resource, origins()) ? [resource] : [];
      const audiences = [...own, ...vaultAudiences, ...identity.audiences()];
      const token = await identity.tokens.verifyHeader(authorization, { audiences, tenantId });
      return { ...(await vaultCaller(identity, database, token.objectId)), applicationId: token.appId };
    },
    authority: (tenantId) => `${origins()[0] ?? ""}/${tenantId}`,
    report: (error, requestId) => log.error({ err: error, requestId }, "a vault request failed inside the service"),
  });
}

/**
 * What a token must be for follows from the host that the client wrote, so that must be one of ours: who was
 * given a token for a host of his own would send it here under that name.
 */
function isOwn(resource: string, origins: readonly string[]): boolean {
  const hostOf = (url: string): string =>
    url
      .replace(/^https:\/\//, "")
      .replace(/:\d+$/, "")
      .toLowerCase();
  const host = hostOf(resource);
  return origins.map(hostOf).some((known) => [known, `vault.${known}`].includes(host) || known === `*.${host}`);
}

/** A principal as vaults know it; who is gone or disabled may do nothing, whatever a policy says. */
export async function vaultCaller(
  identity: Pick<Identity, "access">,
  database: Database,
  objectId: string,
): Promise<VaultCaller> {
  if ((await enabledPrincipals(database.kysely, [objectId])).length === 0)
    throw keyErrors.Unauthorized(`The principal '${objectId}' is gone or disabled.`);
  return {
    objectId,
    groups: await groupsOf(database.kysely, objectId),
    may: async (action, scope) => (await identity.access.grantsOf(objectId)).allows(action, scope, "dataAction"),
  };
}

/**
 * A vault has a host name of its own, as in Azure, where this machine resolves names below localhost;
 * elsewhere its address is a path, which works without.
 */
export async function vaultUrls(origin: () => string): Promise<(name: string) => string> {
  const asked = lookup("name.vault.localhost").then(
    () => true,
    () => false,
  );
  // A site without a name server must not hold up the start.
  const resolves = await Promise.race([asked, sleep(longestLookup).then(() => false)]);
  return (name) => {
    const url = new URL(origin());
    const port = url.port === "" ? "" : `:${url.port}`;
    return resolves ? `https://${name}.vault.localhost${port}` : `${url.origin}/vaults/${name}`;
  };
}
