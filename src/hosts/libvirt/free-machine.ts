// libvirt does one thing at a time with a machine. Right after its daemon has started again it is busy
// coming to know those that run, for as long as a busy QEMU takes; whoever asks meanwhile is refused after
// half a minute. That is waited for before a guest is frozen, not while it is.

import { sleep } from "../../lib/time.ts";
import { isRefusal } from "./checkpoints.ts";
import type { Virsh } from "./virsh.ts";

const attempts = 4;
const pauseMilliseconds = 500;
const busy = /cannot acquire state change lock/i;

/** Asks for what needs the machine, and changes nothing. */
export async function untilFree(virsh: Virsh, domainId: string, signal?: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await virsh.call(["domblkinfo", domainId, "--all"], { signal });
      return;
    } catch (error) {
      if (attempt === attempts || !isRefusal(error, busy)) throw error;
      await sleep(pauseMilliseconds, signal);
    }
  }
}
