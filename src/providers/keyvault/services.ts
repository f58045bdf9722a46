import type { KeyVaults } from "../../keys/key-vaults.ts";
import type { Services } from "../services.ts";

export interface KeyVaultServices extends Services {
  readonly keyVaults: KeyVaults;
}
