// What a vault is set to: how deletions are held back, what may not be shortened, which key encrypts
// it, and where its bytes are.

import * as z from "zod";
import { storeLocation } from "../stores/location.ts";

export const softDeleteStates = ["Enabled", "Disabled", "AlwaysON"] as const;
export const immutabilityStates = ["Disabled", "Unlocked", "Locked"] as const;
export const redundancies = [
  "GeoRedundant",
  "LocallyRedundant",
  "ZoneRedundant",
  "ReadAccessGeoZoneRedundant",
] as const;
export const switches = ["Enabled", "Disabled"] as const;

const encryption = z.object({
  /** The customer's key; without version it follows the key's rotation. */
  keyUri: z.string(),
  useSystemAssignedIdentity: z.boolean(),
  userAssignedIdentity: z.string().optional(),
  infrastructureEncryption: z.enum(switches),
});

const guardProxy = z.object({
  resourceGuardResourceId: z.string(),
  description: z.string().optional(),
  lastUpdatedTime: z.string(),
});

const verification = z.object({
  /** Reads what is stored and compares it with its name; 0 = never. */
  scrubEveryDays: z.number(),
  /** Opens every byte of the latest points; 0 = never. */
  deepVerifyEveryDays: z.number(),
});

export const vaultSettings = z.object({
  softDelete: z.object({ state: z.enum(softDeleteStates), retentionDays: z.number() }),
  enhancedSecurity: z.enum(switches),
  immutability: z.enum(immutabilityStates),
  redundancy: z.object({
    type: z.enum(redundancies),
    crossRegionRestore: z.boolean(),
    deduplication: z.enum(switches),
  }),
  crossSubscriptionRestore: z.enum(["Enabled", "Disabled", "PermanentlyDisabled"]),
  encryption: encryption.optional(),
  guard: guardProxy.optional(),
  place: z.object({
    location: storeLocation,
    /** A local tier before it: Azure's snapshots. */
    hot: storeLocation.optional(),
  }),
  verification,
});

export type VaultSettings = z.output<typeof vaultSettings>;
export type SoftDeleteState = VaultSettings["softDelete"]["state"];
export type ImmutabilityState = VaultSettings["immutability"];

export const defaultSettings: VaultSettings = {
  softDelete: { state: "Enabled", retentionDays: 14 },
  enhancedSecurity: "Enabled",
  immutability: "Disabled",
  redundancy: { type: "GeoRedundant", crossRegionRestore: false, deduplication: "Enabled" },
  crossSubscriptionRestore: "Enabled",
  place: { location: { kind: "folder" } },
  verification: { scrubEveryDays: 7, deepVerifyEveryDays: 30 },
};
