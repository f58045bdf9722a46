// Machines of a libvirt daemon, through libvirt's own API only: it owns their monitors, block nodes and
// jobs. Machines that do not run are read from their images, as in a folder of images.

import { homedir } from "node:os";
import { join } from "node:path";
import type { GuestAgent } from "../../guest/agent.ts";
import { thawIfFrozen, type FreezeLimits } from "../../guest/freeze.ts";
import { HoldfastError } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { hostErrors } from "../errors.ts";
import type { CleanUpReport, DiskPlug, Host, SnapshotRequest, SnapshotSession } from "../host.ts";
import { imageFormats } from "../images/formats.ts";
import { openImagesSnapshot } from "../images/snapshot.ts";
import type { FoundMachine } from "../images/scan.ts";
import { openDefinitions } from "../qemu/definitions.ts";
import { endLeftDaemons } from "../storage-daemon.ts";
import { inTurns } from "../turns.ts";
import { openLibvirtAgent } from "./agent.ts";
import { endBackup, findBackup } from "./backup-job.ts";
import { describeDomains, listDomainIds, toMachine, type Domain, type DomainState } from "./domain.ts";
import { readLibvirtFirmware } from "./firmware.ts";
import { openLibvirtLifecycle } from "./lifecycle.ts";
import { plugDisk, unplugDisk, type PluggableState } from "./plug.ts";
import { refuseRemote } from "./reach.ts";
import { isOurSocket, openLibvirtSnapshot } from "./snapshot.ts";
import { openVirsh } from "./virsh.ts";

export interface LibvirtHostSettings {
  readonly uri: string;
  /** Where scratch files and NBD sockets go; the machines' QEMU must be able to write there. */
  readonly scratchFolder?: string;
  readonly freezeLimits?: FreezeLimits;
}

/** What the system's QEMU processes may write; what we put below belongs to their user. */
const systemFolder = "/var/lib/libvirt/qemu";

