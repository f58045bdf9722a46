// Replacing the disks of a machine that is there: first a recovery point of what it holds now, then the
// machine stops, gets the restored disks, and starts again. The disks that it had stay, unattached.

import { idKey, parseResourceId } from "../../../arm/resource-id.ts";
import { findResource, type Writer } from "../../../arm/resources/resource-store.ts";
import { captureMachine } from "../../../backup/capture/index.ts";
import { insertPoint } from "../../../backup/points/record-point.ts";
import { rowOfPoint } from "../../../backup/points/point-row.ts";
import { openVaultStore } from "../../../backup/points/tiers.ts";
import { ownDoer } from "../../../backup/protection/item-events.ts";
import { transferFromVaultTask } from "../../../backup/restore/restore-input.ts";
import {
  describePoint,
  mustHaveDetails,
  pointAttachments,
  recoveryPointName,
} from "../../../backup/run/point-content.ts";
import { findPolicy } from "../../../backup/vaults/policies.ts";
import { findVault } from "../../../backup/vaults/vaults.ts";
import type { DefinedFirmware, DiskSource } from "../../../hosts/host.ts";
import { faultPoint } from "../../../lib/faults.ts";
import type { OpenMachine } from "../../../inventory/inventory.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import { captureDiskKeys } from "../../../backup/keys/capture-disk-keys.ts";
import { ownIdentityOf } from "../vaults/own-identity.ts";
import { describeMachine } from "./machine-description.ts";
import type { DiskHidden } from "../../compute/disks/properties.ts";
import { bootOf } from "../../compute/virtual-machines/disks-to-attach.ts";
import { changeResource } from "../../compute/change-resource.ts";
import type { RestoredDisk, Restoring } from "./restore-job.ts";
import { managedDisks } from "./restore-managed-disk.ts";

/** Its state is kept by now: a guest that does not shut down in that time is switched off. */
const graceMilliseconds = 15_000;
const safetyDays = 30;

export async function replaceDisks(restoring: Restoring, machineId: string): Promise<void> {
  const { services, context } = restoring;
  const { signal } = context;
  await services.inventory.refreshMachine(machineId, signal);
  const open = await services.inventory.open(machineId, signal);
  const { lifecycle } = open.host;
  if (lifecycle === undefined)
    throw restoreErrors.UserErrorRestoreNotSupported("The host of the machine cannot stop and start machines.");
  if (open.machine.machine.powerState === "stopped")
    context.subStep("The machine is off: the disks that it has are its present state, and they stay.");
  else await takeSafetyPoint(restoring, open);
  faultPoint("restore.after-safety-point");
  const disks = await managedDisks(restoring, groupOf(machineId));
  await context.setCancellable(false);

  const before = await services.inventory.refreshMachine(machineId, signal);
  const wasRunning = before.machine.powerState !== "stopped";
  if (wasRunning) await lifecycle.stop(open.machineId, graceMilliseconds, signal);
  faultPoint("restore.stopped");
  const byId = restoring.disks.map((each, index) => [each.id, disks[index]] as const);
  const sources: Record<string, DiskSource> = {};
  for (const [id, disk] of byId)
    if (disk !== undefined) sources[id] = { kind: "image", path: disk.imagePath, format: "raw" };
  const system = byId.find(([, disk]) => disk?.lun === -1)?.[1];
  const firmware = system === undefined ? undefined : await firmwareWith(restoring, system.id);
  await lifecycle.replaceDisks(open.machineId, sources, firmware);
  await services.database.transaction(async (trx) => {
    await context.assertHeld(trx);
    await nameDisks(trx, machineId, byId);
  });
  // What an attempt that was killed had stopped is started by the one after it.
  if (wasRunning || context.job.attempt > 1) await lifecycle.start(open.machineId, signal);
  await services.inventory.refreshMachine(machineId, signal);
  await context.finishTask(transferFromVaultTask);
}

