// From a request to a job's input: which point, which disks, where to, and whether the caller may do
// that there. What can be known to fail is refused now and not in the job.

import { groupType } from "../../../arm/groups.ts";
import { groupScope, parseResourceId } from "../../../arm/resource-id.ts";
import { findResource } from "../../../arm/resources/resource-store.ts";
import type { ArmRequest } from "../../../arm/request.ts";
import { findAccount } from "../../../blobs/rows/account.ts";
import { chooseDisks } from "../../../backup/restore/choose-disks.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import { checkRestoreFolder } from "../../../backup/restore/restore-folder.ts";
import type { RestoreInput, RestoreTarget } from "../../../backup/restore/restore-input.ts";
import { getPoint, type RecoveryPoint } from "../../../backup/points/point.ts";
import { getItem, type ProtectedItem } from "../../../backup/protection/item.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { mayDo, mayWrite } from "../may-do.ts";
import { identityOf } from "../vaults/own-identity.ts";
import { vaultOf } from "../vaults/vault-paths.ts";
import { keyTargetsOf } from "./restore-keys.ts";
import type { RestoreRequest } from "./restore-request.ts";
import type { RestoreServices } from "./restore-services.ts";

export interface PlannedRestore {
  readonly item: ProtectedItem;
  readonly point: RecoveryPoint;
  readonly input: RestoreInput;
  readonly hostId: string | undefined;
}

export async function planRestore(
  services: RestoreServices,
  request: ArmRequest,
  names: { readonly itemKey: string; readonly pointId: string },
  asked: RestoreRequest,
): Promise<PlannedRestore> {
  const { kysely } = services.database;
  const item = await getItem(kysely, names.itemKey);
  const point = await getPoint(kysely, item.key, names.pointId);
  checkPoint(point, asked);
  const source = asked.sourceResourceId;
  if (source !== undefined && source.toLowerCase() !== item.machineKey) {
    throw restoreErrors.UserErrorInvalidRestoreRequest(
      `sourceResourceId is ${source}; the recovery point is of ${item.machineId}.`,
      { target: "sourceResourceId", remedy: "Send the id of the machine that was backed up." },
    );
  }
  await checkIdentity(services, request, asked);
  const target = await targetOf(services, request, item, asked);
  const isMachine = target.kind === "newMachine";
  const keyTargets = await keyTargetsOf(services, request, item, point, asked);
  const disks = chooseDisks(point.facts.disks, asked.restoreDiskLunList ?? undefined, isMachine);
  const staging = await stagingOf(services, request, asked, target);
  refuseElsewhere(await vaultOf(kysely, request), target, staging);
  const { principalId, principalType, name, applicationId, tenantId, claims } = request.caller;
  const input: RestoreInput = {
    pointId: point.id,
    itemKey: item.key,
    disks: disks.map(({ id }) => id),
    target,
    ...(staging === undefined ? {} : { staging }),
    ...(keyTargets === undefined ? {} : { keyTargets }),
    caller: { principalId, principalType, name, applicationId, tenantId, claims: { ...claims } },
  };
  const machine = await services.inventory.findMachine(item.machineId);
  return { item, point, input, hostId: target.kind === "replace" ? machine?.hostId : undefined };
}

function checkPoint(point: RecoveryPoint, asked: RestoreRequest): void {
  if (point.isSoftDeleted) {
    throw restoreErrors.UserErrorRecoveryPointNotFound(`The recovery point ${point.id} is soft-deleted.`, {
      remedy: "Undelete the item first: az backup protection undelete.",
    });
  }
  if (point.problems !== undefined) {
    throw restoreErrors.UserErrorRecoveryPointBroken(
      `The recovery point ${point.id} cannot be restored: ${point.problems[0] ?? ""}`,
      { target: point.id },
    );
  }
  if (asked.recoveryPointId !== undefined && asked.recoveryPointId !== point.id) {
    throw restoreErrors.UserErrorInvalidRestoreRequest(
      `recoveryPointId is '${asked.recoveryPointId}'; the path names the recovery point '${point.id}'.`,
      { target: "recoveryPointId" },
    );
  }
}

