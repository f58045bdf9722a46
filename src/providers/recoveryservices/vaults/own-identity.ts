// As whom a vault acts at key vaults when nobody has said so: its own identity, else the one that is
// assigned to it.

import * as z from "zod";
import { getResource } from "../../../arm/resources/resource-store.ts";
import { customerKeyErrors } from "../../../backup/keys/customer-key.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import type { Database } from "../../../db/database.ts";

const identity = z.object({
  principalId: z.string().optional(),
  userAssignedIdentities: z.record(z.string(), z.object({ principalId: z.string() })).optional(),
});

export async function ownIdentityOf({ kysely }: Database, vault: Vault): Promise<string> {
  const found = identity.safeParse((await getResource(kysely, vault.id)).envelope.identity ?? {}).data;
  const principalId = found?.principalId ?? Object.values(found?.userAssignedIdentities ?? {})[0]?.principalId;
  if (principalId !== undefined) return principalId;
  throw customerKeyErrors.UserErrorKeyVaultIdentityMissing(
    `The vault ${vault.name} has no identity, as which it would read the keys of encrypted disks.`,
    { target: "identity" },
  );
}
