// Finds machines as they come and go: one process watches each host, under a lease that another one
// takes over when it dies or cannot reach the host.

import type { Database } from "../db/database.ts";
import { openDoorbell } from "../db/doorbell.ts";
import { withLease } from "../db/leases.ts";
import { monotonicMilliseconds } from "../lib/clock.ts";
import { HoldfastError } from "../lib/errors.ts";
import { sleep, withDeadline } from "../lib/time.ts";
import { signatureOf } from "./drivers.ts";
import { inventoryErrors } from "./errors.ts";
import { inventoryChannel, readHosts, type RegisteredHost } from "./host-registry.ts";

export interface DiscoveryParts {
  readonly database: Database;
  readonly holder: string;
  /** Looks at the host and records what it found; throws when it cannot be reached. */
  readonly look: (host: RegisteredHost, signal: AbortSignal) => Promise<void>;
  /** What a host that is known no more leaves behind. */
  readonly forgetOthers: (hosts: readonly RegisteredHost[]) => Promise<void>;
  readonly report: (error: unknown) => void;
}

const leaseMilliseconds = 15_000;
const hostListMilliseconds = 5_000;
const signatureMilliseconds = 1_000;
const signatureDeadline = 10_000;
/** Without a sign of change. */
const lookAgainMilliseconds = 10_000;
/** Where there are no signs. */
const blindLookMilliseconds = 3_000;
/** So that looking takes at most a twentieth of the time. */
const lookShare = 20;
/** With signs of change, which may come each second. */
const busyLookShare = 2;
const retryMilliseconds = 2_000;

/** Works until `signal`. */
export async function discover(parts: DiscoveryParts, signal: AbortSignal): Promise<void> {
  const { database, report } = parts;
  using doorbell = openDoorbell(database.notices, inventoryChannel);
  const watched = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>();
  while (!signal.aborted) {
    try {
      const hosts = await readHosts(database.kysely);
      const ids = new Set(hosts.map(({ hostId }) => hostId));
      for (const [hostId, { stop }] of watched) {
        if (ids.has(hostId)) continue;
        stop.abort();
        watched.delete(hostId);
      }
      await parts.forgetOthers(hosts);
      for (const { hostId } of hosts) {
        if (watched.has(hostId)) continue;
        const stop = new AbortController();
        watched.set(hostId, { stop, done: watchHost(parts, hostId, AbortSignal.any([signal, stop.signal])) });
      }
    } catch (error) {
      report(error);
    }
    await doorbell.wait(hostListMilliseconds, signal);
  }
  await Promise.all([...watched.values()].map(({ done }) => done));
}

async function watchHost(parts: DiscoveryParts, hostId: string, signal: AbortSignal): Promise<void> {
  const terms = { name: `host/${hostId}`, holder: parts.holder, milliseconds: leaseMilliseconds };
  while (!signal.aborted) {
    try {
      await withLease(parts.database, terms, (_lease, held) => followHost(parts, hostId, held), signal);
    } catch (error) {
      if (!signal.aborted && !(error instanceof HoldfastError && error.code === "HostUnreachable")) parts.report(error);
    }
    await sleep(retryMilliseconds, signal).catch(() => {});
  }
}

/** Until the signal, or until the host cannot be reached: then another process may have better luck. */
async function followHost(parts: DiscoveryParts, hostId: string, signal: AbortSignal): Promise<void> {
  let signature: string | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let lookTook = 0;
  while (!signal.aborted) {
    const [host] = await readHosts(parts.database.kysely, { hostId });
    if (host === undefined) return;
    const current = await currentSignature(host, signal);
    const since = monotonicMilliseconds() - lookedAt;
    const hasChanged = current !== signature && since > lookTook * busyLookShare;
    const pause = current === undefined ? blindLookMilliseconds : lookAgainMilliseconds;
    if (hasChanged || since > Math.max(pause, lookTook * lookShare)) {
      const startedAt = monotonicMilliseconds();
      await parts.look(host, signal);
      lookedAt = monotonicMilliseconds();
      lookTook = lookedAt - startedAt;
      signature = current;
    }
    await sleep(signatureMilliseconds, signal).catch(() => {});
  }
}

/** A folder that cannot be listed is left to the look, which says why and records it. */
async function currentSignature(host: RegisteredHost, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await withDeadline(
      signatureDeadline,
      () => signatureOf(host.settings),
      () => inventoryErrors.HostUnreachable(`${host.name} did not answer in ${signatureDeadline / 1000} s.`),
      signal,
    );
  } catch {
    return "unreadable";
  }
}
