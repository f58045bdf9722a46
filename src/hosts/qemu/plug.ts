// Disks that come to a running QEMU and leave it. What comes is QEMU's until it ends: who starts the
// machine says what it starts with.

import { z } from "zod";
import { HoldfastError } from "../../lib/errors.ts";
import { sleep } from "../../lib/time.ts";
import { hostErrors } from "../errors.ts";
import type { DefinedDisk } from "../host.ts";
import { checkImage } from "../images/formats.ts";
import { checkAnswer, listBlockDevices } from "./block-devices.ts";
import type { QmpConnection } from "./qmp.ts";

/** A guest answers the request to let go within seconds, or never. */
const unplugMilliseconds = 60_000;
const lookEveryMilliseconds = 250;

interface PciDevice {
  readonly qdev_id: string;
  readonly pci_bridge?: { readonly devices?: readonly PciDevice[] | undefined } | undefined;
}
const pciDevice: z.ZodType<PciDevice> = z.lazy(() =>
  z.object({
    qdev_id: z.string(),
    pci_bridge: z.object({ devices: z.array(pciDevice).max(256).optional() }).optional(),
  }),
);
const pciSchema = z.array(z.object({ devices: z.array(pciDevice).max(256) })).max(64);

export async function plugDisk(
  qmp: QmpConnection,
  machineName: string,
  { id, source }: DefinedDisk,
  signal?: AbortSignal,
): Promise<void> {
  if (source.kind !== "image")
    throw hostErrors.OperationUnsupported(`The disk "${id}" is a recovery point; only images are attached.`);
  if ((await listBlockDevices(qmp, { signal })).some((disk) => disk.id === id))
    throw hostErrors.DisksShareIdentity(`The machine ${machineName} has a disk "${id}" already.`);
  await checkImage(source.path, source.format);
  const node = nodeOf(id);
  await qmp.command(
    "blockdev-add",
    {
      driver: source.format,
      "node-name": node,
      discard: "unmap",
      ...(source.format === "qcow2" ? { backing: null } : {}),
      file: { driver: "file", filename: source.path },
    },
    { signal },
  );
  try {
    await addDevice(qmp, machineName, id, node, signal);
  } catch (error) {
    await qmp.command("blockdev-del", { "node-name": node });
    throw error;
  }
}

export async function unplugDisk(
  qmp: QmpConnection,
  machineName: string,
  diskId: string,
  signal?: AbortSignal,
): Promise<void> {
  const find = async () => (await listBlockDevices(qmp, { signal })).find(({ id }) => id === diskId);
  const disk = await find();
  if (disk === undefined) throw hostErrors.DiskNotFound(`The machine ${machineName} has no disk "${diskId}".`);
  if (disk.device === undefined) {
    throw hostErrors.OperationUnsupported(
      `The disk "${diskId}" of ${machineName} cannot be unplugged: its device has no id (-device …,id=NAME).`,
    );
  }
  await qmp.command("device_del", { id: disk.device }, { signal });
  for (let waited = 0; (await find()) !== undefined; waited += lookEveryMilliseconds) {
    if (waited >= unplugMilliseconds) {
      throw hostErrors.DiskKept(
        `The guest of ${machineName} did not let go of the disk "${diskId}" in ${unplugMilliseconds / 1000} s.`,
      );
    }
    await sleep(lookEveryMilliseconds, signal);
  }
  // What was started with -drive goes with its device.
  await qmp.command("blockdev-del", { "node-name": disk.node }, { signal }).catch(unlessRefused);
}

const nodeOf = (id: string): string => `plugged-${id}`;

/** On the first bus that takes it: a free PCIe port, else whatever QEMU finds for itself. */
async function addDevice(
  qmp: QmpConnection,
  machineName: string,
  id: string,
  node: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const device = { id: `dev-${id}`, serial: id, drive: node };
  const tries = [
    ...(await freePorts(qmp, signal)).map((bus) => ({ driver: "virtio-blk-pci", bus })),
    { driver: "virtio-blk-pci" },
    { driver: "scsi-hd" },
  ];
  const refusals: string[] = [];
  for (const one of tries) {
    try {
      await qmp.command("device_add", { ...device, ...one }, { signal });
      return;
    } catch (error) {
      unlessRefused(error);
      refusals.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw hostErrors.NoPlaceForDisk(`QEMU has no place for another disk in ${machineName}: ${refusals.join(" ")}`);
}

/** Bridges that nothing hangs on; those that take no more refuse by themselves. */
async function freePorts(qmp: QmpConnection, signal: AbortSignal | undefined): Promise<string[]> {
  const buses = checkAnswer(pciSchema, await qmp.command("query-pci", undefined, { signal }), "query-pci");
  return buses
    .flatMap(({ devices }) => devices)
    .filter(({ qdev_id: port, pci_bridge: bridge }) => {
      return port !== "" && bridge !== undefined && (bridge.devices ?? []).length === 0;
    })
    .map(({ qdev_id: port }) => port);
}

function unlessRefused(error: unknown): void {
  if (error instanceof HoldfastError && error.code === "QemuRefused") return;
  throw error;
}
