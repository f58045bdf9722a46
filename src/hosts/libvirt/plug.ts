// Disks that come to a machine of libvirt and leave it: at once where it runs, and for its next start
// where libvirt keeps its definition.

import { sleep } from "../../lib/time.ts";
import { hostErrors } from "../errors.ts";
import type { DefinedDisk } from "../host.ts";
import { checkImage } from "../images/formats.ts";
import { isRefusal } from "./checkpoints.ts";
import { diskXml, targetName } from "./definition-xml.ts";
import type { DomainState } from "./domain.ts";
import type { Virsh } from "./virsh.ts";

/** A guest answers the request to let go within seconds, or never. */
const unplugMilliseconds = 60_000;
const lookEveryMilliseconds = 500;
const mostDisks = 702;
const noPlace = /no more available PCI slots|no free|no available|hotplug|hot-plug/i;

export async function plugDisk(
  virsh: Virsh,
  { domain, powerState, isPersistent }: PluggableState,
  disk: DefinedDisk,
  signal?: AbortSignal,
): Promise<void> {
  const { source, id } = disk;
  if (source.kind !== "image")
    throw hostErrors.OperationUnsupported(`The disk "${id}" is a recovery point; only images are attached.`);
  if (domain.disks.some((one) => one.id === id))
    throw hostErrors.DisksShareIdentity(`The machine ${domain.name} has a disk "${id}" already.`);
  await checkImage(source.path, source.format);
  const targets = new Set(domain.disks.map(({ target }) => target));
  const free = Array.from({ length: mostDisks }, (_, index) => index).find((index) => !targets.has(targetName(index)));
  if (free === undefined) throw hostErrors.NoPlaceForDisk(`The machine ${domain.name} has ${mostDisks} disks.`);
  try {
    await virsh.call(["attach-device", domain.id, ...scope(powerState, isPersistent)], {
      documents: { "--file": diskXml(disk, free) },
      signal,
    });
  } catch (error) {
    if (!isRefusal(error, noPlace)) throw error;
    throw hostErrors.NoPlaceForDisk(`libvirt has no place for another disk in ${domain.name}.`, { cause: error });
  }
}

export async function unplugDisk(
  virsh: Virsh,
  state: PluggableState,
  diskId: string,
  look: () => Promise<DomainState>,
  signal?: AbortSignal,
): Promise<void> {
  const { domain, powerState, isPersistent } = state;
  const target = domain.disks.find(({ id }) => id === diskId)?.target;
  if (target === undefined) throw hostErrors.DiskNotFound(`The machine ${domain.name} has no disk "${diskId}".`);
  await virsh.call(["detach-disk", domain.id, target, ...scope(powerState, isPersistent)], { signal });
  for (let waited = 0; ; waited += lookEveryMilliseconds) {
    if (!(await look()).domain.disks.some((disk) => disk.target === target)) return;
    if (waited >= unplugMilliseconds) {
      throw hostErrors.DiskKept(
        `The guest of ${domain.name} did not let go of the disk "${diskId}" in ${unplugMilliseconds / 1000} s.`,
      );
    }
    await sleep(lookEveryMilliseconds, signal);
  }
}

export interface PluggableState extends DomainState {
  /** Transient machines have no definition to keep a disk in. */
  readonly isPersistent: boolean;
}

function scope(powerState: DomainState["powerState"], isPersistent: boolean): string[] {
  return [...(powerState === "stopped" ? [] : ["--live"]), ...(isPersistent ? ["--config"] : [])];
}
