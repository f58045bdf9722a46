// The properties of a vault on the wire. Security and redundancy can be set here and, in older clients,
// through `backupconfig` and `backupstorageconfig`: both are views of the same settings.

import * as z from "zod";
import { oneOf } from "../../../backup/policy/wire-schema.ts";
import {
  immutabilityStates,
  redundancies,
  softDeleteStates,
  switches,
  type VaultSettings,
} from "../../../backup/vaults/settings.ts";

const onOff = oneOf(switches);
const alerts = z.record(z.string(), z.unknown());

export const vaultProperties = z.object({
  publicNetworkAccess: onOff.nullish(),
  monitoringSettings: z
    .object({ azureMonitorAlertSettings: alerts.nullish(), classicAlertSettings: alerts.nullish() })
    .nullish(),
  encryption: z
    .object({
      keyVaultProperties: z.object({ keyUri: z.string().max(2048).nullish() }).nullish(),
      kekIdentity: z
        .object({
          useSystemAssignedIdentity: z.boolean().nullish(),
          userAssignedIdentity: z.string().max(2048).nullish(),
        })
        .nullish(),
      infrastructureEncryption: onOff.nullish(),
    })
    .nullish(),
  redundancySettings: z
    .object({
      standardTierStorageRedundancy: oneOf([...redundancies, "Invalid"]).nullish(),
      crossRegionRestore: onOff.nullish(),
    })
    .nullish(),
  securitySettings: z
    .object({
      immutabilitySettings: z.object({ state: oneOf(immutabilityStates).nullish() }).nullish(),
      softDeleteSettings: z
        .object({
          softDeleteState: oneOf([...softDeleteStates, "Invalid"]).nullish(),
          softDeleteRetentionPeriodInDays: z.int().nullish(),
          enhancedSecurityState: oneOf([...switches, "AlwaysON", "Invalid"]).nullish(),
        })
        .nullish(),
    })
    .nullish(),
  restoreSettings: z
    .object({
      crossSubscriptionRestoreSettings: z
        .object({ crossSubscriptionRestoreState: oneOf([...switches, "PermanentlyDisabled"]).nullish() })
        .nullish(),
    })
    .nullish(),
  resourceGuardOperationRequests: z.array(z.string().max(2048)).max(20).nullish(),
});

export type VaultProperties = z.output<typeof vaultProperties>;

/** What the vault itself shows and no part of the backup service needs. */
export interface OwnProperties {
  readonly publicNetworkAccess: "Enabled" | "Disabled";
  readonly monitoringSettings: object;
}

const defaultMonitoring = {
  azureMonitorAlertSettings: { alertsForAllJobFailures: "Enabled" },
  classicAlertSettings: { alertsForCriticalOperations: "Enabled" },
};

export function ownProperties(asked: VaultProperties, before: OwnProperties | undefined): OwnProperties {
  const monitoring = { ...defaultMonitoring, ...before?.monitoringSettings };
  return {
    publicNetworkAccess: asked.publicNetworkAccess ?? before?.publicNetworkAccess ?? "Enabled",
    monitoringSettings: {
      azureMonitorAlertSettings: {
        ...monitoring.azureMonitorAlertSettings,
        ...asked.monitoringSettings?.azureMonitorAlertSettings,
      },
      classicAlertSettings: { ...monitoring.classicAlertSettings, ...asked.monitoringSettings?.classicAlertSettings },
    },
  };
}

/** The settings with what a request asks for; what it does not name stays, also in a PUT. */
export function mergeSettings(asked: VaultProperties, before: VaultSettings): VaultSettings {
  const soft = asked.securitySettings?.softDeleteSettings;
  const redundancy = asked.redundancySettings;
  const state = soft?.softDeleteState;
  const type = redundancy?.standardTierStorageRedundancy;
  const enhanced = soft?.enhancedSecurityState;
  return {
    ...before,
    softDelete: {
      state: known(state) ?? before.softDelete.state,
      retentionDays: soft?.softDeleteRetentionPeriodInDays ?? before.softDelete.retentionDays,
    },
    enhancedSecurity: (enhanced === "AlwaysON" ? "Enabled" : known(enhanced)) ?? before.enhancedSecurity,
    immutability: asked.securitySettings?.immutabilitySettings?.state ?? before.immutability,
    redundancy: {
      ...before.redundancy,
      type: known(type) ?? before.redundancy.type,
      crossRegionRestore:
        redundancy?.crossRegionRestore === undefined || redundancy.crossRegionRestore === null
          ? before.redundancy.crossRegionRestore
          : redundancy.crossRegionRestore === "Enabled",
    },
    crossSubscriptionRestore:
      asked.restoreSettings?.crossSubscriptionRestoreSettings?.crossSubscriptionRestoreState ??
      before.crossSubscriptionRestore,
  };
}

function known<Value extends string>(value: Value | null | undefined): Exclude<Value, "Invalid"> | undefined {
  return value === null || value === undefined || value === "Invalid"
    ? undefined
    : (value as Exclude<Value, "Invalid">);
}

export function renderProperties(own: OwnProperties, settings: VaultSettings): Record<string, unknown> {
  const { softDelete, redundancy, encryption } = settings;
  return {
    publicNetworkAccess: own.publicNetworkAccess,
    privateEndpointStateForBackup: "None",
    privateEndpointStateForSiteRecovery: "None",
    privateEndpointConnections: [],
    backupStorageVersion: "V2",
    monitoringSettings: own.monitoringSettings,
    ...(encryption === undefined ? {} : { encryption: renderEncryption(encryption) }),
    redundancySettings: {
      standardTierStorageRedundancy: redundancy.type,
      crossRegionRestore: redundancy.crossRegionRestore ? "Enabled" : "Disabled",
    },
    securitySettings: {
      immutabilitySettings: { state: settings.immutability },
      softDeleteSettings: {
        softDeleteState: softDelete.state,
        softDeleteRetentionPeriodInDays: softDelete.retentionDays,
        enhancedSecurityState: settings.enhancedSecurity,
      },
      multiUserAuthorization: settings.guard === undefined ? "Disabled" : "Enabled",
    },
    restoreSettings: {
      crossSubscriptionRestoreSettings: { crossSubscriptionRestoreState: settings.crossSubscriptionRestore },
    },
  };
}

function renderEncryption(encryption: NonNullable<VaultSettings["encryption"]>): object {
  const { keyUri, useSystemAssignedIdentity, userAssignedIdentity, infrastructureEncryption } = encryption;
  return {
    keyVaultProperties: { keyUri },
    kekIdentity: { useSystemAssignedIdentity, userAssignedIdentity },
    infrastructureEncryption,
  };
}
