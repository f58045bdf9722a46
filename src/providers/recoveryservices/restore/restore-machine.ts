// The restored machine: a network interface and a machine from the restored disks, made through the one
// dispatcher with the rights of whoever asked for the restore.

import { parseResourceId } from "../../../arm/resource-id.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import type { RestoreTarget } from "../../../backup/restore/restore-input.ts";
import { mustBeCaptured } from "../../../backup/capture/index.ts";
import { bringKeysBack } from "./restore-keys.ts";
import type { RestoredDisk, Restoring } from "./restore-job.ts";

type NewMachine = Extract<RestoreTarget, { kind: "newMachine" }>;

const interfaceVersion = "2022-07-01";
const machineVersion = "2022-08-01";

export async function makeMachine(
  restoring: Restoring,
  target: NewMachine,
  disks: readonly RestoredDisk[],
): Promise<void> {
  const { services, context, shape, row } = restoring;
  if ((await services.inventory.findMachine(target.machineId)) !== undefined) return; // made by an earlier attempt
  const name = parseResourceId(target.machineId).name;
  const interfaces: { id: string }[] = [];
  if (target.subnetId !== undefined) {
    const id = `${target.resourceGroupId}/providers/Microsoft.Network/networkInterfaces/${name}-nic-${context.job.id.slice(0, 8)}`;
    await put(restoring, id, interfaceVersion, {
      location: shape.location,
      properties: {
        ipConfigurations: [
          { name: "ipconfig1", properties: { subnet: { id: target.subnetId }, privateIPAllocationMethod: "Dynamic" } },
        ],
      },
    });
    interfaces.push({ id });
  }
  const keys = await bringKeysBack(restoring);
  const system = disks.find(({ lun }) => lun === -1);
  const attach = ({ id }: RestoredDisk): object => ({ createOption: "Attach", managedDisk: { id } });
  await put(restoring, target.machineId, machineVersion, {
    location: shape.location,
    tags: shape.tags,
    properties: {
      hardwareProfile: { vmSize: sizeOf(restoring) },
      storageProfile: {
        ...(system === undefined ? {} : { osDisk: { osType: row.facts.osType, ...attach(system), ...keys } }),
        dataDisks: disks.filter(({ lun }) => lun >= 0).map((disk) => ({ lun: disk.lun, ...attach(disk) })),
      },
      networkProfile: { networkInterfaces: interfaces },
      ...(target.hostId === undefined ? {} : { host: { id: target.hostId } }),
    },
  });
  context.setProperty("Target VM Name", name);
}

/** Of machines that were not running nobody knows the size: something small that boots. */
const unknownSize = "Standard_B1ms";

/** What the machine had. */
export function sizeOf({ point, row }: Pick<Restoring, "point" | "row">): string {
  const { machine } = mustBeCaptured(point);
  if (machine.memoryBytes !== undefined && machine.processors !== undefined)
    return `Holdfast_${machine.processors}_${Math.round(machine.memoryBytes / 1024 ** 2)}`;
  return /unknown/i.test(row.facts.vmSize) || row.facts.vmSize === "" ? unknownSize : row.facts.vmSize;
}

async function put({ services, context, input }: Restoring, id: string, version: string, body: object): Promise<void> {
  const origin = new URL(services.blobs.accountUrl("x")).origin;
  const reply = await services.inProcess.send({
    method: "PUT",
    target: `${id}?api-version=${version}`,
    body,
    caller: input.caller,
    correlationId: context.job.correlationId,
    origin,
    signal: context.signal,
  });
  if (reply.status < 300) return;
  const { error } = JSON.parse(String(reply.body ?? "{}")) as { error?: { code?: string; message?: string } };
  throw restoreErrors.UserErrorCrpReportedUserError(
    `${id} could not be made: ${error?.code ?? reply.status}: ${error?.message ?? ""}`,
    { target: id },
  );
}
