// What items mean for their vault: they stand in the way of its deletion and use its policies.

import type { VaultUse } from "../vaults/vaults.ts";
import { listItems } from "./item.ts";

const mostNamed = 10;

export const itemsInVault: VaultUse = {
  blockers: async (reader, vault) => {
    // Items whose data is going right now are in nobody's way.
    const items = (await listItems(reader, vault)).filter(({ deletion }) => deletion?.days !== 0);
    const shown = items
      .slice(0, mostNamed)
      .map(({ friendlyName, deletion }) =>
        deletion === undefined
          ? `The machine '${friendlyName}' is protected by it: stop its protection and delete its data.`
          : `The deleted backups of '${friendlyName}' are kept in it for ${deletion.days} days: turn soft delete off, take the deletion back and delete them again, or wait.`,
      );
    const rest = items.length - shown.length;
    return rest > 0 ? [...shown, `And ${rest} more items.`] : shown;
  },
  itemsByPolicy: async (reader, vault) => {
    const rows = await reader
      .selectFrom("protected_items")
      .select(({ fn }) => ["policy_key", fn.countAll<number>().as("count")])
      .where("vault_key", "=", vault.key)
      .groupBy("policy_key")
      .execute();
    // Items that are stopped use no policy, and yet they are in the vault.
    return new Map(rows.map(({ policy_key, count }) => [policy_key ?? "", Number(count)]));
  },
};
