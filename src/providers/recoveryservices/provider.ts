// Microsoft.RecoveryServices, put together from parts: each brings the types, routes and lifecycles
// of one thing. To add one, write its part and list it here.

import { providerDirectory, type Provider } from "../../arm/provider.ts";
import type { RecoveryServices } from "./services.ts";
import { vaultsPart } from "./vaults.ts";

const parts: readonly ((services: RecoveryServices) => Provider)[] = [vaultsPart];

export function recoveryServicesProviders(services: RecoveryServices): readonly Provider[] {
  return providerDirectory(parts.map((part) => part(services))).providers;
}
