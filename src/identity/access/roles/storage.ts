import { builtInRole } from "./definition.ts";

const blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
const containers = "Microsoft.Storage/storageAccounts/blobServices/containers";
const delegationKey = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action";

export const storageRoles = [
  builtInRole({
    name: "17d1049b-9a84-46fb-8f53-869881c3d3ab",
    roleName: "Storage Account Contributor",
    description:
      "Lets you manage storage accounts, including accessing storage account keys which provide full access to storage account data.",
    actions: [
      "Microsoft.Authorization/*/read",
      "Microsoft.Insights/alertRules/*",
      "Microsoft.Insights/diagnosticSettings/*",
      "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
      "Microsoft.ResourceHealth/availabilityStatuses/read",
      "Microsoft.Resources/deployments/*",
      "Microsoft.Resources/subscriptions/resourceGroups/read",
      "Microsoft.Storage/storageAccounts/*",
      "Microsoft.Support/*",
    ],
  }),
  builtInRole({
    name: "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    roleName: "Storage Blob Data Owner",
    description:
      "Allows for full access to Azure Storage blob containers and data, including assigning POSIX access control.",
    actions: [`${containers}/*`, delegationKey],
    dataActions: [`${blobs}/*`],
  }),
  builtInRole({
    name: "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    roleName: "Storage Blob Data Contributor",
    description: "Allows for read, write and delete access to Azure Storage blob containers and data",
    actions: [`${containers}/delete`, `${containers}/read`, `${containers}/write`, delegationKey],
    dataActions: [`${blobs}/delete`, `${blobs}/read`, `${blobs}/write`, `${blobs}/move/action`, `${blobs}/add/action`],
  }),
  builtInRole({
    name: "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    roleName: "Storage Blob Data Reader",
    description: "Allows for read access to Azure Storage blob containers and data",
    actions: [`${containers}/read`, delegationKey],
    dataActions: [`${blobs}/read`],
  }),
];
