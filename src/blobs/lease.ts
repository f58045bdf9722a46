// Leases as a state machine without side effects: state, request and time in, state out. A lease that
// has run out keeps its id, so that its holder may still renew it.

import { newGuid } from "../lib/random.ts";
import { blobErrors } from "./errors.ts";

export interface Lease {
  readonly id?: string;
  /** Seconds; -1 = until it is released. */
  readonly duration?: number;
  /** When it runs out, or when its breaking ends; absent = never. */
  readonly endsAt?: number;
  readonly isBroken?: boolean;
}

export const noLease: Lease = {};

export type LeaseState = "available" | "leased" | "expired" | "breaking" | "broken";

export function leaseState(lease: Lease, now: number): LeaseState {
  if (lease.id === undefined) return "available";
  const isOver = lease.endsAt !== undefined && lease.endsAt <= now;
  if (lease.isBroken === true) return isOver ? "broken" : "breaking";
  return isOver ? "expired" : "leased";
}

export function isLocked(lease: Lease, now: number): boolean {
  const state = leaseState(lease, now);
  return state === "leased" || state === "breaking";
}

export function acquire(lease: Lease, duration: number, proposed: string | undefined, now: number): Lease {
  if (duration !== -1 && !(Number.isInteger(duration) && duration >= 15 && duration <= 60)) {
    throw blobErrors.InvalidHeaderValue(`x-ms-lease-duration is ${duration}; it is -1 or from 15 to 60 seconds.`);
  }
  const state = leaseState(lease, now);
  if (state === "breaking")
    throw blobErrors.LeaseIsBreakingAndCannotBeAcquired(
      "The lease is breaking and cannot be acquired until it is broken.",
    );
  if (state === "leased" && lease.id !== proposed)
    throw blobErrors.LeaseAlreadyPresent("There is already a lease present.");
  return held(proposed ?? newGuid(), duration, now);
}

export function renew(lease: Lease, id: string, now: number): Lease {
  mustHold(lease, id);
  const state = leaseState(lease, now);
  if (state === "breaking" || state === "broken")
    throw blobErrors.LeaseIsBrokenAndCannotBeRenewed("The lease has been broken explicitly and cannot be renewed.");
  return held(id, lease.duration ?? -1, now);
}

export function change(lease: Lease, id: string, proposed: string, now: number): Lease {
  const state = leaseState(lease, now);
  if (state === "breaking")
    throw blobErrors.LeaseIsBreakingAndCannotBeChanged("The lease is breaking and cannot be changed.");
  if (state !== "leased") throw blobErrors.LeaseNotPresentWithLeaseOperation("There is currently no lease to change.");
  // Asking twice for the same change is no mistake.
  if (lease.id !== proposed) mustHold(lease, id);
  return { ...lease, id: proposed };
}

export function release(lease: Lease, id: string): Lease {
  mustHold(lease, id);
  return noLease;
}

/** Seconds until the lock is gone, and the lease that breaks. */
export function breakLease(lease: Lease, period: number | undefined, now: number): { lease: Lease; seconds: number } {
  const state = leaseState(lease, now);
  if (state === "available")
    throw blobErrors.LeaseNotPresentWithLeaseOperation("There is currently no lease on the resource.");
  if (period !== undefined && !(Number.isInteger(period) && period >= 0 && period <= 60)) {
    throw blobErrors.InvalidHeaderValue(`x-ms-lease-break-period is ${period}; it is from 0 to 60 seconds.`);
  }
  const left = lease.endsAt === undefined ? undefined : Math.max(0, Math.ceil((lease.endsAt - now) / 1000));
  const seconds =
    state === "broken" || state === "expired" ? 0 : Math.min(period ?? left ?? 0, left ?? Number.POSITIVE_INFINITY);
  return { lease: { ...lease, isBroken: true, endsAt: now + seconds * 1000 }, seconds };
}

/** Whether a write (or a read that names a lease) may go on. */
export function checkLease(
  lease: Lease,
  given: string | undefined,
  now: number,
  effect: "read" | "write",
  on: "Blob" | "Container",
): void {
  if (given !== undefined) {
    if (leaseState(lease, now) === "available") {
      throw blobErrors[`LeaseNotPresentWith${on}Operation`](`There is currently no lease on the ${on.toLowerCase()}.`);
    }
    if (given.toLowerCase() !== lease.id?.toLowerCase()) {
      throw blobErrors[`LeaseIdMismatchWith${on}Operation`](
        `The lease ID specified did not match the lease ID for the ${on.toLowerCase()}.`,
      );
    }
  } else if (effect === "write" && isLocked(lease, now)) {
    throw blobErrors.LeaseIdMissing(
      `There is currently a lease on the ${on.toLowerCase()} and no lease ID was specified in the request.`,
    );
  }
}

function held(id: string, duration: number, now: number): Lease {
  return duration === -1 ? { id, duration } : { id, duration, endsAt: now + duration * 1000 };
}

function mustHold(lease: Lease, id: string): void {
  if (lease.id?.toLowerCase() === id.toLowerCase()) return;
  throw blobErrors.LeaseIdMismatchWithLeaseOperation(
    "The lease ID specified did not match the lease ID for the resource.",
  );
}
