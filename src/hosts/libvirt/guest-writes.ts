// What libvirt tells of the guest's writes. Each look is a program that is started, so whoever looks
// does so as seldom as it can.

import { hostErrors } from "../errors.ts";
import type { GuestWrites } from "../host.ts";
import type { Virsh } from "./virsh.ts";

const statistic = /^\s*block\.\d+\.(wr|fl)\.(reqs|times)=(\d{1,20})$/;

export async function readGuestWrites(virsh: Virsh, domainId: string, signal?: AbortSignal): Promise<GuestWrites> {
  return parseGuestWrites(await virsh.call(["domstats", "--block", domainId], { signal }));
}

export function parseGuestWrites(text: string): GuestWrites {
  let operations = 0;
  let nanoseconds = 0;
  let found = 0;
  for (const line of text.split("\n")) {
    const [, , kind, value] = statistic.exec(line) ?? [];
    if (kind === undefined) continue;
    found += 1;
    if (kind === "reqs") operations += Number(value);
    else nanoseconds += Number(value);
  }
  if (found === 0) throw hostErrors.LibvirtRefused("libvirt does not count what this machine's guest writes.");
  return { operations, nanoseconds };
}
