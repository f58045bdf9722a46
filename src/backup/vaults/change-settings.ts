// Which settings may follow which. Some doors close for good: soft delete that is always on,
// immutability that is locked, restores to other subscriptions that are ruled out.

import { vaultErrors } from "./errors.ts";
import type { ImmutabilityState, SoftDeleteState, VaultSettings } from "./settings.ts";

/** Throws when `after` may not follow `before`; `isInUse`: the vault protects items. */
export function checkChange(before: VaultSettings, after: VaultSettings, isInUse: boolean): void {
  checkSoftDelete(before.softDelete.state, after.softDelete.state);
  const { retentionDays } = after.softDelete;
  if (!Number.isInteger(retentionDays) || retentionDays < 14 || retentionDays > 180) {
    throw vaultErrors.BMSUserErrorInvalidInput(
      `softDeleteRetentionPeriodInDays is ${retentionDays}. Choose 14 to 180 days.`,
      { target: "properties.softDeleteRetentionPeriodInDays" },
    );
  }
  if (before.softDelete.state === "AlwaysON" && retentionDays < before.softDelete.retentionDays) {
    throw vaultErrors.BMSUserErrorSoftDeleteAlwaysOn(
      `Soft delete is always on with ${before.softDelete.retentionDays} days; ${retentionDays} would be less.`,
      { target: "properties.softDeleteRetentionPeriodInDays" },
    );
  }
  checkImmutability(before.immutability, after.immutability);
  if (isInUse && before.redundancy.type !== after.redundancy.type) {
    throw vaultErrors.BMSUserErrorRedundancyChangeNotAllowed(
      `The redundancy of this vault is ${before.redundancy.type}, and it protects items already: it cannot become ${after.redundancy.type}.`,
      { target: "properties.storageModelType" },
    );
  }
  if (before.redundancy.crossRegionRestore && !after.redundancy.crossRegionRestore) {
    throw vaultErrors.BMSUserErrorInvalidInput(
      "Cross-region restore is on for this vault. It cannot be turned off any more.",
      { target: "properties.crossRegionRestoreFlag" },
    );
  }
  if (after.redundancy.crossRegionRestore && after.redundancy.type !== "GeoRedundant") {
    throw vaultErrors.BMSUserErrorInvalidInput(
      `Cross-region restore needs GeoRedundant storage; this is ${after.redundancy.type}.`,
      { target: "properties.crossRegionRestoreFlag" },
    );
  }
  if (
    before.crossSubscriptionRestore === "PermanentlyDisabled" &&
    after.crossSubscriptionRestore !== "PermanentlyDisabled"
  ) {
    throw vaultErrors.BMSUserErrorInvalidInput(
      "Cross-subscription restore is permanently disabled for this vault. It stays so.",
      { target: "properties.restoreSettings.crossSubscriptionRestoreSettings.crossSubscriptionRestoreState" },
    );
  }
  if (before.encryption !== undefined && after.encryption === undefined) {
    throw vaultErrors.VaultEncryptionInvalid(
      "This vault is encrypted with a customer-managed key. It cannot go back to the platform's; give another key instead.",
      { target: "properties.encryption" },
    );
  }
}

function checkSoftDelete(before: SoftDeleteState, after: SoftDeleteState): void {
  if (before !== "AlwaysON" || after === "AlwaysON") return;
  throw vaultErrors.BMSUserErrorSoftDeleteAlwaysOn(`softDeleteFeatureState is AlwaysON; ${after} was asked for.`, {
    target: "properties.softDeleteFeatureState",
  });
}

const mayFollow: Readonly<Record<ImmutabilityState, readonly ImmutabilityState[]>> = {
  Disabled: ["Disabled", "Unlocked", "Locked"],
  Unlocked: ["Disabled", "Unlocked", "Locked"],
  Locked: ["Locked"],
};

function checkImmutability(before: ImmutabilityState, after: ImmutabilityState): void {
  if (mayFollow[before].includes(after)) return;
  throw vaultErrors.BMSUserErrorImmutabilityLocked(`Immutability is ${before}; ${after} was asked for.`, {
    target: "properties.securitySettings.immutabilitySettings.state",
  });
}

/** Whether the change weakens what protects the backups: it needs the consent of the resource guard. */
export function weakensProtection(before: VaultSettings, after: VaultSettings): boolean {
  const turnsOff =
    (before.softDelete.state !== "Disabled" && after.softDelete.state === "Disabled") ||
    (before.enhancedSecurity === "Enabled" && after.enhancedSecurity === "Disabled") ||
    (before.immutability !== "Disabled" && after.immutability === "Disabled");
  return turnsOff || after.softDelete.retentionDays < before.softDelete.retentionDays;
}
