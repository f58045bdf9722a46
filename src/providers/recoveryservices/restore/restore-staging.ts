// What a restore leaves in the staging account: VHDs if they are wanted, the machine's configuration,
// and a template that makes the machine again.

import { createPageBlob, largestPageWrite, writePages } from "../../../blobs/page-blobs.ts";
import { unguarded } from "../../../blobs/guard.ts";
import type { BlobAddress } from "../../../blobs/names.ts";
import { machineTemplate, type TemplateDisk } from "../../../backup/restore/machine-template.ts";
import { pagePieces } from "../../../backup/restore/page-sink.ts";
import {
  configBlob,
  restoredDiskName,
  stagingContainer,
  templateBlob,
  vhdBlob,
} from "../../../backup/restore/restored-names.ts";
import { randomBytes } from "../../../lib/random.ts";
import { faultPoint } from "../../../lib/faults.ts";
import { mustBeCaptured } from "../../../backup/capture/index.ts";
import { readAttachment, readDisk } from "../../../store/index.ts";
import { fixedVhdFooter, footerBytes } from "../../../store/images/vhd-footer.ts";
import type { RestorableDisk } from "../../../backup/restore/choose-disks.ts";
import type { Restoring } from "./restore-job.ts";
import { sizeOf } from "./restore-machine.ts";

export interface StagedSource {
  readonly lun: number;
  readonly source: TemplateDisk["source"];
}

/** VHDs are made side by side; a page blob is sparse, as the disk in the point is. */
export async function writeVhds(restoring: Restoring): Promise<StagedSource[]> {
  const { services, context, disks } = restoring;
  const place = placeOf(restoring);
  if (place === undefined) return [];
  await services.blobs.ensureContainer(place);
  const total = disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const done = disks.map(() => 0);
  return Promise.all(
    disks.map(async (each, index) => {
      const name = vhdBlob(restoring.item.friendlyName, each, context.job);
      await writeVhd(restoring, each, { ...place, name }, (bytes) => {
        done[index] = bytes;
        context.progress(total === 0 ? 100 : (done.reduce((sum, part) => sum + part, 0) / total) * 100);
      });
      return { lun: each.lun, source: { kind: "vhd", uri: uriOf(restoring, { ...place, name }) } };
    }),
  );
}

async function writeVhd(
  { services, context, store, point }: Restoring,
  each: RestorableDisk,
  address: BlobAddress,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { signal } = context;
  const blobs = services.blobs.store;
  const size = Math.ceil(each.sizeBytes / 512) * 512;
  // An attempt that was killed left a blob of this name: it is replaced.
  await createPageBlob(blobs, address, size + footerBytes, {
    settings: { contentType: "application/octet-stream" },
    metadata: {},
    guard: unguarded,
  });
  await readDisk(
    store,
    point,
    each.id,
    {
      write: async (bytes, offset) => {
        for (const piece of pagePieces(bytes, offset, largestPageWrite)) {
          const range = { start: piece.start, end: piece.end };
          await writePages(blobs, address, range, Buffer.from(piece.bytes), unguarded);
        }
        faultPoint("restore.piece-written");
      },
    },
    {
      checkIds: true,
      signal,
      onProgress: ({ bytesWritten, bytesZero }) => onBytes(bytesWritten + bytesZero),
    },
  );
  const secondsSince2000 = Math.floor((services.database.clock.now() - Date.UTC(2000, 0, 1)) / 1000);
  const footer = fixedVhdFooter(size, randomBytes(16), secondsSince2000);
  await writePages(blobs, address, { start: size, end: size + footerBytes }, footer, unguarded);
}

/** The configuration and the template; nothing when no staging account was named. */
export async function writeStaging(restoring: Restoring, sources: readonly StagedSource[]): Promise<void> {
  const { services, context, item, row, shape } = restoring;
  const place = placeOf(restoring);
  if (place === undefined) return;
  const { job, signal } = context;
  await services.blobs.ensureContainer(place);
  const config = { ...place, name: configBlob(item.friendlyName, job) };
  const template = { ...place, name: templateBlob(job) };
  const disks = sources.flatMap(({ lun, source }) => {
    const found = row.facts.disks.find((each) => each.lun === lun);
    if (found === undefined) return [];
    const name = restoredDiskName(item.friendlyName, found, job);
    return [{ lun, name, sizeBytes: found.sizeBytes, source }];
  });
  const machine = {
    name: item.friendlyName,
    location: shape.location,
    osType: row.facts.osType,
    vmSize: sizeOf(restoring),
    tags: shape.tags,
  };
  await putJson(restoring, config, shape.raw, signal);
  await putJson(restoring, template, machineTemplate(machine, disks), signal);
  await putBoot(restoring, place);
  context.setProperty("Target Storage Account Name", place.account);
  context.setProperty("Config Blob Container Name", place.container);
  context.setProperty("Config Blob Name", config.name);
  context.setProperty("Config Blob Uri", uriOf(restoring, config));
  context.setProperty("Template Blob Uri", uriOf(restoring, template));
}

/** The kernel that the machine was given by its host, and the variables of its UEFI, lie beside its disks. */
async function putBoot(
  { services, context, store, point }: Restoring,
  place: { readonly account: string; readonly container: string },
): Promise<void> {
  const { boot, firmware } = mustBeCaptured(point);
  const attachments = { kernel: boot?.kernel, initrd: boot?.initrd, nvram: firmware?.variables };
  for (const [kind, attachment] of Object.entries(attachments)) {
    if (attachment === undefined) continue;
    const content = await readAttachment(store, point, attachment, context.signal);
    const address = { ...place, name: `${kind}-${context.job.id}` };
    await services.blobs.write(address, "application/octet-stream", oneOf(content), context.signal);
  }
  if (boot !== undefined) context.setProperty("Kernel command line", boot.commandLine);
}

async function* oneOf(content: Buffer): AsyncGenerator<Buffer> {
  yield content;
}

async function putJson(
  { services }: Restoring,
  address: BlobAddress,
  value: unknown,
  signal: AbortSignal,
): Promise<void> {
  const content = Buffer.from(JSON.stringify(value, null, 2));
  await services.blobs.write(address, "application/json", oneOf(content), signal);
}

function placeOf({ input, item, context }: Restoring): { account: string; container: string } | undefined {
  return (
    input.staging && { account: input.staging.account, container: stagingContainer(item.friendlyName, context.job) }
  );
}

function uriOf({ services }: Restoring, { account, container, name }: BlobAddress): string {
  return `${services.blobs.accountUrl(account)}${container}/${encodeURIComponent(name)}`;
}