/** A point on demand of what is about to be replaced; an earlier attempt may have made it. */
async function takeSafetyPoint({ services, context, item }: Restoring, open: OpenMachine): Promise<void> {
  const { database, stores, keyVaults, vaultCallerOf } = services;
  const { job, signal } = context;
  const id = recoveryPointName(job.id);
  const known = await database.kysely
    .selectFrom("recovery_points")
    .select("id")
    .where("id", "=", id)
    .executeTakeFirst();
  if (known !== undefined) return;
  const vault = await findVault(database.kysely, item.vaultKey);
  if (vault === undefined) throw restoreErrors.UserErrorRecoveryPointNotFound("The vault is not there any more.");
  const found = await findPolicy(database.kysely, vault, item.policyKey ?? "DefaultPolicy");
  if (found === undefined || found.policy.management !== "AzureIaasVM") {
    throw restoreErrors.UserErrorInvalidRestoreRequest(
      `'${item.friendlyName}' has no policy, so the state that is replaced could not be kept.`,
      { remedy: "Resume its protection first, or restore to a new machine." },
    );
  }
  const policy = { name: found.name, policy: found.policy };
  const now = database.clock.now();
  const shape = await describeMachine(database, open.machine);
  const subject = {
    jobId: job.id,
    vault,
    item,
    policy,
    machine: open.machine,
    input: { kind: "onDemand" as const, dueAt: now, expiresAt: now + safetyDays * 86_400_000 },
    shape,
    keys: await captureDiskKeys(keyVaults, async () => vaultCallerOf(await ownIdentityOf(database, vault)), shape),
  };
  await using opened = await openVaultStore(stores, vault);
  context.subStep("A recovery point of the present state is taken first.");
  const { point } = await captureMachine(
    {
      host: open.host,
      machineId: open.machineId,
      vault: opened.hot ?? opened.vault,
      item: item.storeItem,
      chain: item.itemId,
      consistency: "fileSystem",
      attachments: pointAttachments(subject),
      details: describePoint(subject),
    },
    signal,
  );
  const tier = { isInSnapshotTier: opened.hot !== undefined, isInVaultTier: opened.hot === undefined };
  await database.transaction(async (trx) => {
    await context.assertHeld(trx);
    const place = { vaultKey: item.vaultKey, itemKey: item.key, ...tier };
    await insertPoint(trx, rowOfPoint(point, mustHaveDetails(point), place), ownDoer(job.correlationId));
  });
  context.setProperty("Recovery point of the replaced state", id);
}

/** The variables that stand beside a restored system disk. */
async function firmwareWith({ services }: Restoring, diskId: string): Promise<DefinedFirmware | undefined> {
  const restored = await findResource<object, DiskHidden>(services.database.kysely, diskId);
  if (restored === undefined) return undefined;
  return bootOf(restored.hidden, services.disks.images.bootPathsOf(restored.hidden.imageId)).firmware;
}

/** The machine's resource names its new disks, and the old ones are nobody's. */
async function nameDisks(
  trx: Writer,
  machineId: string,
  disks: readonly (readonly [string, RestoredDisk | undefined])[],
): Promise<void> {
  const machine = await findResource<object, { diskResourceIds?: Record<string, string> }>(trx, machineId);
  const names = { ...machine?.hidden.diskResourceIds };
  for (const [id, restored] of disks) {
    if (restored === undefined) continue;
    const old = names[id];
    if (old !== undefined && old !== restored.id) await setOwner(trx, old, undefined);
    names[id] = restored.id;
    await setOwner(trx, restored.id, machineId);
  }
  await changeResource(trx, machineId, { hidden: { diskResourceIds: names } });
}

async function setOwner(trx: Writer, diskId: string, owner: string | undefined): Promise<void> {
  const found = await findResource(trx, diskId);
  if (found === undefined) return;
  const { managedBy: _before, ...envelope } = found.envelope;
  const changed = owner === undefined ? envelope : { ...envelope, managedBy: owner };
  await trx
    .updateTable("resources")
    .set({ envelope: JSON.stringify(changed) })
    .where("key", "=", idKey(diskId))
    .execute();
}

function groupOf(id: string): string {
  const { subscriptionId = "", resourceGroup = "" } = parseResourceId(id);
  return `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`;
}
