// Every resource provider of this service, in one list.

import { providerDirectory, type Provider, type ProviderDirectory } from "../arm/provider.ts";
import { authorizationProvider } from "../providers/authorization/provider.ts";
import { featuresProvider } from "../providers/features/features.ts";
import { activityLogProvider } from "../providers/insights/activity-log.ts";
import { locksProvider } from "../providers/locks/locks.ts";
import { managedIdentityProvider } from "../providers/managedidentity/user-assigned.ts";
import { resourcesProvider } from "../providers/resources/provider.ts";
import { storageProvider } from "../providers/storage/storage-accounts.ts";
import type { StorageServices } from "../providers/storage/services.ts";

export type ProviderServices = StorageServices;

export function assembleProviders(services: ProviderServices): ProviderDirectory {
  const own: Provider[] = [
    activityLogProvider(services),
    authorizationProvider(services, () => directory.providers),
    featuresProvider(services),
    locksProvider(services),
    managedIdentityProvider(services),
    storageProvider(services),
  ];
  const namespaces = [...new Set([...own.map(({ namespace }) => namespace), "Microsoft.Resources"])];
  const directory: ProviderDirectory = providerDirectory([...own, resourcesProvider(services, namespaces, () => directory)]);
  return directory;
}