/** Fails when the daemon cannot be reached. */
export async function openLibvirtHost(settings: LibvirtHostSettings, signal?: AbortSignal): Promise<Host> {
  const virsh = openVirsh(settings.uri);
  await virsh.call(["uri"], { signal });
  const scratchFolder = settings.scratchFolder ?? (await usualScratch(settings.uri));
  await disk.makeDirectory(scratchFolder);
  const agentTurns = inTurns();
  const inSnapshot = new Set<string>();
  const definitions = openDefinitions(join(scratchFolder, "machines"));

  const look = async (id: string, signal?: AbortSignal): Promise<DomainState> => {
    const refuse = (_id: string, error: HoldfastError): never => {
      throw error;
    };
    const [state] = await describeDomains(virsh, [id], refuse, signal);
    if (state === undefined) throw hostErrors.MachineNotFound(`libvirt at ${settings.uri} has no machine ${id}.`);
    return state;
  };
  const useAgent = <T>(id: string, use: (agent: GuestAgent) => Promise<T>): Promise<T> =>
    agentTurns(id, async () => {
      using agent = openLibvirtAgent(virsh, id);
      return await use(agent);
    });

  const open = (state: DomainState, request: SnapshotRequest, release: () => void, signal?: AbortSignal) => {
    const { domain, powerState } = state;
    if (powerState === "stopped") {
      const readFirmware = (stop?: AbortSignal) => readLibvirtFirmware(virsh, domain.id, domain.firmware, stop);
      return openImagesSnapshot({ ...asImages(domain), readFirmware }, request, scratchFolder, release, signal);
    }
    return openLibvirtSnapshot(
      {
        virsh,
        state,
        scratchFolder,
        isRunning: powerState === "running",
        withAgent: domain.hasAgent ? (use) => useAgent(domain.id, use) : undefined,
        freezeLimits: settings.freezeLimits,
        release,
      },
      request,
      signal,
    );
  };

  const snapshot = async (id: string, request: SnapshotRequest, signal?: AbortSignal): Promise<SnapshotSession> => {
    refuseRemote(settings.uri);
    const state = await look(id, signal);
    if (inSnapshot.has(id))
      throw hostErrors.SnapshotInProgress(`A snapshot of the machine ${state.domain.name} is open already.`);
    inSnapshot.add(id);
    const release = (): void => void inSnapshot.delete(id);
    try {
      return await open(state, request, release, signal);
    } catch (error) {
      release();
      throw error;
    }
  };

  const pluggable = async (id: string, signal?: AbortSignal): Promise<PluggableState> => {
    const state = await look(id, signal);
    if (inSnapshot.has(id))
      throw hostErrors.SnapshotInProgress(`A snapshot of the machine ${state.domain.name} is open.`);
    const facts = await virsh.call(["dominfo", id], { signal });
    return { ...state, isPersistent: /^Persistent:\s+yes$/m.test(facts) };
  };
  const diskPlug: DiskPlug = {
    attach: async (id, added, signal) => {
      await plugDisk(virsh, await pluggable(id, signal), added, signal);
      await definitions.change(id, (disks) => [...disks, added]);
    },
    detach: async (id, diskId, signal) => {
      await unplugDisk(virsh, await pluggable(id, signal), diskId, () => look(id, signal), signal);
      await definitions.change(id, (disks) => disks.filter((one) => one.id !== diskId));
    },
  };

  const cleanUp = async (signal?: AbortSignal): Promise<CleanUpReport> => {
    const removed: string[] = [];
    const thawed: string[] = [];
    const failures: { machine: string; explanation: string }[] = [];
    const unreadable = (machine: string, error: HoldfastError): void =>
      void failures.push({ machine, explanation: error.sentence });
    const ids = await listDomainIds(virsh, signal);
    for (const { domain, powerState } of await describeDomains(virsh, ids, unreadable, signal)) {
      if (powerState === "stopped" || inSnapshot.has(domain.id)) continue;
      try {
        const job = await findBackup(virsh, domain.id, signal);
        if (job !== undefined && isOurSocket(job.socketPath)) {
          await endBackup(virsh, domain.id);
          removed.push(`${domain.name}: backup ${job.socketPath}`);
        }
        if (domain.hasAgent && (await useAgent(domain.id, (agent) => thawIfFrozen(agent, signal))))
          thawed.push(domain.name);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof HoldfastError)) throw error;
        failures.push({ machine: domain.name, explanation: error.sentence });
      }
    }
    if (inSnapshot.size === 0 && failures.every(({ explanation }) => !explanation.includes("libvirt")))
      removed.push(...(await endLeftDaemons(scratchFolder)), ...(await removeScratchFiles(scratchFolder)));
    return { removed, thawed, failures };
  };

  return {
    kind: "libvirt",
    lifecycle: openLibvirtLifecycle({ virsh, definitions, scratchFolder, look }),
    diskPlug,
    listMachines: async (signal) =>
      (await describeDomains(virsh, await listDomainIds(virsh, signal), () => {}, signal)).map(toMachine),
    findMachine: async (id, signal) => toMachine(await look(id, signal)),
    directBoot: async (id, signal) => (await look(id, signal)).domain.directBoot,
    withAgent: async (id, use, signal) => {
      const { domain, powerState } = await look(id, signal);
      if (!domain.hasAgent || powerState !== "running") {
        throw hostErrors.OperationUnsupported(
          `The machine ${domain.name} ${domain.hasAgent ? "does not run" : "has no channel org.qemu.guest_agent.0"}.`,
        );
      }
      return useAgent(id, use);
    },
    snapshot,
    cleanUp,
    close: async () => {},
  };
}

/** Only what lies in files can be read while the machine is off. */
function asImages({ id, name, disks }: Domain): Pick<FoundMachine, "id" | "name" | "images"> {
  const images = disks.map(({ id: diskId, path, format }) => {
    const known = imageFormats.find((one) => one === format);
    if (path === undefined || known === undefined) {
      throw hostErrors.OperationUnsupported(
        `The disk "${diskId}" of the machine ${name} lies in no image file, so it can be read only while the machine runs.`,
      );
    }
    return { id: diskId, path, format: known };
  });
  return { id, name, images };
}

async function usualScratch(uri: string): Promise<string> {
  if (/\/session(?:\?|$)/.test(uri)) return join(homedir(), ".cache", "holdfast", "libvirt");
  const folder = join(systemFolder, "holdfast");
  const owner = (await disk.status(systemFolder))?.owner;
  await disk.makeDirectory(folder);
  if (owner !== undefined) await disk.changeOwner(folder, owner);
  return folder;
}

async function removeScratchFiles(folder: string): Promise<string[]> {
  const ours = (await disk.list(folder)).filter((name) => /^holdfast\.[0-9a-f]{8}\.(?:\d+|sock)$/.test(name));
  for (const name of ours) await disk.remove(join(folder, name));
  return ours;
}