/** A restore has the rights of whoever asks for it; an identity that is named must still be the vault's. */
async function checkIdentity({ database }: RestoreServices, request: ArmRequest, asked: RestoreRequest): Promise<void> {
  const { isSystemAssignedIdentity, managedIdentityResourceId } = asked.identityInfo ?? {};
  if (isSystemAssignedIdentity !== true && managedIdentityResourceId === undefined) return;
  const vault = await vaultOf(database.kysely, request);
  const chosen = {
    useSystemAssignedIdentity: isSystemAssignedIdentity === true,
    userAssignedIdentity: managedIdentityResourceId,
  };
  if ((await identityOf(database, vault, chosen)) !== undefined) return;
  throw restoreErrors.UserErrorInvalidRestoreRequest(
    isSystemAssignedIdentity === true
      ? `identityInfo.isSystemAssignedIdentity is true; the vault ${vault.name} has no identity of its own.`
      : `identityInfo.managedIdentityResourceId is '${managedIdentityResourceId}'; it is not assigned to the vault ${vault.name}.`,
    { target: "identityInfo", remedy: "Assign it first: az backup vault identity assign." },
  );
}

async function targetOf(
  services: RestoreServices,
  request: ArmRequest,
  item: ProtectedItem,
  asked: RestoreRequest,
): Promise<RestoreTarget> {
  const { holdfast } = asked;
  switch (asked.recoveryType) {
    case "RestoreDisks": {
      if (holdfast?.folder !== undefined) {
        await mayDo(services, request, "Microsoft.Holdfast/restoreFolders/write", "");
        const path = await checkRestoreFolder(holdfast.folder, services.restoreFolders);
        return { kind: "folder", path, format: holdfast.format ?? "raw" };
      }
      if (asked.targetResourceGroupId === undefined) return { kind: "blobs" };
      const resourceGroupId = await groupOf(services, asked.targetResourceGroupId);
      await mayWrite(services, request, "Microsoft.Compute/disks/write", resourceGroupId);
      return { kind: "managedDisks", resourceGroupId };
    }
    case "AlternateLocation":
      return newMachine(services, request, item, asked);
    case "OriginalLocation": {
      const machine = await services.inventory.findMachine(item.machineId);
      if (machine === undefined || !machine.present) {
        throw restoreErrors.UserErrorInvalidRestoreRequest(
          `The disks of ${item.machineId} cannot be replaced: the machine is not there any more.`,
          { target: "recoveryType", remedy: "Restore to a new machine (AlternateLocation) instead." },
        );
      }
      await mayWrite(services, request, "Microsoft.Compute/virtualMachines/write", item.machineId);
      // The new disks are made beside it; the old ones stay.
      await mayWrite(services, request, "Microsoft.Compute/disks/write", groupIdOf(item.machineId));
      await services.inventory.assertForgettable(item.machineId).catch((cause: unknown) => {
        throw restoreErrors.UserErrorRestoreNotSupported(
          `The disks of ${machine.name} cannot be replaced from here: it was not made by Holdfast, so its host's own definition would go on naming the old disks.`,
          { target: "recoveryType", cause, remedy: "Restore its disks to a folder of the host, or as a new machine." },
        );
      });
      return { kind: "replace", machineId: machine.resourceId };
    }
  }
}

/** What a vault's owner has ruled out: that its points come back in somebody else's subscription. */
function refuseElsewhere(vault: Vault, target: RestoreTarget, staging: RestoreInput["staging"]): void {
  const { crossSubscriptionRestore: allowed } = vault.settings;
  if (allowed === "Enabled") return;
  const places = [
    ...("resourceGroupId" in target ? [target.resourceGroupId] : []),
    ...(target.kind === "newMachine" ? [target.machineId] : []),
    ...(staging === undefined ? [] : [staging.id]),
  ];
  const own = parseResourceId(vault.id).subscriptionId?.toLowerCase();
  const other = places.find((id) => parseResourceId(id).subscriptionId?.toLowerCase() !== own);
  if (other === undefined) return;
  throw restoreErrors.UserErrorCrossSubscriptionRestoreInvalidTargetSubscription(
    `The target ${other} is in another subscription than the vault ${vault.name}, whose crossSubscriptionRestoreState is ${allowed}.`,
    { target: "targetResourceGroupId" },
  );
}

