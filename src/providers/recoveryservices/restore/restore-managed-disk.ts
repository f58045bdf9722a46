// One disk of a point as a managed disk: its row first, then its bytes, then its row says that it is
// whole. Another attempt of the same job goes on with the row that it finds.

import { findResource } from "../../../arm/resources/resource-store.ts";
import type { RestorableDisk } from "../../../backup/restore/choose-disks.ts";
import { restoredDiskName } from "../../../backup/restore/restored-names.ts";
import { writeBoot } from "../../../backup/restore/boot-files.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import { changeResource } from "../../compute/change-resource.ts";
import { putNewDisk } from "../../compute/disks/new-disk.ts";
import type { DiskHidden } from "../../compute/disks/properties.ts";
import type { RestoredDisk, Restoring } from "./restore-job.ts";

export async function managedDisks(restoring: Restoring, resourceGroupId: string): Promise<RestoredDisk[]> {
  const { context, disks } = restoring;
  const total = disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const done = disks.map(() => 0);
  return Promise.all(
    disks.map((each, index) =>
      restoreManagedDisk(restoring, each, resourceGroupId, (bytes) => {
        done[index] = bytes;
        context.progress(total === 0 ? 100 : (done.reduce((sum, part) => sum + part, 0) / total) * 100);
      }),
    ),
  );
}

async function restoreManagedDisk(
  restoring: Restoring,
  each: RestorableDisk,
  resourceGroupId: string,
  onBytes: (bytes: number) => void,
): Promise<RestoredDisk> {
  const { services, context, store, point } = restoring;
  const name = restoredDiskName(restoring.item.friendlyName, each, context.job);
  const id = `${resourceGroupId}/providers/Microsoft.Compute/disks/${name}`;
  const { imageId, isWhole } = await reserve(restoring, each, id);
  if (!isWhole) {
    const onProgress = ({ bytesDone }: { readonly bytesDone: number }): void => onBytes(bytesDone);
    await services.disks.images.write(
      imageId,
      { kind: "openPoint", vault: store, point, disk: each.id, onProgress },
      0,
      context.signal,
    );
    const hidden = each.lun === -1 ? await restoreBoot(restoring, imageId) : {};
    await services.database.transaction(async (trx) => {
      await context.assertHeld(trx);
      await changeResource(trx, id, { provisioningState: "Succeeded", hidden });
    });
  }
  onBytes(each.sizeBytes);
  context.subStep(`The disk ${name} is restored.`);
  return { lun: each.lun, id, imagePath: services.disks.images.pathOf(imageId) };
}

/** A machine that is made with this system disk, now or later, boots what it booted before. */
async function restoreBoot(
  { services, context, store, point }: Restoring,
  imageId: string,
): Promise<Pick<DiskHidden, "boot" | "uefi">> {
  const paths = services.disks.images.bootPathsOf(imageId);
  const { kernel, firmware } = await writeBoot(store, point, paths, context.signal);
  return {
    ...(kernel && { boot: { hasInitrd: kernel.initrdPath !== undefined, commandLine: kernel.commandLine } }),
    ...(firmware && { uefi: { isSecureBoot: firmware.isSecureBoot } }),
  };
}

function reserve(
  { services, context, input, row, shape }: Restoring,
  each: RestorableDisk,
  id: string,
): Promise<{ imageId: string; isWhole: boolean }> {
  return services.database.transaction(async (trx) => {
    await context.assertHeld(trx);
    const known = await findResource<object, { imageId?: string; restoreJob?: string }>(trx, id);
    if (known !== undefined) {
      if (known.hidden.restoreJob !== context.job.id || known.hidden.imageId === undefined)
        throw restoreErrors.UserErrorRestoreTargetExists(`There is a disk ${id} already.`, { target: id });
      return { imageId: known.hidden.imageId, isWhole: known.provisioningState === "Succeeded" };
    }
    const osType = row.facts.osType === "Windows" ? "Windows" : "Linux";
    const imageId = await putNewDisk(trx, {
      id,
      asked: { creationData: { createOption: "Restore" } },
      planned: each.lun === -1 ? { osType } : {},
      sizeBytes: each.sizeBytes,
      location: shape.location,
      sku: "Premium_LRS",
      tags: shape.tags,
      hidden: { restoreJob: context.job.id },
      caller: input.caller,
    });
    return { imageId, isWhole: false };
  });
}
