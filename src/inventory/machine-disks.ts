// The disks of a machine as resources: those that it was made from keep their ids, others get ids
// that stay as long as the host's own names for them do.

import { createHash } from "node:crypto";
import type { MachineDisk } from "../hosts/host.ts";
import { parseResourceId } from "../arm/resource-id.ts";
import { groupOf, type InventoryMachine } from "./machine.ts";
import { armName } from "./names.ts";

export const diskType = "Microsoft.Compute/disks";

export interface InventoryDisk {
  /** `…/Microsoft.Compute/disks/{machine}_{disk}` */
  readonly resourceId: string;
  readonly name: string;
  /** -1 for the system disk. */
  readonly lun: number;
  readonly disk: MachineDisk;
}

/** In order of LUN, the system disk first. */
export function disksOf(machine: InventoryMachine): InventoryDisk[] {
  const taken = new Set<string>();
  const group = groupOf(machine.resourceId);
  return machine.machine.disks
    .toSorted((a, b) => a.lun - b.lun)
    .map((disk) => {
      const own = machine.diskResourceIds[disk.id];
      if (own !== undefined) return { resourceId: own, name: parseResourceId(own).name, lun: disk.lun, disk };
      const plain = `${machine.name}_${armName(disk.id)}`.slice(0, 80).replace(/[^A-Za-z0-9_]+$/, "");
      const suffix = createHash("sha256").update(disk.id).digest("hex").slice(0, 8);
      const name = taken.has(plain.toLowerCase()) ? `${plain.slice(0, 71)}-${suffix}` : plain;
      taken.add(name.toLowerCase());
      return { resourceId: `${group}/providers/${diskType}/${name}`, name, lun: disk.lun, disk };
    });
}
