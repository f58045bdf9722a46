// The alerts that Azure Backup raises without any rule: which there are, how bad each is, and what an
// alert of it looks like.

import { noActions, type Severity } from "./alert.ts";
import type { AlertDraft } from "./alerts.ts";

export const backupService = "Azure Backup";

interface BuiltIn {
  readonly category: "Security" | "Jobs";
  readonly name: string;
  readonly severity: Severity;
}

/** Security alerts cannot be turned off; those of jobs can. */
export const builtInAlerts = {
  DeleteBackupData: { category: "Security", name: "Delete Backup Data", severity: "Sev0" },
  UpcomingPurge: { category: "Security", name: "Upcoming Purge", severity: "Sev0" },
  PurgeComplete: { category: "Security", name: "Purge Complete", severity: "Sev0" },
  SoftDeleteDisabled: { category: "Security", name: "Soft Delete Disabled for Vault", severity: "Sev0" },
  ModifyPolicyShorterRetention: {
    category: "Security",
    name: "Modify Policy with Shorter Retention",
    severity: "Sev0",
  },
  ModifyProtectionShorterRetention: {
    category: "Security",
    name: "Modify Protection with Shorter Retention",
    severity: "Sev0",
  },
  MuaDisabled: { category: "Security", name: "MUA Disabled", severity: "Sev0" },
  HybridSecurityDisabled: { category: "Security", name: "Disable hybrid security features", severity: "Sev0" },
  BackupFailure: { category: "Jobs", name: "Backup Failure", severity: "Sev1" },
  RestoreFailure: { category: "Jobs", name: "Restore Failure", severity: "Sev1" },
} as const satisfies Readonly<Record<string, BuiltIn>>;

export type BuiltInAlert = keyof typeof builtInAlerts;

export interface BuiltInHappening {
  readonly kind: BuiltInAlert;
  readonly vaultId: string;
  readonly description: string;
  /** Of the item, when it is about one. */
  readonly item: HappeningItem | undefined;
  readonly job:
    | { readonly id: string; readonly errorCode: string; readonly recommendations: readonly string[] }
    | undefined;
  readonly correlationId: string;
  readonly at: number;
}

export interface HappeningItem {
  readonly id: string;
  /** The machine. */
  readonly sourceId: string;
  readonly name: string;
  readonly containerName: string;
}

export function builtInAlert(happening: BuiltInHappening): AlertDraft {
  const { kind, vaultId, description, item, job, correlationId, at } = happening;
  const { name, severity, category } = builtInAlerts[kind];
  const code = (job?.errorCode ?? kind).toLowerCase();
  return {
    target: vaultId,
    rule: name,
    ruleId: undefined,
    service: backupService,
    severity,
    description,
    originId: `${descendingTicks(at)}_0_${correlationId}iaasvm${code}`,
    // Each happening is an alert of its own: built-in alerts are not put together.
    openKey: undefined,
    actions: noActions,
    isMuted: false,
    correlationId,
    context: {
      category,
      sourceId:
        item === undefined
          ? vaultId
          : `${item.sourceId}/providers/Microsoft.RecoveryServices/backupProtectedItem/${item.name}`,
      sourceType: item === undefined ? "Vault" : "VM",
      extendedInfo: {
        jobId: job?.id ?? null,
        possibleCauses: null,
        occurrenceCount: 1,
        recommendedActions: job?.recommendations.join(" ") ?? null,
      },
      affectedItems: item === undefined ? vaultId : item.id,
      sourceVersion: item === undefined ? null : "IaasVMContainer",
      protectedItemId: item?.id ?? null,
      linkedResourceId: item?.sourceId ?? null,
      linkedResourceName: item?.sourceId.split("/").at(-1) ?? null,
      alertVersionNumber: "V2020_10",
      formattedSourceType: item === undefined ? null : "AzureIaasVM",
      firstLevelContainerId: item?.containerName ?? null,
      secondLevelContainerId: null,
    },
  };
}

const ticksAtEpoch = 621_355_968_000_000_000n;
const lastTick = 3_155_378_975_999_999_999n;

/** .NET ticks counted down, so that the newest sorts first. */
function descendingTicks(at: number): string {
  return String(lastTick - (BigInt(Math.trunc(at)) * 10_000n + ticksAtEpoch)).padStart(19, "0");
}
