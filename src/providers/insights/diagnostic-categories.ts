// What each type of resource can log.

export interface DiagnosticCategory {
  readonly name: string;
  readonly kind: "Logs" | "Metrics";
}

const logs = (names: readonly string[]): DiagnosticCategory[] => names.map((name) => ({ name, kind: "Logs" }));

const ofSubscriptions = logs([
  "Administrative",
  "Security",
  "ServiceHealth",
  "Alert",
  "Recommendation",
  "Policy",
  "Autoscale",
  "ResourceHealth",
]);

const ofVaults: readonly DiagnosticCategory[] = [
  ...logs([
    "AzureBackupReport",
    "CoreAzureBackup",
    "AddonAzureBackupJobs",
    "AddonAzureBackupAlerts",
    "AddonAzureBackupPolicy",
    "AddonAzureBackupStorage",
    "AddonAzureBackupProtectedInstance",
    "AzureBackupOperations",
    // Nothing is replicated here, so these never have a record; templates that switch on all of a vault name them.
    "AzureSiteRecoveryJobs",
    "AzureSiteRecoveryEvents",
    "AzureSiteRecoveryReplicatedItems",
    "AzureSiteRecoveryReplicationStats",
    "AzureSiteRecoveryRecoveryPoints",
    "AzureSiteRecoveryReplicationDataUploadRate",
    "AzureSiteRecoveryProtectedDiskDataChurn",
  ]),
  { name: "Health", kind: "Metrics" },
];

export function categoriesOf(scope: string): readonly DiagnosticCategory[] {
  if (/^\/subscriptions\/[^/]+$/i.test(scope)) return ofSubscriptions;
  return /\/providers\/microsoft\.recoveryservices\/vaults\/[^/]+$/i.test(scope) ? ofVaults : [];
}