async function newMachine(
  services: RestoreServices,
  request: ArmRequest,
  item: ProtectedItem,
  asked: RestoreRequest,
): Promise<RestoreTarget> {
  const wanted = asked.targetVirtualMachineId;
  if (wanted === undefined || parseResourceId(wanted).type.toLowerCase() !== "microsoft.compute/virtualmachines") {
    throw restoreErrors.UserErrorInvalidRestoreRequest(
      `targetVirtualMachineId is ${wanted === undefined ? "missing" : `'${wanted}'`}: AlternateLocation makes a new machine under that id.`,
      { target: "targetVirtualMachineId", remedy: "Send the id that the new machine is to have." },
    );
  }
  if ((await findResource(services.database.kysely, wanted)) !== undefined) {
    throw restoreErrors.UserErrorRestoreTargetExists(`There is a machine ${wanted} already.`, {
      target: "targetVirtualMachineId",
    });
  }
  const ownGroup = await groupOf(services, groupIdOf(wanted));
  const resourceGroupId =
    asked.targetResourceGroupId === undefined ? ownGroup : await groupOf(services, asked.targetResourceGroupId);
  await mayWrite(services, request, "Microsoft.Compute/virtualMachines/write", wanted);
  await mayWrite(services, request, "Microsoft.Compute/disks/write", resourceGroupId);
  const { subnetId } = asked;
  if (subnetId !== undefined) {
    await mayWrite(services, request, "Microsoft.Network/networkInterfaces/write", resourceGroupId);
    await mayDo(services, request, "Microsoft.Network/networkInterfaces/join/action", resourceGroupId);
    await mayDo(services, request, "Microsoft.Network/virtualNetworks/subnets/join/action", subnetId);
    const network = parseResourceId(subnetId).parent;
    if ((await findResource(services.database.kysely, network)) === undefined) {
      throw restoreErrors.UserErrorInvalidRestoreRequest(`There is no network ${network}.`, {
        target: "virtualNetworkId",
        remedy: "Choose a network that is there: az network vnet list.",
      });
    }
  }
  const hostId = asked.holdfast?.hostId ?? (await ownHost(services, item));
  return {
    kind: "newMachine",
    resourceGroupId,
    machineId: wanted,
    ...(subnetId === undefined ? {} : { subnetId }),
    ...(hostId === undefined ? {} : { hostId }),
    isInstant: asked.holdfast?.instant === true,
  };
}

/** The host that the machine ran on, when that runs machines; otherwise the only one that does is taken. */
async function ownHost(services: RestoreServices, item: ProtectedItem): Promise<string | undefined> {
  const machine = await services.inventory.findMachine(item.machineId);
  if (machine === undefined) return undefined;
  const hosts = await services.inventory.listHosts();
  const own = hosts.find(({ hostId }) => hostId === machine.hostId);
  return own === undefined || own.settings.kind === "images" ? undefined : own.resourceId;
}

/** VHDs, the template and the configuration go to a storage account. Who may list its keys may write to it. */
async function stagingOf(
  services: RestoreServices,
  request: ArmRequest,
  asked: RestoreRequest,
  target: RestoreTarget,
): Promise<RestoreInput["staging"]> {
  const id = asked.storageAccountId ?? asked.identityBasedRestoreDetails?.targetStorageAccountId ?? undefined;
  if (id === undefined) {
    if (target.kind !== "blobs") return undefined;
    throw restoreErrors.UserErrorInvalidRestoreRequest("storageAccountId is missing: it is where the disks go.", {
      target: "storageAccountId",
      remedy: "Name a storage account, or a target resource group for managed disks.",
    });
  }
  const account = parseResourceId(id).name;
  const found = await findAccount(services.database.kysely, services.blobs.store.secretBox, account.toLowerCase());
  if (found === undefined || found.scope.toLowerCase() !== id.toLowerCase()) {
    throw restoreErrors.UserErrorInvalidRestoreRequest(`There is no storage account ${id}.`, {
      target: "storageAccountId",
      remedy: "Choose one that is there: az storage account list.",
    });
  }
  await mayDo(services, request, "Microsoft.Storage/storageAccounts/listKeys/action", found.scope);
  return { account: found.name, id: found.scope };
}

function groupIdOf(id: string): string {
  const { subscriptionId = "", resourceGroup = "" } = parseResourceId(id);
  return groupScope(subscriptionId, resourceGroup);
}

async function groupOf({ database }: RestoreServices, id: string): Promise<string> {
  const group = await findResource(database.kysely, id);
  if (group?.type.toLowerCase() === groupType.toLowerCase()) return group.id;
  throw restoreErrors.UserErrorInvalidRestoreRequest(`There is no resource group ${id}.`, {
    target: "targetResourceGroupId",
    remedy: "Create it first: az group create.",
  });
}
