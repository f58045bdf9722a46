import type { Inventory } from "../../inventory/inventory.ts";
import type { SecretBox } from "../../lib/secret-box.ts";
import type { DiskServices } from "./disk-services.ts";

export interface ComputeServices extends DiskServices {
  readonly inventory: Inventory;
  readonly secretBox: SecretBox;
}
