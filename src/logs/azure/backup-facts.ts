// What the records of Azure Backup are made of: the state of a vault, of what it protects and of what
// happened there, without regard to how any of it is stored. Times are milliseconds, sizes bytes.

export type Management = "AzureIaasVM" | "AzureStorage" | "AzureWorkload" | "MAB";

export interface VaultFacts {
  /** ARM id, as it is shown. */
  readonly id: string;
  readonly guid: string;
  readonly name: string;
  readonly location: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly redundancy: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly isDeleted: boolean;
}

export interface PolicyFacts {
  readonly id: string;
  readonly name: string;
  readonly management: Management;
  /** `properties` as the wire shows them. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly isDeleted: boolean;
}

export interface ItemFacts {
  /** ARM id of the protected item. */
  readonly id: string;
  /** `VM;iaasvmcontainerv2;group;machine` */
  readonly name: string;
  readonly friendlyName: string;
  /** `IaasVMContainer;iaasvmcontainerv2;group;machine` */
  readonly containerName: string;
  readonly containerFriendlyName: string;
  readonly management: Management;
  /** `VM`, `AzureFileShare`, `SQLDataBase`, … */
  readonly itemType: string;
  readonly sourceResourceId: string;
  readonly sourceType: string;
  readonly osType: string | undefined;
  readonly protectionState: "Protected" | "ProtectionStopped" | "InitialBackupPending";
  readonly policy: { readonly id: string; readonly name: string } | undefined;
  readonly sourceBytes: number | undefined;
  readonly storedBytes: number | undefined;
  readonly oldestPoint: PointFacts | undefined;
  readonly latestPoint: PointFacts | undefined;
  readonly isDeleted: boolean;
}

export interface PointFacts {
  readonly at: number;
  /** `Cloud` or `Disk`. */
  readonly location: string;
}

export interface JobFacts {
  readonly id: string;
  readonly item: Pick<
    ItemFacts,
    "id" | "name" | "friendlyName" | "containerName" | "management" | "sourceResourceId" | "sourceType"
  >;
  /** As the wire names it: `Backup`, `ConfigureBackup`, … */
  readonly operation: string;
  readonly subType: string | undefined;
  readonly status: "Completed" | "Failed" | "CompletedWithWarnings" | "Cancelled";
  readonly errorCode: string | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly isScheduled: boolean;
  readonly transferredBytes: number | undefined;
  readonly recovery: RecoveryFacts | undefined;
}

export interface RecoveryFacts {
  readonly destination: string;
  readonly pointAt: number;
  readonly pointLocation: string;
}

export interface AlertFacts {
  readonly id: string;
  readonly code: string;
  readonly severity: "Critical" | "Warning" | "Information";
  readonly status: "Active" | "Resolved";
  readonly type: string;
  readonly occurredAt: number;
  readonly resolvedAt: number | undefined;
  readonly recommendedAction: string;
  readonly occurrences: number;
  readonly item: Pick<ItemFacts, "name" | "containerName" | "management"> | undefined;
}

export interface OperationFacts {
  readonly at: number;
  /** `Stop backup with delete data`, `Modify policy`, … */
  readonly operation: string;
  readonly management: Management;
  readonly about: Readonly<Record<string, string>>;
}

/** Everything there is of a vault: what the daily push tells again. */
export interface VaultInventory {
  readonly vault: VaultFacts;
  readonly policies: readonly PolicyFacts[];
  readonly items: readonly ItemFacts[];
}
