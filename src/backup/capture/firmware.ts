// What a UEFI keeps between boots, with a point: a machine that is made of the point's disks finds its own
// boot entries and the keys of Secure Boot again.

import { createHash } from "node:crypto";
import * as z from "zod";
import type { MachineFirmware } from "../../hosts/firmware/variables.ts";
import type { BackupSession } from "../../store/index.ts";
import type { Remark } from "./remarks.ts";

export const capturedFirmware = z.object({
  kind: z.literal("uefi"),
  isSecureBoot: z.boolean(),
  /** The name of an attachment; absent where they could not be read. */
  variables: z.string().optional(),
});
export type CapturedFirmware = z.output<typeof capturedFirmware>;

export interface KeptFirmware {
  readonly firmware?: CapturedFirmware;
  readonly remarks: readonly Remark[];
}

export async function keepFirmware(
  { uefi, hasEmulatedTpm }: MachineFirmware,
  writing: Pick<BackupSession, "addAttachment">,
): Promise<KeptFirmware> {
  const remarks: Remark[] = hasEmulatedTpm ? [tpmNotKept] : [];
  if (uefi === undefined) return { remarks };
  const firmware = { kind: "uefi" as const, isSecureBoot: uefi.isSecureBoot };
  if (uefi.variables === undefined) {
    const message = `The machine boots by UEFI, and ${uefi.problem}: its boot entries and the keys of Secure Boot are not in the point. A machine that is made of the point's disks begins with those of its firmware.`;
    return { firmware, remarks: [...remarks, { code: "UefiVariablesNotKept", severity: "warning", message }] };
  }
  const name = `uefi-${createHash("sha256").update(uefi.variables).digest("hex")}`;
  await writing.addAttachment(name, uefi.variables);
  return { firmware: { ...firmware, variables: name }, remarks };
}

const tpmNotKept: Remark = {
  code: "TpmStateNotKept",
  severity: "note",
  message:
    "The machine has an emulated TPM, whose state is not in the point: what its guest has sealed with it (BitLocker, LUKS) opens only with a recovery key in a machine that is made of the point.",
};
