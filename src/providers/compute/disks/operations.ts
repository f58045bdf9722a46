// The long part of creating and growing disks. Each may be run again after a crash: a disk's content is
// then written anew.

import { z } from "zod";
import type { OperationHandler, OperationWork } from "../../../arm/operations/runner.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import { governReads } from "../../../backup/capture/govern-reads.ts";
import { inTurn } from "../../../backup/capture/in-turn.ts";
import { openSnapshotSource } from "../../../backup/capture/snapshot-source.ts";
import type { DiskContent } from "../../../disks/images.ts";
import { imageById } from "../../../disks/image-rows.ts";
import { randomBytes } from "../../../lib/random.ts";
import { changeResource } from "../change-resource.ts";
import { contentInput, type ContentInput } from "./content.ts";
import { renderDisk } from "./properties.ts";
import type { DiskServices } from "../disk-services.ts";

export const writeDiskKind = "disk.write";
export const growDiskKind = "disk.grow";

const writeInput = z.object({ imageId: z.string(), content: contentInput, sizeBytes: z.number() });
const growInput = z.object({ imageId: z.string(), sizeBytes: z.number() });
export type WriteDiskInput = z.output<typeof writeInput>;
export type GrowDiskInput = z.output<typeof growInput>;

export function registerDiskOperations(services: DiskServices): void {
  const { operations, disks } = services;
  const write: OperationHandler = async (work) => {
    const { imageId, content, sizeBytes } = writeInput.parse(work.operation.input);
    await usingContent(services, content, work.signal, (opened) =>
      disks.images.write(imageId, opened, sizeBytes, work.signal),
    );
    // Whoever deleted the disk meanwhile could not delete a file that was not there yet.
    if ((await imageById(services.database.kysely, imageId)) === undefined) await disks.images.sweep();
    return undefined;
  };
  const grow: OperationHandler = async ({ operation }) => {
    const { imageId, sizeBytes } = growInput.parse(operation.input);
    await disks.images.grow(imageId, sizeBytes);
    return undefined;
  };
  operations.register(writeDiskKind, settling(services, write));
  operations.register(growDiskKind, settling(services, grow));
}

/** The resource says what came of its operation; clients that follow the operation get it as the result. */
function settling(services: DiskServices, handle: OperationHandler): OperationHandler {
  const { database } = services;
  const settle = (work: OperationWork, provisioningState: string): Promise<Resource | undefined> =>
    database.transaction(async (trx) => {
      await work.assertHeld(trx);
      return changeResource(trx, work.operation.resourceId, { provisioningState });
    });
  return async (work) => {
    try {
      await handle(work);
    } catch (error) {
      work.signal.throwIfAborted(); // handed back: somebody goes on with it
      await settle(work, "Failed");
      throw error;
    }
    const resource = await settle(work, "Succeeded");
    return resource && renderDisk(resource, database.clock.now());
  };
}

async function usingContent(
  services: DiskServices,
  input: ContentInput,
  signal: AbortSignal,
  use: (content: DiskContent) => Promise<unknown>,
): Promise<void> {
  if (input.kind === "blob") {
    const { account, container, name } = input;
    const { size, body } = await services.blobs.read({ account, container, name }, signal);
    await use({ kind: "vhd", size, body });
    return;
  }
  if (input.kind !== "machine") {
    await use(input);
    return;
  }
  const { host, machineId } = await services.inventory.open(input.vmId, signal);
  const names = { chain: `copy-${randomBytes(8).toString("hex")}`, point: "copy" };
  const request = { consistency: "crash", disks: [input.diskId], ...names } as const;
  await using session = await inTurn(() => host.snapshot(machineId, request, signal), signal);
  const [taken] = session.disks;
  if (taken === undefined) throw new Error(`the snapshot of ${input.vmId} holds no disk`);
  const both = AbortSignal.any([signal, session.lost]);
  await using governed = governReads(session, both);
  await using source = await openSnapshotSource(taken, governed, both);
  await use({ kind: "source", source });
  await session.confirm();
}
