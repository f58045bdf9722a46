import type { Stores } from "../../backup/stores/stores.ts";
import type { Disks } from "../../disks/disks.ts";
import type { Inventory } from "../../inventory/inventory.ts";
import type { SecretBox } from "../../lib/secret-box.ts";
import type { StorageServices } from "../storage/services.ts";

export interface DiskServices extends StorageServices {
  readonly stores: Stores;
  readonly disks: Disks;
  readonly inventory: Inventory;
  readonly secretBox: SecretBox;
}
