import { z } from "zod";
import { admittedBy, networkAccess } from "../../arm/resources/network-access.ts";
import { renderResource, type Resource } from "../../arm/resources/resource.ts";
import { accessPolicySchema, type VaultSettings } from "../../keys/vaults.ts";
import { keyVaultErrors } from "./errors.ts";

export const vaultProperties = z.looseObject({
  tenantId: z.string().optional(),
  sku: z
    .object({
      family: z.string().optional(),
      name: z.string().regex(/^(standard|premium)$/i, "must be standard or premium"),
    })
    .optional(),
  accessPolicies: z.array(accessPolicySchema).max(1024).nullish(),
  enableRbacAuthorization: z.boolean().nullish(),
  enableSoftDelete: z.literal(true, "soft delete cannot be turned off").nullish(),
  softDeleteRetentionInDays: z.int().min(7).max(90).nullish(),
  enablePurgeProtection: z.boolean().nullish(),
  enabledForDeployment: z.boolean().nullish(),
  enabledForDiskEncryption: z.boolean().nullish(),
  enabledForTemplateDeployment: z.boolean().nullish(),
  ...networkAccess,
  createMode: z.enum(["default", "recover"]).nullish(),
});

export type VaultProperties = z.output<typeof vaultProperties>;

/** What is kept: the client's, Azure's defaults for the rest, and what can never be taken back. */
export function settledProperties(
  asked: VaultProperties,
  existing: Resource | undefined,
  tenantId: string,
): Record<string, unknown> & Omit<VaultSettings, "admitted"> {
  const before = existing?.properties as VaultProperties | undefined;
  const {
    createMode: _mode,
    vaultUri: _uri,
    provisioningState: _state,
    hsmPoolResourceId: _pool,
    ...own
  } = asked as VaultProperties & Record<string, unknown>;
  if (before?.enablePurgeProtection === true && asked.enablePurgeProtection === false) {
    throw keyVaultErrors.VaultPropertiesInvalid(
      "The property 'enablePurgeProtection' cannot be set to false. Enabling the purge protection for a vault is an irreversible action.",
      { target: "enablePurgeProtection" },
    );
  }
  const retention = before?.softDeleteRetentionInDays ?? undefined;
  if (retention !== undefined && (asked.softDeleteRetentionInDays ?? retention) !== retention) {
    throw keyVaultErrors.VaultPropertiesInvalid(
      "The property 'softDeleteRetentionInDays' has been set already and it can't be modified.",
      { target: "softDeleteRetentionInDays" },
    );
  }
  const isProtected = before?.enablePurgeProtection === true || asked.enablePurgeProtection === true;
  const said = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== null));
  return {
    networkAcls: { bypass: "AzureServices", defaultAction: "Allow", ipRules: [], virtualNetworkRules: [] },
    enabledForDeployment: false,
    publicNetworkAccess: "Enabled",
    ...said,
    sku: { family: "A", name: asked.sku?.name.toLowerCase() ?? "standard" },
    tenantId: asked.tenantId ?? tenantId,
    accessPolicies: asked.accessPolicies ?? [],
    enableRbacAuthorization: asked.enableRbacAuthorization ?? false,
    enableSoftDelete: true,
    softDeleteRetentionInDays: asked.softDeleteRetentionInDays ?? retention ?? 90,
    enablePurgeProtection: isProtected,
  };
}

/** What of it holds for keys and secrets. */
export function settingsIn(properties: ReturnType<typeof settledProperties>): VaultSettings {
  const { accessPolicies, enableRbacAuthorization, softDeleteRetentionInDays, enablePurgeProtection } = properties;
  const admitted = admittedBy(vaultProperties.parse(properties));
  return { accessPolicies, enableRbacAuthorization, softDeleteRetentionInDays, enablePurgeProtection, admitted };
}

export function renderVault(resource: Resource, vaultUrl: string): Record<string, unknown> {
  const { etag: _etag, ...shown } = renderResource(resource);
  const { enablePurgeProtection, ...properties } = shown["properties"] as Record<string, unknown>;
  return {
    ...shown,
    properties: {
      ...properties,
      ...(enablePurgeProtection === true ? { enablePurgeProtection } : {}),
      vaultUri: `${vaultUrl}/`,
    },
  };
}
