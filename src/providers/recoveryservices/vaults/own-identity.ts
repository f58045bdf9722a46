// The identities of a vault: as whom it acts at key vaults and in restores.

import * as z from "zod";
import { getResource } from "../../../arm/resources/resource-store.ts";
import { customerKeyErrors } from "../../../backup/keys/customer-key.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import type { Database } from "../../../db/database.ts";

const identity = z.object({
  principalId: z.string().optional(),
  userAssignedIdentities: z.record(z.string(), z.object({ principalId: z.string() })).optional(),
});

export interface ChosenIdentity {
  readonly useSystemAssignedIdentity: boolean;
  readonly userAssignedIdentity?: string | undefined;
}

/** The principal of the vault's identity that was chosen; undefined when the vault has none such. */
export async function identityOf(
  database: Database,
  vault: Vault,
  chosen: ChosenIdentity,
): Promise<string | undefined> {
  const { own, assigned } = await identitiesOf(database, vault);
  if (chosen.useSystemAssignedIdentity) return own;
  const wanted = chosen.userAssignedIdentity?.toLowerCase();
  return assigned.find(([id]) => id.toLowerCase() === wanted)?.[1].principalId;
}

/** When nobody has chosen: its own identity, else the one that is assigned to it. */
export async function ownIdentityOf(database: Database, vault: Vault): Promise<string> {
  const { own, assigned } = await identitiesOf(database, vault);
  const principalId = own ?? assigned[0]?.[1].principalId;
  if (principalId !== undefined) return principalId;
  throw customerKeyErrors.UserErrorKeyVaultIdentityMissing(
    `The vault ${vault.name} has no identity, as which it would read the keys of encrypted disks.`,
    { target: "identity" },
  );
}

async function identitiesOf({ kysely }: Database, vault: Vault) {
  const found = identity.safeParse((await getResource(kysely, vault.id)).envelope.identity ?? {}).data;
  return { own: found?.principalId, assigned: Object.entries(found?.userAssignedIdentities ?? {}) };
}
