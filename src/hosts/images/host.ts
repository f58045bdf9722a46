// Machines that do not run: a folder of disk images.

import { join } from "node:path";
import { hostErrors } from "../errors.ts";
import type { Host } from "../host.ts";
import { endLeftDaemons } from "../storage-daemon.ts";
import { describeImages, scanImages, type FoundMachine } from "./scan.ts";
import { openImagesSnapshot } from "./snapshot.ts";

export interface ImagesHostSettings {
  readonly folder: string;
  /** Where NBD sockets go; `.holdfast` in the folder when absent. */
  readonly scratchFolder?: string;
}

export function openImagesHost({ folder, scratchFolder = join(folder, ".holdfast") }: ImagesHostSettings): Host {
  const inSnapshot = new Set<string>();

  const find = async (id: string): Promise<FoundMachine> => {
    const found = (await scanImages(folder)).find((machine) => machine.id === id);
    if (found === undefined) throw hostErrors.MachineNotFound(`No machine ${id} has images in ${folder}.`);
    return found;
  };

  return {
    kind: "images",
    lifecycle: undefined,
    diskPlug: undefined,
    listMachines: async (signal) => {
      const machines = [];
      for (const found of await scanImages(folder)) machines.push(await describeImages(found, signal));
      return machines;
    },
    findMachine: async (id, signal) => describeImages(await find(id), signal),
    directBoot: async () => undefined,
    withAgent: async (id) => {
      throw hostErrors.OperationUnsupported(
        `The machine ${(await find(id)).name} is a set of images; it does not run and has no agent.`,
      );
    },
    snapshot: async (id, request, signal) => {
      const machine = await find(id);
      if (inSnapshot.has(id))
        throw hostErrors.SnapshotInProgress(`A snapshot of the machine ${machine.name} is open already.`);
      inSnapshot.add(id);
      const release = (): void => void inSnapshot.delete(id);
      try {
        return await openImagesSnapshot(machine, request, scratchFolder, release, signal);
      } catch (error) {
        release();
        throw error;
      }
    },
    cleanUp: async () => {
      const removed = inSnapshot.size === 0 ? await endLeftDaemons(scratchFolder) : [];
      return { removed, thawed: [], failures: [] };
    },
    close: async () => {},
  };
}
