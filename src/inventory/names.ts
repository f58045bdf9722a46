// From what hosts call a machine to what Azure's clients can: names that fit into ids, GUIDs.

import { createHash } from "node:crypto";

const longest = 64;

/** A name in Azure's alphabet; never empty. */
export function armName(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .slice(0, longest)
    .replace(/^[^A-Za-z0-9]+/, "")
    .replace(/[^A-Za-z0-9]+$/, "");
  return plain === "" ? `machine-${digest(name).slice(0, 8)}` : plain;
}

/** The name for a machine where some are taken: with a suffix that depends on the machine alone. */
export function freeArmName(wanted: string, identity: MachineIdentity, isTaken: (name: string) => boolean): string {
  const plain = armName(wanted);
  if (!isTaken(plain)) return plain;
  const suffix = digest(`${identity.hostId}\n${identity.machineId}`);
  for (let length = 4; length < suffix.length; length += 4) {
    const name = `${plain.slice(0, longest - length - 1)}-${suffix.slice(0, length)}`;
    if (!isTaken(name)) return name;
  }
  throw new Error(`no name is free for ${wanted}`);
}

export interface MachineIdentity {
  readonly hostId: string;
  readonly machineId: string;
}

const guidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The machine's own UUID; where it has none, or another machine has the same, one computed from its identity. */
export function vmIdOf(identity: MachineIdentity, isTaken: (vmId: string) => boolean): string {
  const own = identity.machineId.toLowerCase();
  if (guidPattern.test(own) && !isTaken(own)) return own;
  const hex = digest(`vm\n${identity.hostId}\n${identity.machineId}`);
  // The version (8: made by a rule of one's own) and variant bits of RFC 9562.
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
