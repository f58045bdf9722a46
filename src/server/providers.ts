// Every resource provider of this service, in one list.

import { providerDirectory, type Provider, type ProviderDirectory } from "../arm/provider.ts";
import type { SecretBox } from "../lib/secret-box.ts";
import { alertsProvider } from "../providers/alertsmanagement/alerts.ts";
import { processingRulesProvider } from "../providers/alertsmanagement/processing-rules.ts";
import { operationListProviders } from "../providers/authorization/provider-operations.ts";
import { authorizationProvider } from "../providers/authorization/provider.ts";
import { computeProvider } from "../providers/compute/provider.ts";
import type { ComputeServices } from "../providers/compute/services.ts";
import { featuresProvider } from "../providers/features/features.ts";
import { actionGroupsProvider } from "../providers/insights/action-groups.ts";
import { activityLogProvider } from "../providers/insights/activity-log.ts";
import { diagnosticSettingsProvider } from "../providers/insights/diagnostic-settings.ts";
import { metricsProvider } from "../providers/insights/metrics.ts";
import { resourceLogsProvider } from "../providers/insights/resource-logs.ts";
import { scheduledQueryRulesProvider } from "../providers/insights/scheduled-query-rules.ts";
import { workbooksProvider } from "../providers/insights/workbooks.ts";
import type { DiskServices } from "../providers/compute/disk-services.ts";
import { holdfastProvider } from "../providers/holdfast/hosts.ts";
import type { KeyVaultServices } from "../providers/keyvault/services.ts";
import { templateSecretReader } from "../providers/keyvault/template-secrets.ts";
import { keyVaultProvider } from "../providers/keyvault/vaults.ts";
import { locksProvider } from "../providers/locks/locks.ts";
import { managedIdentityProvider } from "../providers/managedidentity/user-assigned.ts";
import { networkProvider } from "../providers/network/provider.ts";
import type { InProcessClient } from "../providers/resources/deployments/in-process-client.ts";
import { deploymentsProvider } from "../providers/resources/deployments/provider.ts";
import { readByUrl } from "../blobs/read-by-url.ts";
import { recoveryServicesProviders } from "../providers/recoveryservices/provider.ts";
import { attachPart } from "../providers/recoveryservices/vaults/vault-attach.ts";
import { encryptionPart } from "../providers/recoveryservices/vaults/encryption.ts";
import { jobsExportPart } from "../providers/recoveryservices/jobs/export/jobs-export.ts";
import { fileRecoveryPart } from "../providers/recoveryservices/restore/file-recovery.ts";
import { restorePart } from "../providers/recoveryservices/restore/restore.ts";
import type { RestoreServices } from "../providers/recoveryservices/restore/restore-services.ts";
import type { RecoveryServices } from "../providers/recoveryservices/services.ts";
import { resourcesProvider } from "../providers/resources/provider.ts";
import { storageProvider } from "../providers/storage/storage-accounts.ts";
import type { LogServices } from "../providers/operationalinsights/services.ts";
import { workspacesProvider } from "../providers/operationalinsights/workspaces.ts";

export interface ProviderServices
  extends ComputeServices, DiskServices, KeyVaultServices, LogServices, RecoveryServices, RestoreServices {
  readonly secretBox: SecretBox;
  /** By which deployments send their resources through the dispatcher. */
  readonly inProcess: InProcessClient;
}

export function assembleProviders(services: ProviderServices): ProviderDirectory {
  const own: Provider[] = [
    actionGroupsProvider(services),
    activityLogProvider(services),
    alertsProvider(services),
    authorizationProvider(services, () => directory.providers),
    computeProvider(services),
    deploymentsProvider({
      services,
      client: services.inProcess,
      secretBox: services.secretBox,
      directory: () => directory,
      readSecret: templateSecretReader(services),
      readOwnTemplate: (url, limit, signal) => readByUrl(services.blobs, url, limit, signal),
    }),
    diagnosticSettingsProvider(services),
    featuresProvider(services),
    holdfastProvider(services),
    keyVaultProvider(services),
    locksProvider(services),
    managedIdentityProvider(services),
    metricsProvider(services),
    networkProvider(services),
    processingRulesProvider(services),
    ...recoveryServicesProviders(services),
    attachPart(services),
    encryptionPart(services),
    fileRecoveryPart(services),
    jobsExportPart(services),
    restorePart(services),
    resourceLogsProvider(services),
    scheduledQueryRulesProvider(services),
    storageProvider(services),
    workbooksProvider(services),
    workspacesProvider(services),
  ];
  const namespaces = [...new Set([...own.map(({ namespace }) => namespace), "Microsoft.Resources"])];
  const directory: ProviderDirectory = providerDirectory([
    ...own,
    ...operationListProviders(namespaces, () => directory.providers),
    resourcesProvider(services, namespaces, () => directory),
  ]);
  return directory;
}
