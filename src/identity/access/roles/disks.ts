// Roles for those who back up and restore disks; Azure Backup gives them to a vault's identity.

import { builtInRole } from "./definition.ts";

const readRoles = "Microsoft.Authorization/*/read";
const readGroups = "Microsoft.Resources/subscriptions/resourceGroups/read";

export const diskRoles = [
  builtInRole({
    name: "3e5e47e6-65f7-47ef-90b5-e5dd4d455f24",
    roleName: "Disk Backup Reader",
    description: "Provides permission to backup vault to perform disk backup.",
    actions: [readRoles, "Microsoft.Compute/disks/read", "Microsoft.Compute/disks/beginGetAccess/action"],
  }),
  builtInRole({
    name: "60fc6e62-5479-42d4-8bf4-67625fcc2840",
    roleName: "Disk Pool Operator",
    description: "Used by the StoragePool Resource Provider to manage Disks added to a Disk Pool.",
    actions: [
      "Microsoft.Compute/disks/write",
      "Microsoft.Compute/disks/read",
      readRoles,
      "Microsoft.Insights/alertRules/*",
      "Microsoft.Resources/deployments/*",
      readGroups,
    ],
  }),
  builtInRole({
    name: "b50d9833-a0cb-478e-945f-707fcc997c13",
    roleName: "Disk Restore Operator",
    description: "Provides permission to backup vault to perform disk restore.",
    actions: [readRoles, readGroups, "Microsoft.Compute/disks/write", "Microsoft.Compute/disks/read"],
  }),
  builtInRole({
    name: "7efff54f-a5b4-42b5-a1c5-5411624893ce",
    roleName: "Disk Snapshot Contributor",
    description: "Provides permission to backup vault to manage disk snapshots.",
    actions: [
      readRoles,
      readGroups,
      "Microsoft.Compute/snapshots/delete",
      "Microsoft.Compute/snapshots/write",
      "Microsoft.Compute/snapshots/read",
      "Microsoft.Compute/snapshots/beginGetAccess/action",
      "Microsoft.Compute/snapshots/endGetAccess/action",
      "Microsoft.Compute/disks/beginGetAccess/action",
      "Microsoft.Storage/storageAccounts/listkeys/action",
      "Microsoft.Storage/storageAccounts/write",
      "Microsoft.Storage/storageAccounts/read",
      "Microsoft.Storage/storageAccounts/delete",
    ],
  }),
  builtInRole({
    name: "afc680e2-a938-412d-b213-9a49efa7fb83",
    roleName: "Azure Backup Snapshot Contributor",
    description: "Provide permissions to backup identity to manage RPC snapshots",
    actions: [
      readRoles,
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Compute/virtualMachines/write",
      "Microsoft.Compute/restorePointCollections/read",
      "Microsoft.Compute/restorePointCollections/write",
      "Microsoft.Compute/restorePointCollections/restorePoints/write",
      "Microsoft.Compute/restorePointCollections/restorePoints/read",
      "Microsoft.Compute/disks/read",
      "Microsoft.Compute/disks/write",
      "Microsoft.Compute/disks/delete",
      "Microsoft.Compute/disks/beginGetAccess/action",
    ],
  }),
];
