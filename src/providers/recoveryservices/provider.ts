// Microsoft.RecoveryServices, put together from parts: each brings the types, routes and lifecycles
// of one thing. To add one, write its part and list it here.

import { providerDirectory, type Provider } from "../../arm/provider.ts";
import { backupStatusPart } from "./backup-status.ts";
import { containersPart } from "./containers.ts";
import { discoveryPart } from "./discovery.ts";
import { jobsPart } from "./jobs.ts";
import { operationsPart } from "./operations.ts";
import { policiesPart } from "./policies.ts";
import { protectedItemsPart } from "./protected-items.ts";
import { recoveryPointsPart } from "./recovery-points.ts";
import { resourceGuardProxiesPart } from "./resource-guard-proxies.ts";
import { resourceGuardsPart } from "./resource-guards.ts";
import { retentionPreviewPart } from "./retention-preview.ts";
import type { RecoveryServices } from "./services.ts";
import { usagesPart } from "./usages.ts";
import { vaultConfigPart } from "./vault-config.ts";
import { vaultExtrasPart } from "./vault-extras.ts";
import { vaultLocationsPart } from "./vault-locations.ts";
import { vaultSettingsPart } from "./vault-settings.ts";
import { vaultStorageConfigPart } from "./vault-storage-config.ts";
import { vaultsPart } from "./vaults.ts";

const parts: readonly ((services: RecoveryServices) => Provider)[] = [
  vaultsPart,
  vaultConfigPart,
  vaultStorageConfigPart,
  vaultSettingsPart,
  vaultLocationsPart,
  vaultExtrasPart,
  usagesPart,
  policiesPart,
  discoveryPart,
  containersPart,
  protectedItemsPart,
  recoveryPointsPart,
  retentionPreviewPart,
  jobsPart,
  operationsPart,
  backupStatusPart,
  resourceGuardProxiesPart,
  resourceGuardsPart,
];

export function recoveryServicesProviders(services: RecoveryServices): readonly Provider[] {
  return providerDirectory(parts.map((part) => part(services))).providers;
}
