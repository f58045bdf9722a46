import type { Inventory } from "../../inventory/inventory.ts";
import type { SecretBox } from "../../lib/secret-box.ts";
import type { KeyVaultServices } from "../keyvault/services.ts";
import type { DiskServices } from "./disk-services.ts";

export interface ComputeServices extends DiskServices, KeyVaultServices {
  readonly inventory: Inventory;
  readonly secretBox: SecretBox;
}
