// What the helper guest tells of the disks: partitions, logical volumes, opened LUKS volumes.

import { fileRecoveryErrors } from "./errors.ts";

export type VolumeState = "mounted" | "locked" | "unlocked" | "part" | "unreadable" | "empty" | "other";

export interface Volume {
  /** By which it is named in paths: `vda1`, `vg0-root`, `open-vdb`. */
  readonly name: string;
  /** The disk of the point that it lies on; absent for logical volumes. */
  readonly disk: string | undefined;
  readonly sizeBytes: number;
  readonly fileSystem: string | undefined;
  readonly uuid: string | undefined;
  readonly label: string | undefined;
  readonly state: VolumeState;
  readonly problem: string | undefined;
}

const states: readonly string[] = ["mounted", "locked", "unlocked", "part", "unreadable", "empty", "other"];

/** `serials`: the disk of the point behind each serial that the guest sees. */
export function parseVolumes(answer: Buffer, serials: ReadonlyMap<string, string>): Volume[] {
  return answer
    .toString("latin1")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", serial = "", size = "", type = "", uuid = "", label = "", state = "", problem = ""] =
        line.split(" ");
      if (!states.includes(state) || !/^\d{1,16}$/.test(size))
        throw fileRecoveryErrors.FileRecoverySessionFailed("The helper guest described a volume that is none.");
      return {
        name: fromHex(name) ?? "",
        disk: serials.get(fromHex(serial) ?? ""),
        sizeBytes: Number(size),
        fileSystem: type === "-" ? undefined : type,
        uuid: uuid === "-" ? undefined : uuid,
        label: fromHex(label),
        state: state as VolumeState,
        problem: fromHex(problem),
      };
    });
}

function fromHex(text: string): string | undefined {
  const plain = Buffer.from(text.replace(/-$/, ""), "hex").toString("utf8");
  return plain === "" ? undefined : plain;
}
