// Microsoft.RecoveryServices, put together from parts: each brings the types, routes and lifecycles
// of one thing. To add one, write its part and list it here.

import { providerDirectory, type Provider } from "../../arm/provider.ts";
import { backupStatusPart } from "./protection/backup-status.ts";
import { containersPart } from "./protection/containers.ts";
import { discoveryPart } from "./protection/discovery.ts";
import { jobsPart } from "./jobs/jobs.ts";
import { operationsPart } from "./jobs/operations.ts";
import { policiesPart } from "./policies/policies.ts";
import { protectedItemsPart } from "./protection/protected-items.ts";
import { otherWorkloadsPart } from "./protection/other-workloads.ts";
import { protectionIntentsPart } from "./protection/protection-intents.ts";
import { recoveryPointsPart } from "./points/recovery-points.ts";
import { resourceGuardProxiesPart } from "./guards/resource-guard-proxies.ts";
import { resourceGuardsPart } from "./guards/resource-guards.ts";
import { retentionPreviewPart } from "./policies/retention-preview.ts";
import type { RecoveryServices } from "./services.ts";
import { tieringPart } from "./points/tiering.ts";
import { crossRegionPart } from "./restore/cross-region.ts";
import { certificatesPart } from "./vaults/certificates.ts";
import { dataMovePart } from "./vaults/data-move.ts";
import { replicationPart } from "./vaults/replication.ts";
import { deletedVaultsPart } from "./vaults/deleted-vaults.ts";
import { extendedInformationPart } from "./vaults/extended-information.ts";
import { privateLinksPart } from "./vaults/private-links.ts";
import { vaultOperationsPart } from "./vaults/vault-operations.ts";
import { usagesPart } from "./vaults/usages.ts";
import { vaultConfigPart } from "./vaults/vault-config.ts";
import { vaultLocationsPart } from "./vaults/vault-locations.ts";
import { vaultSettingsPart } from "./vaults/vault-settings.ts";
import { verifyPart } from "./vaults/vault-verify.ts";
import { vaultStorageConfigPart } from "./vaults/vault-storage-config.ts";
import { vaultsPart } from "./vaults/vaults.ts";

const parts: readonly ((services: RecoveryServices) => Provider)[] = [
  vaultsPart,
  vaultConfigPart,
  vaultStorageConfigPart,
  vaultSettingsPart,
  verifyPart,
  vaultLocationsPart,
  extendedInformationPart,
  certificatesPart,
  privateLinksPart,
  vaultOperationsPart,
  deletedVaultsPart,
  dataMovePart,
  replicationPart,
  usagesPart,
  policiesPart,
  discoveryPart,
  containersPart,
  otherWorkloadsPart,
  protectedItemsPart,
  protectionIntentsPart,
  recoveryPointsPart,
  tieringPart,
  crossRegionPart,
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
