export interface InventoryTables {
  hosts: HostRow;
  machines: MachineRow;
}

export interface HostRow {
  host_id: string;
  /** Lower-case id of its resource. */
  key: string;
  kind: string;
  /** How its driver finds it, as JSON. */
  settings: string;
  /** When a look last succeeded. Moves at least each 15 s while looks succeed, not with every look. */
  looked_at: number | null;
  /** When the newest look that counts began: an older one that ends later changes nothing. */
  look_started_at: number;
  /** Why it could not be looked at; null when it could. */
  problem: string | null;
  created_at: number;
}

export interface MachineRow {
  /** Lower-case id of the virtual machine's resource. */
  key: string;
  host_id: string;
  /** What the driver knows the machine by. */
  machine_id: string;
  /** GUID. */
  vm_id: string;
  /** 1 when the host's last look found it. */
  present: number;
  last_seen_at: number;
  registered_at: number;
  /** As last seen, as JSON. */
  machine: string;
  /** What its agent last said of the guest, as JSON; null before that. */
  guest: string | null;
}
