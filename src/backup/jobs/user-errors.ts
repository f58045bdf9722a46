// The errors of jobs as users meet them, one table: code, title, what to do, and whether the service
// tries again by itself. A handler throws one of these codes with what it has seen.

interface UserError {
  readonly title: string;
  readonly recommendations: readonly string[];
  readonly isTransient?: boolean;
}

const table = {
  UserErrorGuestAgentStatusUnavailable: {
    title: "The VM agent is not in a ready state",
    recommendations: [
      "Check that qemu-guest-agent is installed and started in the machine, and that the machine has the virtio-serial port org.qemu.guest_agent.0.",
      "Or choose a policy with crash-consistent snapshots, which need no agent.",
    ],
    isTransient: true,
  },
  GuestAgentSnapshotTaskStatusError: {
    title: "The status of the snapshot could not be read from the machine",
    recommendations: ["Look at the health of the VM agent and restart it, then back up again."],
    isTransient: true,
  },
  VmNotInDesirableState: {
    title: "The machine is not in a state that allows backups",
    recommendations: ["Bring the machine to running or stopped, then back up again."],
    isTransient: true,
  },
  UserErrorVmProvisioningStateFailed: {
    title: "The machine is in a failed state",
    recommendations: ["Repair the machine or what its host says of it, then back up again."],
  },
  BackUpOperationFailed: {
    title: "The operation failed with an internal error",
    recommendations: ["Try again after a few minutes. If it fails again, look into the log of the service."],
  },
  UserErrorFsFreezeFailed: {
    title: "One or more file systems of the machine could not be frozen",
    recommendations: [
      "Check the mounts of the machine for duplicates and errors (fsck), and unmount what is stale.",
      "Name the troublemakers in MountsToSkip of the snapshot configuration.",
    ],
    isTransient: true,
  },
  UserErrorUnableToOpenMount: {
    title: "A mount path of the machine could not be opened",
    recommendations: ["Unmount what file recovery left, and clean /etc/fstab."],
  },
  "Pre-ScriptExecutionFailed": {
    title: "The pre-script returned an error",
    recommendations: ["Look at the script's output in the machine and make it end with exit code 0."],
  },
  "Post-ScriptExecutionFailed": {
    title: "The post-script returned an error",
    recommendations: ["Look at the script's output in the machine and make it end with exit code 0."],
  },
  "Pre-ScriptNotFound": {
    title: "The pre-script was not found",
    recommendations: ["Correct preScriptLocation in VMSnapshotScriptPluginConfig.json."],
  },
  "Post-ScriptNotFound": {
    title: "The post-script was not found",
    recommendations: ["Correct postScriptLocation in VMSnapshotScriptPluginConfig.json."],
  },
  "Pre-ScriptTimeout": {
    title: "The pre-script took too long",
    recommendations: ["Raise timeoutInSeconds in VMSnapshotScriptPluginConfig.json, or make the script quicker."],
  },
  "Post-ScriptTimeout": {
    title: "The post-script took too long",
    recommendations: ["Raise timeoutInSeconds in VMSnapshotScriptPluginConfig.json, or make the script quicker."],
  },
  "InsufficientPermissionforPre-Script": {
    title: "The pre-script may be changed by others than root",
    recommendations: ["Make root the owner of the script and set its permissions to 700."],
  },
  "InsufficientPermissionforPost-Script": {
    title: "The post-script may be changed by others than root",
    recommendations: ["Make root the owner of the script and set its permissions to 700."],
  },
  IncorrectPluginhostFile: {
    title: "The configuration of the script plug-in is not usable",
    recommendations: ["Correct VMSnapshotPluginHost.conf in the machine."],
  },
  IncorrectJSONConfigFile: {
    title: "VMSnapshotScriptPluginConfig.json is not usable",
    recommendations: ["Correct the file: valid JSON, all fields, owned by root with permissions 600."],
  },
  UserErrorBackupOperationInProgress: {
    title: "A backup of this machine is in progress already",
    recommendations: ["Wait until the present job has ended, or cancel it, then try again."],
    isTransient: true,
  },
  UserErrorVmNotFoundV2: {
    title: "The machine does not exist any more",
    recommendations: [
      "Create the machine again with the same name and resource group.",
      "Or stop its protection, with or without keeping its recovery points.",
    ],
  },
  UserErrorInvalidDiskLunList: {
    title: "The disks to include or exclude do not exist",
    recommendations: ["Correct the list of LUNs: az backup protection update-for-vm with --diskslist."],
  },
  UserErrorEncryptedVmNotSupportedWithDiskEx: {
    title: "The standard policy leaves out no disks of an encrypted machine",
    recommendations: ["Use an enhanced policy (V2), or back up all disks."],
  },
  UserErrorKeyvaultPermissionsNotConfigured: {
    title: "The service may not read the keys of the encrypted machine",
    recommendations: ["Grant the backup service the rights to get and back up the key vault's keys and secrets."],
  },
  DiskEncryptionInternalError: {
    title: "The encryption settings of the machine could not be read",
    recommendations: [
      "See that the secret and the key that the machine's encryptionSettings name are in their key vault, then back up again.",
    ],
  },
  UserErrorCMKKeyUnavailable: {
    title: "The customer-managed key of the vault cannot be used",
    recommendations: [
      "Enable the key and grant the vault's identity get, list, wrap and unwrap. Nothing is lost: backups go on when the key is back.",
    ],
  },
  VMRestorePointInternalError: {
    title: "The host failed while the snapshot was made",
    recommendations: ["Look at the machine and its host, then back up again."],
    isTransient: true,
  },
  BackupStoreFull: {
    title: "There is not enough room",
    recommendations: ["Free space where the vault or the host's scratch folder is, then back up again."],
  },
  BackupStoreUnavailable: {
    title: "The vault's place cannot be used",
    recommendations: [
      "Check that the folder or bucket of the vault is there (is its disk mounted?) and that the service may write to it, then back up again.",
    ],
    isTransient: true,
  },
  HostUnreachable: {
    title: "The host of the machine does not answer",
    recommendations: ["Check that the host is up and reachable; the next backup begins again."],
    isTransient: true,
  },
  DiskUnreadable: {
    title: "A disk of the machine could not be read",
    recommendations: ["Look at the disk and at its host; the next backup begins again."],
  },
  UserErrorBcmDatasourceNotPresent: {
    title: "What was protected is not there any more",
    recommendations: ["Stop its protection, or protect it again."],
  },
  UserErrorInstantRpNotFound: {
    title: "The snapshot of this recovery point is gone",
    recommendations: ["Choose a recovery point that the vault holds."],
  },
  UserErrorRecoveryPointBroken: {
    title: "A recovery point cannot be restored",
    recommendations: [
      "Back the machine up again: what the vault has lost is stored anew, and points that need it are whole again.",
      "Or bring the damaged objects back from a copy of the store: ./holdfast store repair.",
    ],
  },
  VaultObjectDamaged: {
    title: "Objects of the vault's store are not what was written",
    recommendations: [
      "Look at the disks under the store. The next backup of a machine stores again what it needs.",
      "Or bring the objects back from a copy of the store: ./holdfast store repair.",
    ],
  },
  JobGivenUp: {
    title: "The job was given up",
    recommendations: ["It was interrupted again and again. Look into the log of the service, then start it again."],
  },
} as const satisfies Readonly<Record<string, UserError>>;

export type UserErrorCode = keyof typeof table;
export const userErrors: Readonly<Record<UserErrorCode, UserError>> = table;
