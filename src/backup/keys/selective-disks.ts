// Azure's rule: the standard policy takes all disks of an encrypted machine or none. Scripts that come from
// there get the answer that they know.

import type { DiskChoice } from "../capture/index.ts";
import type { MachinePolicy } from "../policy/policy.ts";

export function needsEnhancedPolicy(
  policy: Pick<MachinePolicy, "version">,
  disks: DiskChoice | undefined,
  isEncrypted: boolean,
): boolean {
  return isEncrypted && policy.version === "V1" && disks !== undefined && disks.kind !== "all";
}
