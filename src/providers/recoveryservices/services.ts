import type { Stores } from "../../backup/stores/stores.ts";
import type { VaultUse } from "../../backup/vaults/vaults.ts";
import type { Inventory } from "../../inventory/inventory.ts";
import type { SecretBox } from "../../lib/secret-box.ts";
import type { KeyVaultServices } from "../keyvault/services.ts";

/** What the routes of vaults, policies, items, jobs and points are built from. */
export interface RecoveryServices extends KeyVaultServices {
  readonly secretBox: SecretBox;
  readonly inventory: Inventory;
  /** Where the bytes of vaults are. */
  readonly stores: Stores;
  /** Who keeps something in vaults: items block a vault's deletion and use its policies. */
  readonly vaultUses: readonly VaultUse[];
}
