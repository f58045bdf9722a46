// From which addresses something may be reached. A client's address is the one that it connects from; the
// service's own requests have none, and are always admitted.

import { BlockList, isIP } from "node:net";
import * as z from "zod";

export const admittedClients = z.union([z.enum(["all", "none"]), z.array(z.string())]);
/** Addresses and ranges (`192.0.2.0/24`) where it is a list. */
export type AdmittedClients = z.output<typeof admittedClients>;

export function isAdmitted(admitted: AdmittedClients, clientAddress: string | undefined): boolean {
  if (admitted === "all" || clientAddress === undefined) return true;
  if (admitted === "none") return false;
  const address = clientAddress.replace(/^::ffff:(?=\d+\.)/i, "");
  const family = familyOf(address);
  if (family === undefined) return false;
  const list = new BlockList();
  for (const range of admitted.flatMap((text) => parseRange(text) ?? []))
    if (range.family === family) list.addSubnet(range.address, range.prefix, family);
  return list.check(address, family);
}

export function isAddressRange(text: string): boolean {
  return parseRange(text) !== undefined;
}

interface AddressRange {
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

function parseRange(text: string): AddressRange | undefined {
  const [, address = "", given] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = familyOf(address);
  if (family === undefined) return undefined;
  const widest = family === "ipv4" ? 32 : 128;
  const prefix = given === undefined ? widest : Number(given);
  return prefix > widest ? undefined : { address, prefix, family };
}

function familyOf(address: string): "ipv4" | "ipv6" | undefined {
  const family = isIP(address);
  return family === 0 ? undefined : `ipv${family as 4 | 6}`;
}
