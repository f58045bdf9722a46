// The job by which libvirt lets a point in time be read: its XML, its end, and how one of ours is known.

import { isRefusal } from "./checkpoints.ts";
import type { Virsh } from "./virsh.ts";
import { elementAt, elementsAt, escapeXml, parseXml } from "./xml.ts";

export interface BackupDisk {
  readonly target: string;
  readonly scratchPath: string;
  /** The checkpoint since which changes are told. */
  readonly since: string | undefined;
}

export interface BackupDescription {
  readonly socketPath: string;
  readonly disks: readonly BackupDisk[];
  /** All disks of the machine that are not read. */
  readonly others: readonly string[];
}

export interface CheckpointDescription {
  readonly name: string;
  /** Targets that begin to record. */
  readonly targets: readonly string[];
  readonly others: readonly string[];
}

/** How an export names what changed on a disk. */
export const changesBitmap = (target: string): string => `backup-${target}`;

export function backupXml({ socketPath, disks, others }: BackupDescription): string {
  const taken = disks.map(({ target, scratchPath, since }) => {
    const mode =
      since === undefined ? "backupmode='full'" : `backupmode='incremental' incremental='${escapeXml(since)}'`;
    const names = `exportname='${escapeXml(target)}' exportbitmap='${escapeXml(changesBitmap(target))}'`;
    const scratch = `<scratch file='${escapeXml(scratchPath)}'/>`;
    return `<disk name='${escapeXml(target)}' backup='yes' type='file' ${mode} ${since === undefined ? `exportname='${escapeXml(target)}'` : names}><driver type='qcow2'/>${scratch}</disk>`;
  });
  const left = others.map((target) => `<disk name='${escapeXml(target)}' backup='no'/>`);
  return `<domainbackup mode='pull'><server transport='unix' socket='${escapeXml(socketPath)}'/><disks>${taken.join("")}${left.join("")}</disks></domainbackup>`;
}

export function checkpointXml({ name, targets, others }: CheckpointDescription): string {
  const recording = targets.map(
    (target) => `<disk name='${escapeXml(target)}' checkpoint='bitmap' bitmap='${escapeXml(name)}'/>`,
  );
  const left = others.map((target) => `<disk name='${escapeXml(target)}' checkpoint='no'/>`);
  return `<domaincheckpoint><name>${escapeXml(name)}</name><disks>${[...recording, ...left].join("")}</disks></domaincheckpoint>`;
}

export interface RunningBackup {
  readonly socketPath: string;
  readonly scratchPaths: readonly string[];
}

/** Undefined when no backup of the machine is under way. */
export async function findBackup(
  virsh: Virsh,
  domainId: string,
  signal?: AbortSignal,
): Promise<RunningBackup | undefined> {
  try {
    const root = parseXml((await virsh.call(["backup-dumpxml", domainId], { signal })).trim());
    return {
      socketPath: elementAt(root, "server")?.attributes["socket"] ?? "",
      scratchPaths: elementsAt(root, "disks/disk/scratch").flatMap(({ attributes }) => attributes["file"] ?? []),
    };
  } catch (error) {
    if (isRefusal(error, /backup job|not running/i)) return undefined;
    throw error;
  }
}

/** Ending a pulled backup is what libvirt calls aborting it. */
export async function endBackup(virsh: Virsh, domainId: string): Promise<void> {
  try {
    await virsh.call(["domjobabort", domainId]);
  } catch (error) {
    if (!isRefusal(error, /no (?:backup )?job|not running|no job is active/i)) throw error;
  }
}
