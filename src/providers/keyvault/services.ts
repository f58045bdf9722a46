import type { VaultCaller } from "../../keys/access.ts";
import type { KeyVaults } from "../../keys/key-vaults.ts";
import type { Services } from "../services.ts";

export interface KeyVaultServices extends Services {
  readonly keyVaults: KeyVaults;
  /** A principal with its groups and roles, as key vaults ask for them. */
  readonly vaultCallerOf: (principalId: string) => Promise<VaultCaller>;
}
