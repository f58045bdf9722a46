// What a UEFI firmware keeps between boots: boot entries, Secure Boot's keys, the time zone. It lies in a
// flash of its own, beside the machine's disks.
//
// Where that flash is, whoever describes the machine says, and is not believed: only what is laid out as
// a store of UEFI variables becomes part of a point.

import { HoldfastError, systemCode } from "../../lib/errors.ts";

export interface MachineFirmware {
  /** Absent where the machine has a BIOS. */
  readonly uefi?: Uefi;
  /** Its state is not read: nobody but the emulator knows when it is whole. */
  readonly hasEmulatedTpm: boolean;
}

export type Uefi = { readonly isSecureBoot: boolean } & (
  | { readonly variables: Buffer }
  | { readonly variables: undefined; readonly problem: string }
);

/** Flash of a 64-bit ARM machine; those of x86 have half a mebibyte. */
export const mostVariableBytes = 64 * 1024 * 1024;

export class NotVariables extends Error {}

/** A UEFI firmware volume that holds variables, as the platform initialization specification lays it out. */
export function checkVariables(content: Buffer, place: string): Buffer {
  const isVolume = content.length >= headerBytes && content.toString("latin1", 40, 44) === "_FVH";
  const isStore = isVolume && content.subarray(16, 32).equals(variableStore);
  if (!isStore || content.readBigUInt64LE(32) > BigInt(content.length))
    throw new NotVariables(`${place} does not look like a store of UEFI variables`);
  return content;
}

export function checkVariableSize(size: number, place: string): void {
  if (size > mostVariableBytes) throw new NotVariables(`${place} has ${size} bytes, more than ${mostVariableBytes}`);
}

/** Variables that cannot be read cost the point a remark, never the point. */
export async function uefiWith(isSecureBoot: boolean, read: () => Promise<Buffer>, place: string): Promise<Uefi> {
  try {
    return { isSecureBoot, variables: await read() };
  } catch (error) {
    return { isSecureBoot, variables: undefined, problem: whyUnread(error, place) };
  }
}

function whyUnread(error: unknown, place: string): string {
  if (error instanceof HoldfastError) return error.sentence;
  if (error instanceof NotVariables) return error.message;
  const code = systemCode(error);
  if (code === undefined) throw error;
  return `${place} cannot be read (${code})`;
}

const headerBytes = 72;
/** FFF12B8D-7696-4C8B-A985-2747075B4F50 */
const variableStore = Buffer.from("8d2bf1ff96768b4ca9852747075b4f50", "hex");
