// A change of a vault's settings through one of its views: checked, saved, told, and shown by the
// resource, all in one transaction.

import { getResource, putResource } from "../../../arm/resources/resource-store.ts";
import type { ArmRequest } from "../../../arm/request.ts";
import { checkChange } from "../../../backup/vaults/change-settings.ts";
import type { VaultSettings } from "../../../backup/vaults/settings.ts";
import { saveSettings, type Reader, type Vault, type Writer } from "../../../backup/vaults/vaults.ts";
import type { RecoveryServices } from "../services.ts";
import { doerOf, vaultOf } from "./vault-paths.ts";
import { renderProperties, type OwnProperties } from "./vault-properties.ts";

export async function changeSettings(
  services: RecoveryServices,
  request: ArmRequest,
  change: (vault: Vault, trx: Writer) => VaultSettings | Promise<VaultSettings>,
): Promise<Vault> {
  const { database } = services;
  return database.transaction(async (trx) => {
    const before = await vaultOf(trx, request);
    const settings = await change(before, trx);
    checkChange(before.settings, settings, await isInUse(services, trx, before));
    const vault = await saveSettings(trx, before, settings, doerOf(request));
    const resource = await getResource(trx, vault.id);
    const own = resource.properties as unknown as OwnProperties;
    await putResource(
      trx,
      {
        id: vault.id,
        location: resource.location,
        envelope: resource.envelope,
        properties: renderProperties(own, vault.settings),
        tracked: true,
      },
      { caller: request.caller, clock: database.clock },
    );
    return vault;
  });
}

/** Whether the vault protects anything. */
export async function isInUse({ vaultUses }: RecoveryServices, reader: Reader, vault: Vault): Promise<boolean> {
  for (const use of vaultUses) if ((await use.itemsByPolicy(reader, vault)).size > 0) return true;
  return false;
}

/** How many items each policy protects, by its name in lower case. */
export async function itemsByPolicy(
  { vaultUses }: RecoveryServices,
  reader: Reader,
  vault: Vault,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const use of vaultUses) {
    for (const [name, count] of await use.itemsByPolicy(reader, vault))
      counts.set(name, (counts.get(name) ?? 0) + count);
  }
  return counts;
}
