// Checkpoints: libvirt's names for the bitmaps that record what changes from a point on. A checkpoint
// has the name of the point's bitmap, and its bitmaps have the same name, in every image alike. So
// bitmaps that were made while the machine was off, or whose checkpoint libvirt has forgotten (it does
// with every transient machine), are made known to it again.

import { HoldfastError } from "../../lib/errors.ts";
import type { DomainDisk } from "./domain.ts";
import type { Virsh } from "./virsh.ts";
import { elementsAt, escapeXml, parseXml } from "./xml.ts";

export interface Checkpoints {
  list(): Promise<string[]>;
  /** Targets of the disks that record since the checkpoint; undefined when it is not there. */
  targetsOf(name: string): Promise<Set<string> | undefined>;
  /** False when the images do not have its bitmaps. */
  redefine(name: string, disks: readonly DomainDisk[]): Promise<boolean>;
  /** With its bitmaps where they can be removed, else only what libvirt knows of it. */
  remove(name: string): Promise<void>;
}

export function checkpointsOf(virsh: Virsh, domainId: string, signal?: AbortSignal): Checkpoints {
  return {
    list: async () => {
      const names = await virsh.call(["checkpoint-list", domainId, "--name"], { signal });
      return names
        .split("\n")
        .map((name) => name.trim())
        .filter((name) => name !== "");
    },
    targetsOf: async (name) => {
      try {
        const args = ["checkpoint-dumpxml", domainId, "--no-domain", "--checkpointname", name];
        const root = parseXml((await virsh.call(args, { signal })).trim());
        const recording = elementsAt(root, "disks/disk").filter(
          ({ attributes }) => attributes["checkpoint"] === "bitmap",
        );
        return new Set(recording.flatMap(({ attributes }) => attributes["name"] ?? []));
      } catch (error) {
        if (isRefusal(error, /checkpoint/i)) return undefined;
        throw error;
      }
    },
    redefine: async (name, disks) => {
      const domain = (await virsh.call(["dumpxml", domainId, "--migratable"], { signal })).trim();
      const list = disks.map(
        ({ target }) => `<disk name='${escapeXml(target)}' checkpoint='bitmap' bitmap='${escapeXml(name)}'/>`,
      );
      const xml = `<domaincheckpoint><name>${escapeXml(name)}</name><creationTime>1</creationTime><disks>${list.join("")}</disks>${domain}</domaincheckpoint>`;
      try {
        const args = ["checkpoint-create", domainId, "--redefine", "--redefine-validate"];
        await virsh.call(args, { documents: { "--xmlfile": xml }, signal });
        return true;
      } catch (error) {
        if (isRefusal(error, /./)) return false;
        throw error;
      }
    },
    remove: async (name) => {
      const args = ["checkpoint-delete", domainId, "--checkpointname", name];
      try {
        await virsh.call(args, { signal });
      } catch (error) {
        if (!isRefusal(error, /bitmap|checkpoint|not running/i)) throw error;
        await virsh.call([...args, "--metadata"], { signal }).catch((cause: unknown) => {
          if (!isRefusal(cause, /./)) throw cause;
        });
      }
    },
  };
}

export function isRefusal(error: unknown, why: RegExp): error is HoldfastError {
  return error instanceof HoldfastError && error.code === "LibvirtRefused" && why.test(error.message);
}
