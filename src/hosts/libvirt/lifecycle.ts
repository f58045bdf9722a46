// Defines, starts and stops machines through libvirt, and brings restored disks home.

import { join } from "node:path";
import { monotonicMilliseconds } from "../../lib/clock.ts";
import { disk as files } from "../../lib/files.ts";
import { sleep } from "../../lib/time.ts";
import { hostErrors } from "../errors.ts";
import type { DiskSource, Lifecycle, MachineDefinition, PowerState } from "../host.ts";
import { prepareFirmware } from "../firmware/choose-firmware.ts";
import { checkImage } from "../images/formats.ts";
import { workingAccelerator } from "../qemu/accelerator.ts";
import { checkDefinition, type Definitions } from "../qemu/definitions.ts";
import { ensureOverlay } from "../qemu/launch.ts";
import { isRefusal } from "./checkpoints.ts";
import { domainXml } from "./definition-xml.ts";
import type { DomainState } from "./domain.ts";
import type { Virsh } from "./virsh.ts";

export interface LibvirtLifecycleParts {
  readonly virsh: Virsh;
  /** What was defined here, so that disks can be given other images. */
  readonly definitions: Definitions;
  /** Belongs to the user that QEMU runs as. */
  readonly scratchFolder: string;
  look(id: string, signal?: AbortSignal): Promise<DomainState>;
}

const lookEveryMilliseconds = 500;
const bringHomeMilliseconds = 24 * 3600 * 1000;

export function openLibvirtLifecycle({ virsh, definitions, scratchFolder, look }: LibvirtLifecycleParts): Lifecycle {
  const define = async (definition: MachineDefinition, signal?: AbortSignal): Promise<void> => {
    const kind = (await workingAccelerator()) === "kvm" ? "kvm" : "qemu";
    const firmware = definition.firmware && (await prepareFirmware(definition.firmware, signal));
    await virsh.call(["define"], { documents: { "--file": domainXml(definition, kind, firmware) }, signal });
  };
  const mustBeStopped = async (id: string, signal?: AbortSignal): Promise<void> => {
    const { domain, powerState } = await look(id, signal);
    if (powerState !== "stopped") throw hostErrors.MachineRunning(`The machine ${domain.name} runs.`);
  };
  const isOff = async (id: string, signal?: AbortSignal): Promise<boolean> => {
    const state: PowerState = (await look(id, signal)).powerState;
    return state === "stopped";
  };

  return {
    define: async (asked, signal) => {
      const definition = checkDefinition(asked);
      const names = (await virsh.call(["list", "--all", "--name"], { signal })).split("\n").map((line) => line.trim());
      const ids = await virsh.call(["list", "--all", "--uuid"], { signal });
      if (names.includes(definition.name) || ids.includes(definition.id))
        throw hostErrors.MachineExists(`The host has a machine ${definition.name} already.`);
      await define(definition, signal);
      await definitions.save(definition);
    },
    undefine: async (id) => {
      await mustBeStopped(id);
      const defined = (await definitions.list()).find((definition) => definition.id === id);
      // Variables that came with a disk stay with it.
      const variables = defined?.firmware === undefined ? "--nvram" : "--keep-nvram";
      await virsh.call(["undefine", id, "--checkpoints-metadata", variables]);
      if (defined !== undefined) await definitions.remove(defined.name);
    },
    start: async (id, signal) => {
      await mustBeStopped(id, signal);
      const defined = (await definitions.list()).find((definition) => definition.id === id);
      for (const { source } of defined?.disks ?? []) await readySource(source, signal);
      await virsh.call(["start", id], { signal });
    },
    stop: async (id, graceMilliseconds, signal) => {
      if (await isOff(id, signal)) return;
      if (graceMilliseconds > 0) await virsh.call(["shutdown", id], { signal });
      const end = monotonicMilliseconds() + graceMilliseconds;
      while (monotonicMilliseconds() < end) {
        if (await isOff(id, signal)) return;
        await sleep(lookEveryMilliseconds, signal);
      }
      await virsh.call(["destroy", id], { signal }).catch((error: unknown) => {
        if (!isRefusal(error, /not running/i)) throw error;
      });
    },
    restart: async (id, signal) => void (await virsh.call(["reset", id], { signal })),
    replaceDisks: async (id, sources, firmware) => {
      const definition = await definitions.find(id);
      await mustBeStopped(id);
      const unknown = Object.keys(sources).filter((name) => !definition.disks.some((disk) => disk.id === name));
      if (unknown.length > 0)
        throw hostErrors.DiskNotFound(`The machine ${definition.name} has no disk "${unknown.join('", "')}".`);
      const disks = definition.disks.map((disk) => ({ ...disk, source: sources[disk.id] ?? disk.source }));
      const changed = checkDefinition({ ...definition, disks, ...(firmware && { firmware }) });
      await define(changed);
      await definitions.save(changed);
    },
    makeFolder: async (name) => {
      const folder = join(scratchFolder, name);
      await files.makeDirectory(folder, 0o700);
      const owner = (await files.status(scratchFolder))?.owner;
      if (owner !== undefined) await files.changeOwner(folder, owner);
      return folder;
    },
    bringHome: async (id, diskId, signal) => {
      const definition = await definitions.find(id);
      const { domain } = await look(id, signal);
      const target = domain.disks.find((disk) => disk.id === diskId)?.target;
      if (target === undefined) throw hostErrors.DiskNotFound(`The machine has no disk "${diskId}".`);
      await virsh.call(["blockpull", id, target, "--wait"], { signal, timeoutMilliseconds: bringHomeMilliseconds });
      const disks = definition.disks.map((disk) =>
        disk.id === diskId && disk.source.kind === "point"
          ? { id: disk.id, source: { kind: "image" as const, path: disk.source.overlayPath, format: "qcow2" as const } }
          : disk,
      );
      await definitions.save({ ...definition, disks });
    },
  };
}

async function readySource(source: DiskSource, signal: AbortSignal | undefined): Promise<void> {
  if (source.kind === "image") await checkImage(source.path, source.format);
  else if ((await files.status(source.overlayPath)) === undefined) await ensureOverlay(source, signal);
}
