// Making a restore point. Run again after a crash it first looks whether its point stands already.

import { z } from "zod";
import { asHoldfastError } from "../../../arm/operations/operation.ts";
import type { OperationHandler } from "../../../arm/operations/runner.ts";
import { findResource, getResource } from "../../../arm/resources/resource-store.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import {
  captureMachine,
  capturedFacts,
  inTurn,
  mustBeCaptured,
  type CaptureRequest,
} from "../../../backup/capture/index.ts";
import { collectionStore } from "../../../backup/stores/store-name.ts";
import { writeByUrl } from "../../../blobs/write-by-url.ts";
import { reportingVmSnapshot } from "../../../extension/report.ts";
import { disksOf } from "../../../inventory/machine-disks.ts";
import type { InventoryMachine } from "../../../inventory/machine.ts";
import { isoTime } from "../../../lib/clock.ts";
import { newGuid } from "../../../lib/random.ts";
import type { Point, Vault } from "../../../store/index.ts";
import { newestPoint } from "../../../store/points/points.ts";
import { changeResource } from "../change-resource.ts";
import type { DiskServices } from "../disk-services.ts";
import type { CollectionHidden, PointDiskRow, RestorePointHidden } from "./rows.ts";
import { tellRestorePoint } from "./events.ts";
import { modeOfLevel } from "./shape.ts";
import { renderMachine } from "../virtual-machines/shape.ts";

export const createRestorePointKind = "restorePoint.create";

const inputSchema = z.object({
  collectionId: z.string(),
  machineId: z.string(),
  excludedLuns: z.array(z.number()),
  wanted: z.enum(["application", "fileSystem", "crash"]),
});
export type CreateRestorePointInput = z.output<typeof inputSchema>;

/** A collection holds points of one machine. */
const item = "machine";
const detailsSchema = z.object({ operation: z.string(), machine: z.record(z.string(), z.unknown()) });

export function registerRestorePointOperation(services: DiskServices): void {
  const { database, inventory, stores } = services;

  const create: OperationHandler = async ({ operation, assertHeld, signal }) => {
    const input = inputSchema.parse(operation.input);
    const collection = await getResource(database.kysely, input.collectionId);
    const { guid } = collection.hidden as unknown as CollectionHidden;
    const store = collectionStore(guid);
    const { host, machineId, machine } = await inventory.open(input.machineId, signal);
    await stores.create(store, { location: { kind: "folder" } }, signal);
    await using opened = await stores.open(store);
    const shown = await describe(services, machine);
    const request: CaptureRequest = {
      host,
      machineId,
      vault: opened.vault,
      item,
      chain: `rpc-${guid}`,
      consistency: input.wanted,
      consistencyAgent: reportingVmSnapshot(database, services.secretBox, (...blob) =>
        writeByUrl(services.blobs, ...blob),
      ),
      disks: { kind: "exclude", luns: input.excludedLuns },
      details: JSON.parse(JSON.stringify({ operation: operation.id, machine: shown })),
    };
    const point =
      (await pointOf(opened.vault, operation.id, signal)) ??
      (await inTurn(() => captureMachine(request, signal), signal)).point;
    await database.transaction(async (trx) => {
      await assertHeld(trx);
      await changeResource(trx, operation.resourceId, {
        provisioningState: "Succeeded",
        ...settled(operation.resourceId, machine, store, point),
      });
      const { consistency, takenAt, disks } = mustBeCaptured(point);
      tellRestorePoint(trx, "created", operation.resourceId, operation, {
        subjects: [machine.resourceId],
        data: { consistency: consistency.level, takenAt, disks: disks.length },
      });
    });
    return undefined;
  };

  services.operations.register(createRestorePointKind, async (work) => {
    try {
      return await create(work);
    } catch (error) {
      work.signal.throwIfAborted(); // handed back: somebody goes on with it
      await database.transaction(async (trx) => {
        await work.assertHeld(trx);
        await changeResource(trx, work.operation.resourceId, { provisioningState: "Failed" });
        const data = { code: asHoldfastError(error).code };
        tellRestorePoint(trx, "failed", work.operation.resourceId, work.operation, { data });
      });
      throw error;
    }
  });
}

/** The point that an earlier run of the same operation committed. */
async function pointOf(vault: Vault, operationId: string, signal: AbortSignal): Promise<Point | undefined> {
  const newest = await newestPoint(vault, item, signal);
  const details = newest && detailsSchema.safeParse(capturedFacts(newest)?.details);
  return details?.data?.operation === operationId ? newest : undefined;
}

/** The machine as the wire shows it at this moment: its settings are part of the point. */
async function describe({ database }: DiskServices, machine: InventoryMachine): Promise<Record<string, unknown>> {
  const resource = await findResource(database.kysely, machine.resourceId);
  return resource === undefined ? {} : renderMachine(resource, machine, []);
}

function settled(
  id: string,
  machine: InventoryMachine,
  store: string,
  point: Point,
): { properties: object; hidden: RestorePointHidden } {
  const facts = mustBeCaptured(point);
  const known = disksOf(machine);
  const disks = facts.disks.map(({ id: disk, lun, sizeBytes }): PointDiskRow => {
    const uniqueId = newGuid();
    const source = known.find((one) => one.disk.id === disk);
    return {
      name: `${source?.name ?? `lun${lun}`}_${uniqueId}`.slice(-80),
      disk,
      lun,
      sizeBytes,
      sourceResourceId: source?.resourceId ?? "",
      uniqueId,
    };
  });
  const details = detailsSchema.parse(facts.details);
  return {
    properties: {
      consistencyMode: modeOfLevel[facts.consistency.level],
      timeCreated: isoTime(facts.takenAt),
      sourceMetadata: sourceMetadata(id, details.machine, machine, disks),
      remarks: [
        ...(facts.consistency.level === facts.wanted || facts.consistency.explanation === undefined
          ? []
          : [{ code: facts.consistency.reason ?? "", severity: "warning", message: facts.consistency.explanation }]),
        ...facts.remarks,
      ],
    },
    hidden: { store, point: point.name, takenAt: facts.takenAt, osType: machine.osType, disks },
  };
}

interface WireDisk {
  readonly lun?: number;
  readonly managedDisk?: { readonly id?: string };
}

function sourceMetadata(
  id: string,
  shown: Resource["properties"],
  machine: InventoryMachine,
  disks: readonly PointDiskRow[],
): object {
  const properties = (shown["properties"] ?? {}) as Record<string, unknown>;
  const storage = (properties["storageProfile"] ?? {}) as { osDisk?: WireDisk; dataDisks?: readonly WireDisk[] };
  const withPoint = (disk: WireDisk): object[] => {
    const row = disks.find(
      ({ sourceResourceId }) => sourceResourceId.toLowerCase() === disk.managedDisk?.id?.toLowerCase(),
    );
    return row === undefined ? [] : [{ ...disk, diskRestorePoint: { id: `${id}/diskRestorePoints/${row.name}` } }];
  };
  const [osDisk] = storage.osDisk === undefined ? [] : withPoint(storage.osDisk);
  return {
    hardwareProfile: properties["hardwareProfile"],
    osProfile: properties["osProfile"],
    securityProfile: properties["securityProfile"],
    licenseType: properties["licenseType"],
    vmId: machine.vmId,
    location: machine.location,
    storageProfile: {
      ...(osDisk === undefined ? {} : { osDisk }),
      dataDisks: (storage.dataDisks ?? []).flatMap(withPoint),
      diskControllerType: "SCSI",
    },
  };
}
