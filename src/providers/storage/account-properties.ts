// What a storage account says of itself: what was asked for, Azure's defaults for the rest, and where
// it is reached.

import { z } from "zod";
import { isoTime } from "../../lib/clock.ts";
import { networkAccess } from "../../arm/resources/network-access.ts";
import { renderResource, type Resource } from "../../arm/resources/resource.ts";

export const accountProperties = z.looseObject({
  accessTier: z.enum(["Hot", "Cool", "Cold", "Premium"]).optional(),
  allowBlobPublicAccess: z.literal(false, "public access is not offered: give signatures").optional(),
  ...networkAccess,
  allowSharedKeyAccess: z.boolean().nullish(),
  minimumTlsVersion: z.enum(["TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"]).optional(),
  supportsHttpsTrafficOnly: z.literal(true, "there is no traffic but https").optional(),
  isHnsEnabled: z.literal(false, "hierarchical namespaces are not offered").nullish(),
  isNfsV3Enabled: z.literal(false, "NFS is not offered").nullish(),
  isSftpEnabled: z.literal(false, "SFTP is not offered").nullish(),
  encryption: z
    .looseObject({
      keySource: z
        .string()
        .regex(/^Microsoft\.Storage$/i, "keys of one's own are not offered for storage accounts: use Microsoft.Storage")
        .nullish(),
    })
    .nullish(),
  immutableStorageWithVersioning: z
    .looseObject({ enabled: z.literal(false, "immutable storage is not offered").nullish() })
    .nullish(),
});

export type AccountProperties = z.output<typeof accountProperties>;

const key = { keyType: "Account", enabled: true };

/** Properties that are kept: the client's, without what only the service says. */
export function settled(asked: AccountProperties, createdAt: number): Record<string, unknown> {
  const { primaryEndpoints: _endpoints, provisioningState: _state, ...own } = asked as Record<string, unknown>;
  return {
    accessTier: "Hot",
    minimumTlsVersion: "TLS1_2",
    allowCrossTenantReplication: false,
    networkAcls: { bypass: "AzureServices", defaultAction: "Allow", ipRules: [], virtualNetworkRules: [] },
    encryption: { keySource: "Microsoft.Storage", services: { blob: key, file: key } },
    ...own,
    allowBlobPublicAccess: false,
    supportsHttpsTrafficOnly: true,
    creationTime: isoTime(createdAt),
    keyCreationTime: { key1: isoTime(createdAt), key2: isoTime(createdAt) },
    privateEndpointConnections: [],
    statusOfPrimary: "available",
  };
}

/** The address follows the service: it is said when the account is shown, never kept. */
export function renderAccount(resource: Resource, accountUrl: string): Record<string, unknown> {
  const shown = renderResource(resource);
  const { etag: _etag, ...rest } = shown;
  return {
    ...rest,
    properties: {
      ...(shown["properties"] as Record<string, unknown>),
      primaryLocation: resource.location,
      primaryEndpoints: { blob: accountUrl },
    },
  };
}
