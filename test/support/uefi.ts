// A store of UEFI variables as firmware keeps it, with one variable of the test's in it.

import { readFileSync } from "node:fs";

/** Debian's package ovmf. */
export const ovmfVariables = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/** Behind the headers of the volume and of the store in it; a new store holds nothing there. */
const firstVariable = 0x64;
const vendor = Buffer.from("22221111333344445555666677778888", "hex");

/** As an AUTHENTICATED_VARIABLE_HEADER describes it: kept between boots, and for the boot services. */
export function markedVariables(mark: string): Buffer {
  const content = readFileSync(ovmfVariables);
  const variable = markOf(mark);
  if (content.subarray(firstVariable, firstVariable + variable.length).some((byte) => byte !== 0xff))
    throw new Error("the firmware's variables are not empty");
  variable.copy(content, firstVariable);
  return content;
}

/** The firmware changes what is its own, and leaves this. */
export function hasMark(content: Buffer, mark: string): boolean {
  return content.includes(markOf(mark));
}

function markOf(mark: string): Buffer {
  const name = Buffer.from("HoldfastMark\0", "utf16le");
  const value = Buffer.from(mark);
  const header = Buffer.alloc(44);
  header.writeUInt16LE(0x55aa, 0);
  header.writeUInt8(0x3f, 2); // added, and not deleted since
  header.writeUInt32LE(3, 4);
  header.writeUInt32LE(name.length, 36);
  header.writeUInt32LE(value.length, 40);
  return Buffer.concat([header, vendor, name, value]);
}
